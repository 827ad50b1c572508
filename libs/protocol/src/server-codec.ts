import { z } from 'zod';
import { parseJson } from './codec.ts';
import { isErrorCode } from './errors.ts';
import { type Decoded, decodeEventValue } from './events.ts';
import { EventIdSchema, type Reply } from './ids.ts';
import type { ServerControl, ServerEvent, ServerMessage } from './server-messages.ts';
import { HistoryMessageSchema } from './session-data.ts';
import { SettingsSchema } from './settings.ts';

const count = z.number().int().nonnegative();
const reply = z.object({ turn: z.number().int().positive(), attempt: count }) satisfies z.ZodType<Reply>;

const CONTROLS = {
  'session.ready': z.object({
    type: z.literal('session.ready'),
    v: count,
    session: z.string(),
    token: z.string().optional(),
    resumed: z.boolean(),
    epoch: count,
    generation: count,
    settings: SettingsSchema,
    inputSample: count,
    ackedSample: count,
    resumeBoundMs: z.number().positive(),
    graceMs: z.number().nonnegative(),
    snapshot: z.object({ history: z.array(HistoryMessageSchema), lastEvent: EventIdSchema }).optional(),
  }),
  'audio.ack': z.object({ type: z.literal('audio.ack'), sample: count }),
  'audio.duck': z.object({ type: z.literal('audio.duck'), generation: count }),
  'audio.restore': z.object({ type: z.literal('audio.restore'), generation: count }),
  'audio.stop': z.object({ type: z.literal('audio.stop'), generation: count, reply: reply.optional() }),
  error: z.object({
    type: z.literal('error'),
    fatal: z.boolean(),
    // A newer server may have codes this client does not know.
    code: z.string().transform((code) => (isErrorCode(code) ? code : 'internal')),
    message: z.string(),
    retryable: z.boolean(),
    retryAfterMs: z.number().nonnegative().optional(),
  }),
} as const satisfies Record<ServerControl['type'], z.ZodType>;

/** Types of the server's messages that are not events of the log. */
export const SERVER_CONTROL_TYPES = Object.keys(CONTROLS) as ServerControl['type'][];

const isControlType = (type: string): type is ServerControl['type'] => Object.hasOwn(CONTROLS, type);

/** What the gateway adds to an event of the log. */
const AddedSchema = z.object({
  id: EventIdSchema,
  at: z.number(),
  turn: count.optional(),
  generation: count,
});

/**
 * Decodes a JSON message of the server. What this client does not know or cannot read is a reason to skip and count it,
 * so that it can talk to a newer server.
 */
export function decodeServerMessage(text: string): Decoded<ServerMessage> {
  const json = parseJson(text);
  if (!json) return { ok: false, reason: 'not_json' };
  const raw = json.value;
  if (typeof raw !== 'object' || raw === null) return { ok: false, reason: 'not_an_object' };
  const { type } = raw as { type?: unknown };
  if (typeof type === 'string' && isControlType(type)) {
    const parsed = CONTROLS[type].safeParse(raw);
    return parsed.success ? { ok: true, value: parsed.data as ServerControl } : { ok: false, reason: 'malformed' };
  }
  const added = AddedSchema.safeParse(raw);
  if (!added.success) return { ok: false, reason: typeof type === 'string' ? 'unknown_type' : 'malformed' };
  const event = decodeEventValue(added.data.id, added.data.at, raw);
  if (!event.ok) return event;
  return { ok: true, value: { ...event.value, ...added.data } as ServerEvent };
}

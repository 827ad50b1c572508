import { z } from 'zod';
import { EventIdSchema } from './ids.ts';
import { SettingsPatchSchema, SettingsSchema } from './settings.ts';

/** WebSocket subprotocol of the native protocol. */
export const SUBPROTOCOL = 'parley.v1';
/** Prefix of the second subprotocol by which a browser hands over its key. */
export const KEY_SUBPROTOCOL_PREFIX = 'parley.key.';
export const PROTOCOL_VERSION = 1;

const reply = { turn: z.number().int().positive(), attempt: z.number().int().nonnegative() };

/** Subprotocol that carries a key: base64url of its UTF-8 bytes, since a subprotocol may not hold every character. */
export function encodeKeySubprotocol(key: string): string {
  const binary = String.fromCharCode(...new TextEncoder().encode(key));
  return KEY_SUBPROTOCOL_PREFIX + btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** The key that a subprotocol carries; undefined for any other subprotocol and for a broken encoding. */
export function decodeKeySubprotocol(subprotocol: string): string | undefined {
  if (!subprotocol.startsWith(KEY_SUBPROTOCOL_PREFIX)) return undefined;
  const base64 = subprotocol.slice(KEY_SUBPROTOCOL_PREFIX.length).replaceAll('-', '+').replaceAll('_', '/');
  try {
    const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** JSON messages from a client to the gateway. */
export const ClientMessageSchema = z.discriminatedUnion('type', [
  /** First message of a new session. */
  z.object({
    type: z.literal('session.start'),
    v: z.number().int(),
    minReader: z.number().int().optional(),
    settings: SettingsSchema.partial().optional(),
  }),
  /** First message on a new connection of a session that lives. */
  z.object({
    type: z.literal('session.resume'),
    v: z.number().int(),
    minReader: z.number().int().optional(),
    session: z.string(),
    token: z.string(),
    /** Last event received; all later ones are sent again. */
    lastEvent: EventIdSchema.optional(),
    /** The reply being played: `received` is the first of its samples the client lacks, `played` what it has played. */
    audio: z
      .object({ ...reply, received: z.number().int().nonnegative(), played: z.number().int().nonnegative() })
      .optional(),
  }),
  z.object({ type: z.literal('session.update'), settings: SettingsPatchSchema }),
  /** Begins the conversation anew: what was said is forgotten, the settings stay. */
  z.object({ type: z.literal('session.reset') }),
  z.object({ type: z.literal('session.close') }),
  z.object({ type: z.literal('input.text'), text: z.string().max(8_000).regex(/\S/, 'must not be blank') }),
  z.object({ type: z.literal('input.interrupt') }),
  z.object({ type: z.literal('input.commit') }),
  z.object({ type: z.literal('input.tool_result'), call: z.string().max(200), result: z.string().max(64_000) }),
  /** Samples of the reply played so far; at most four a second are of use. */
  z.object({ type: z.literal('playback'), ...reply, samples: z.number().int().nonnegative() }),
  /** Everything up to this event has been received; the server may forget it. */
  z.object({ type: z.literal('ack'), event: EventIdSchema }),
]);

export type ClientMessage = z.infer<typeof ClientMessageSchema>;
export type ClientMessageInput = z.input<typeof ClientMessageSchema>;

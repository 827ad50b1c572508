import { z } from 'zod';
import type { EventId } from './ids.ts';
import { SettingsPatchSchema, SettingsSchema } from './settings.ts';

/** Version of what is written to Redis, and the oldest reader that understands it. */
export const LOG_VERSION = 1;

const count = z.number().int().nonnegative();
const duration = z.number().nonnegative();
const reply = { turn: z.number().int().positive(), attempt: count };
/** Set on what belongs to a speculative reply that has not been released. */
const held = z.boolean().optional();
const utterance = { utterance: count };
/** Words told of one settled stretch, which lasts some five seconds: whoever writes more leaves out the last ones. */
export const MAX_SPOKEN_WORDS = 256;

/** When a word was said, from engines that know: the first sample, the one after the last, and how sure they are. */
const SpokenWordSchema = z.object({
  word: z.string(),
  startSample: count,
  endSample: count,
  confidence: z.number().min(0).max(1).optional(),
});

/**
 * Every event of a session's log. Samples of user audio are 16 kHz, counted from the session's first; samples of a
 * clause are at the session's output rate, counted from the clause's first.
 */
const BODIES = {
  // written by the listener
  'speech.started': z.object({ ...utterance, sample: count }),
  'speech.confirmed': z.object({ ...utterance, samples: count }),
  'speech.stopped': z.object({ ...utterance, sample: count }),
  'transcript.partial': z.object({ ...utterance, text: z.string() }),
  'transcript.final': z.object({
    ...utterance,
    text: z.string(),
    fromSample: count,
    toSample: count,
    // The text is worth more than they are: words that cannot be read do not make it unreadable.
    words: z.array(SpokenWordSchema).max(MAX_SPOKEN_WORDS).optional().catch(undefined),
  }),
  'turn.eager': z.object({ ...utterance, text: z.string(), probability: z.number() }),
  'turn.resumed': z.object({ ...utterance }),
  'turn.ended': z.object({ ...utterance, text: z.string(), sample: count, decidedSample: count }),
  'lease.offered': z.object({ fence: z.string() }),
  // written by acquire
  'lease.moved': z.object({ fence: z.string(), worker: z.string() }),
  // written by an llm-worker under its claim
  'reply.delta': z.object({ ...reply, text: z.string(), held }),
  'reply.clause': z.object({ ...reply, clause: count, text: z.string(), held }),
  'reply.done': z.object({ ...reply, text: z.string(), clauses: count, finish: z.string(), held }),
  'tool.call': z.object({ ...reply, call: z.string(), name: z.string(), arguments: z.string(), held }),
  // written by a tts-worker under its claim
  'audio.chunk': z.object({ ...reply, clause: count, startSample: count, samples: count }),
  'audio.done': z.object({ ...reply, clause: count, samples: count }),
  // written by any worker under its lease or claim, when its engine failed for good or hands its work back
  'work.failed': z.object({
    stage: z.enum(['listen', 'reply', 'speak']),
    turn: count.optional(),
    attempt: count.optional(),
    clause: count.optional(),
    utterance: count.optional(),
    code: z.string(),
    /** Another try on another worker can help. */
    retryable: z.boolean(),
    /** Handed back by a worker that is leaving: not a failure, and not counted as one. */
    handedBack: z.boolean().optional(),
    try: count.optional(),
  }),
  // written by the owner: inputs, timers, verdicts
  'input.text': z.object({ text: z.string() }),
  'input.interrupt': z.object({}),
  'input.commit': z.object({}),
  'input.settings': z.object({ settings: SettingsPatchSchema }),
  'input.tool_result': z.object({ call: z.string(), result: z.string() }),
  'input.reset': z.object({}),
  'input.close': z.object({ reason: z.string() }),
  'timer.fired': z.object({ name: z.string(), since: z.string() }),
  playback: z.object({ ...reply, samples: count }),
  'holder.lost': z.object({
    stage: z.enum(['listen', 'reply', 'speak']),
    /** Fence of the lost listener, or the work item's key. */
    holder: z.string(),
    try: count,
    /** No pulse; not taken although a worker is free; not taken because there is no worker. */
    reason: z.enum(['silent', 'unclaimed', 'no_worker']),
    /** Listener only: how far its audio was settled, and the newest sample there is. */
    cursor: count.optional(),
    inputSample: count.optional(),
  }),
  'audio.lost': z.object({ fromSample: count, ms: count, reason: z.enum(['overflow', 'gap']) }),
  // written by the owner: what it decided
  'reply.started': z.object({ ...reply, held }),
  'reply.released': z.object({ ...reply, text: z.string() }),
  'reply.cancelled': z.object({ ...reply, reason: z.string(), held }),
  'reply.truncated': z.object({ ...reply, heard: z.string(), samples: count }),
  'stage.failed': z.object({
    stage: z.enum(['listen', 'reply', 'speak']),
    turn: count.optional(),
    attempt: count.optional(),
    clause: count.optional(),
    utterance: count.optional(),
    code: z.string(),
    message: z.string(),
    retryable: z.boolean(),
  }),
  /** Where the time went from the last speech to the first reply audio sent; written once a reply. */
  'turn.metrics': z.object({
    ...reply,
    endOfTurnMs: duration,
    queueMs: duration,
    firstTokenMs: duration,
    firstClauseMs: duration,
    firstAudioMs: duration,
    firstSendMs: duration,
    totalMs: duration,
  }),
  'session.updated': z.object({ settings: SettingsSchema }),
  'session.reset': z.object({}),
  'session.moved': z.object({ owner: z.string(), epoch: count }),
  'session.closed': z.object({ reason: z.string() }),
} as const;

export type EventType = keyof typeof BODIES;

export const EVENT_TYPES = Object.keys(BODIES) as EventType[];

export type SpokenWord = Readonly<z.infer<typeof SpokenWordSchema>>;

type Bodies = { [T in EventType]: z.infer<(typeof BODIES)[T]> };
/** Fields of an event; zod infers an index signature for those without any. */
type Body<T extends EventType> = string extends keyof Bodies[T] ? unknown : Readonly<Bodies[T]>;

/** An event to be written; `trace` is a W3C traceparent, `by` the id of the process that writes it. */
export type NewEvent<T extends EventType = EventType> = T extends EventType
  ? { readonly type: T; readonly trace?: string | undefined } & Body<T>
  : never;

/** An event as read from the log: with its id and the Redis TIME (ms) at which it was written. */
export type SessionEvent<T extends EventType = EventType> = T extends EventType
  ? NewEvent<T> & { readonly id: EventId; readonly at: number }
  : never;

/** JSON of an event with `v` and `minReader`, as stored and published. */
export const encodeEvent = (event: NewEvent): string =>
  JSON.stringify({ v: LOG_VERSION, minReader: LOG_VERSION, ...event });

/** What became of bytes read from the log. */
export type Decoded<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string };

/**
 * Decodes an event. A type this reader does not know, a newer `minReader` or a malformed body is not an error but a
 * reason to skip and count it, so that processes of two versions can share a session.
 */
export function decodeEvent(id: EventId, at: number, json: string): Decoded<SessionEvent> {
  let raw: unknown;
  try {
    raw = JSON.parse(json);
  } catch {
    return { ok: false, reason: 'not_json' };
  }
  return decodeEventValue(id, at, raw);
}

/** {@link decodeEvent} for JSON that has been parsed already. */
export function decodeEventValue(id: EventId, at: number, raw: unknown): Decoded<SessionEvent> {
  if (typeof raw !== 'object' || raw === null) return { ok: false, reason: 'not_an_object' };
  const { type, minReader, trace } = raw as { type?: unknown; minReader?: unknown; trace?: unknown };
  if (typeof minReader === 'number' && minReader > LOG_VERSION) return { ok: false, reason: 'newer' };
  if (typeof type !== 'string' || !Object.hasOwn(BODIES, type)) return { ok: false, reason: 'unknown_type' };
  const body = BODIES[type as EventType].safeParse(raw);
  if (!body.success) return { ok: false, reason: 'malformed' };
  const value = { ...body.data, type, id, at, ...(typeof trace === 'string' ? { trace } : {}) };
  return { ok: true, value: value as SessionEvent };
}

const CLIENT_VISIBLE: ReadonlySet<EventType> = new Set([
  'speech.started',
  'speech.confirmed',
  'speech.stopped',
  'transcript.partial',
  'transcript.final',
  'turn.eager',
  'turn.resumed',
  'turn.ended',
  'reply.started',
  'reply.delta',
  'reply.clause',
  'reply.done',
  'reply.released',
  'reply.cancelled',
  'reply.truncated',
  'tool.call',
  'audio.lost',
  'stage.failed',
  'turn.metrics',
  'session.updated',
  'session.reset',
  'session.closed',
]);

/** Whether an event of the log is sent to the client; what belongs to a held reply is not. */
export const isClientVisible = (event: { readonly type: EventType; readonly held?: boolean | undefined }): boolean =>
  CLIENT_VISIBLE.has(event.type) && !('held' in event && event.held === true);

/** Inputs of the turn machine as opposed to its own outputs, which are not stepped on again. */
const OWNER_OUTPUTS: ReadonlySet<EventType> = new Set([
  'reply.started',
  'reply.released',
  'reply.cancelled',
  'reply.truncated',
  'stage.failed',
  'turn.metrics',
  'session.updated',
  'session.reset',
  'session.closed',
]);

export const isOwnerOutput = (type: EventType): boolean => OWNER_OUTPUTS.has(type);

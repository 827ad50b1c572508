import { z } from 'zod';
import { type Decoded, LOG_VERSION } from './events.ts';
import type { QueueName } from './keys.ts';

const base = {
  v: z.number().int(),
  minReader: z.number().int(),
  session: z.string(),
  /** W3C traceparent of the turn. */
  trace: z.string().optional(),
};
const work = {
  ...base,
  turn: z.number().int().positive(),
  attempt: z.number().int().nonnegative(),
  try: z.number().int().positive(),
  /** Redis TIME (ms) by which the result is wanted; the queue's priority follows from it. */
  deadlineMs: z.number(),
};

const JOBS = {
  /** An offer of a session's audio; `expect` is the fence it replaces, empty for a session nobody hears yet. */
  listen: z.object({ ...base, expect: z.string() }),
  reply: z.object({ ...work, held: z.boolean().optional() }),
  speak: z.object({ ...work, clause: z.number().int().nonnegative() }),
} as const;

export type Job<Q extends QueueName = QueueName> = z.infer<(typeof JOBS)[Q]>;
export type ListenJob = Job<'listen'>;
export type ReplyJob = Job<'reply'>;
export type SpeakJob = Job<'speak'>;

/** A job without its version fields. */
export type NewJob<Q extends QueueName> = Omit<Job<Q>, 'v' | 'minReader'>;

/** Adds the version fields. Jobs carry ids, a deadline and trace context; never what was said. */
export const stampJob = <T extends object>(job: T): T & { v: number; minReader: number } => ({
  v: LOG_VERSION,
  minReader: LOG_VERSION,
  ...job,
});

export function decodeJob<Q extends QueueName>(queue: Q, data: unknown): Decoded<Job<Q>> {
  const parsed = JOBS[queue].safeParse(data);
  if (!parsed.success) return { ok: false, reason: 'malformed' };
  if (parsed.data.minReader > LOG_VERSION) return { ok: false, reason: 'newer' };
  return { ok: true, value: parsed.data as Job<Q> };
}

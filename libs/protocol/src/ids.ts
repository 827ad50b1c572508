import { z } from 'zod';

/** One client's conversation: 22 URL-safe characters, unguessable. Never contains `:`, `.`, `{` or `}`. */
export type SessionId = string;

/** Position in the session's event log, `<epoch>-<seq>`: Redis stream ids, rising within a session. */
export type EventId = string;

export const EventIdSchema = z.string().regex(/^\d+-\d+$/);

/** The identity of what is said: turn (from 1) and attempt (from 0) at answering it. */
export interface Reply {
  readonly turn: number;
  readonly attempt: number;
}

/** A piece of work that one worker may claim: a whole reply, or one clause of it to be spoken. */
export type WorkRef =
  | { readonly stage: 'reply'; readonly turn: number; readonly attempt: number }
  | { readonly stage: 'speak'; readonly turn: number; readonly attempt: number; readonly clause: number };

export const isSessionId = (value: string): boolean => /^[A-Za-z0-9_-]{8,64}$/.test(value);

/** `turn.attempt`, as used in keys of maps and in the `out` stream. */
export const replyKey = (reply: Reply): string => `${reply.turn}.${reply.attempt}`;

export const sameReply = (a: Reply | undefined, b: Reply | undefined): boolean =>
  a !== undefined && b !== undefined && a.turn === b.turn && a.attempt === b.attempt;

/** Field of a work item in the session's work hash: `reply.<turn>.<attempt>` or `speak.<turn>.<attempt>.<clause>`. */
export const workKey = (ref: WorkRef): string =>
  ref.stage === 'reply' ? `reply.${ref.turn}.${ref.attempt}` : `speak.${ref.turn}.${ref.attempt}.${ref.clause}`;

/** Inverse of {@link workKey}; undefined for anything else. */
export function parseWorkKey(key: string): WorkRef | undefined {
  const match = /^(reply|speak)\.(\d+)\.(\d+)(?:\.(\d+))?$/.exec(key);
  if (!match) return undefined;
  const turn = Number(match[2]);
  const attempt = Number(match[3]);
  if (match[1] === 'reply') return match[4] === undefined ? { stage: 'reply', turn, attempt } : undefined;
  return match[4] === undefined ? undefined : { stage: 'speak', turn, attempt, clause: Number(match[4]) };
}

/** Compares two event ids by epoch, then sequence: negative, zero or positive. */
export function compareEventIds(a: EventId, b: EventId): number {
  const [aEpoch, aSeq] = splitEventId(a);
  const [bEpoch, bSeq] = splitEventId(b);
  return aEpoch - bEpoch || aSeq - bSeq;
}

/** Epoch and sequence of an event id. */
export function splitEventId(id: EventId): [epoch: number, seq: number] {
  const dash = id.indexOf('-');
  return [Number(id.slice(0, dash)), Number(id.slice(dash + 1))];
}

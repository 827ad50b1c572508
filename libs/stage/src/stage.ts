import type { AppendRequest } from '@parley/bus';
import type { HistoryMessage, NewEvent, SessionId, Settings, WorkRef } from '@parley/protocol';
import type { Logger } from '@parley/runtime';

/** Queues whose jobs are pieces of work to be claimed; `listen` offers a lease instead. */
export type WorkQueueName = WorkRef['stage'];

/** Work of one queue. */
export type RefOf<Q extends WorkQueueName> = Extract<WorkRef, { readonly stage: Q }>;

type WorkAppend = Extract<AppendRequest, { readonly holder: { readonly kind: 'work' } }>;

/** What a worker has to say about its work, and how far that brings it. All of it is written, or nothing. */
export interface WorkProgress {
  /** Written with the work's trace unless they carry one of their own. */
  readonly events?: readonly NewEvent[];
  /** Where another worker would go on from here. */
  readonly resumeAt?: number;
  /** Speech of the claimed clause. */
  readonly pcm?: NonNullable<WorkAppend['pcm']>;
  /** The work is complete; nothing can be appended after this. */
  readonly done?: boolean;
}

/** What a stage's handler gets for one piece of claimed work. */
export interface WorkContext<Q extends WorkQueueName = WorkQueueName> {
  readonly session: SessionId;
  readonly ref: RefOf<Q>;
  /** This is the n-th offer of the same work. */
  readonly try: number;
  readonly fence: string;
  /** JSON as the owner wrote it; the stage knows its schema. */
  readonly input: string;
  /** The newest messages of the session, as many as the stage asks for, as they were when the work was claimed. */
  readonly history: readonly HistoryMessage[];
  /** How far earlier tries got, in the stage's own unit; 0 at the start. */
  readonly resumeAt: number;
  readonly settings: Settings;
  /** Redis TIME (ms) by which the result is wanted. */
  readonly deadlineMs: number;
  /** The reply is speculative at this moment: its events are to be flagged so. False once its owner has released it. */
  readonly held: boolean;
  /** Resolves when the reply is not held (any more): what has effects outside waits for it. */
  readonly released: Promise<void>;
  /** Aborts with a `WorkAborted` when the work is to stop. */
  readonly signal: AbortSignal;
  readonly logger: Logger;
  /** `traceparent` of this work's span. */
  readonly trace: string | undefined;
  /**
   * Writes progress under the claim, one write after the other in the order of the calls. A refusal aborts the signal
   * and throws its `WorkAborted`; while Redis is away it is tried again for some seconds, without ever being written
   * twice, and then throws `bus_unavailable`.
   */
  append(progress: WorkProgress): Promise<void>;
}

/** One step of the pipeline: takes work of one queue, and says what became of it by appending. */
export interface Stage<Q extends WorkQueueName = WorkQueueName> {
  readonly queue: Q;
  readonly name: 'llm' | 'tts';
  /** Pieces of work done at a time. */
  readonly slots: number;
  /** Messages of the session's history that come with each claim (default none). */
  readonly historyMessages?: number;
  /**
   * Does one piece of work; returns when `done` has been appended. A `VoiceError` fails the work with its code; anything
   * else thrown fails it as `internal`. When the signal aborts it returns or throws, soon, and whatever it throws then
   * is no failure.
   */
  handle(work: WorkContext<Q>): Promise<void>;
}

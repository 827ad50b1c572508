import type { Job, NewJob, QueueName } from '@parley/protocol';

/** Offers of work. A queue only proposes; the session's own keys decide who does what. */
export interface WorkQueue<Q extends QueueName> {
  /** The same id twice is one job while the first is known. The earlier a job's deadline, the sooner it is taken. */
  offer(id: string, job: NewJob<Q>): Promise<void>;
  /** Removes offers that nobody has taken yet; unknown ids are no fault. */
  remove(ids: readonly string[]): Promise<void>;
  /** Offers waiting to be taken. */
  depth(): Promise<number>;
  /**
   * Takes jobs, at most `slots` at a time. A job is finished when the handler's promise settles: it is an offer, so a
   * handler that throws is logged and the job is finished all the same. Malformed jobs are dropped and counted, those
   * for newer readers are put back for a while.
   */
  take(options: {
    slots: number;
    handler: (job: Job<Q>, info: { queuedMs: number }) => Promise<void>;
  }): Promise<WorkTaker>;
}

export interface WorkTaker {
  /** Takes no further job until resumed; running handlers go on. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Takes nothing more; resolves when running handlers have finished, or after `timeoutMs` (default 5 000). */
  close(timeoutMs?: number): Promise<void>;
}

export interface WorkQueues {
  readonly listen: WorkQueue<'listen'>;
  readonly reply: WorkQueue<'reply'>;
  readonly speak: WorkQueue<'speak'>;
}

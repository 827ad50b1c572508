import type { Bus, Claim } from '@parley/bus';
import {
  type HistoryMessage,
  type Job,
  type NewEvent,
  type SessionId,
  type Settings,
  VoiceError,
} from '@parley/protocol';
import { backoff, type Clock, type Logger } from '@parley/runtime';
import { type AbortReason, WorkAborted } from './outcome.ts';
import type { RefOf, WorkContext, WorkProgress, WorkQueueName } from './stage.ts';

/** How long a write is tried again while Redis is away. */
const WRITE_LIMIT_MS = 10_000;

const ABORT_OF_REFUSAL = { CANCELLED: 'cancelled', FENCED: 'fenced', CLOSED: 'closed', NOTOWNER: 'fenced' } as const;

export interface WorkParts<Q extends WorkQueueName> {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly job: Job<Q>;
  readonly ref: RefOf<Q>;
  readonly claim: Claim;
  readonly trace: string | undefined;
  /** Called after every write of the handler. */
  onResult(): void;
  onRefusedWrite(refusal: keyof typeof ABORT_OF_REFUSAL): void;
  onRepeatedWrite(): void;
}

/** One piece of claimed work: what its handler sees of it, and the means to stop it. */
export class ClaimedWork<Q extends WorkQueueName> implements WorkContext<Q> {
  readonly session: SessionId;
  readonly ref: RefOf<Q>;
  readonly try: number;
  readonly fence: string;
  readonly input: string;
  readonly history: readonly HistoryMessage[];
  readonly resumeAt: number;
  readonly settings: Settings;
  readonly deadlineMs: number;
  readonly released: Promise<void>;
  readonly logger: Logger;
  readonly trace: string | undefined;
  readonly #parts: WorkParts<Q>;
  readonly #abort = new AbortController();
  #writes: Promise<void> = Promise.resolve();
  #writeCount = 0;
  #done = false;
  #cancelledAtMs: number | undefined;
  #held: boolean;
  #release: () => void = () => undefined;

  constructor(parts: WorkParts<Q>) {
    const { job, claim, ref } = parts;
    this.session = job.session;
    this.ref = ref;
    this.try = job.try;
    this.fence = claim.fence;
    this.input = claim.input;
    this.history = claim.history;
    this.resumeAt = claim.resumeAt;
    this.settings = claim.settings;
    this.deadlineMs = job.deadlineMs;
    this.#held = 'held' in job && job.held === true;
    this.released = new Promise((resolve) => {
      this.#release = resolve;
    });
    if (!this.#held) this.#release();
    this.logger = parts.logger;
    this.trace = parts.trace;
    this.#parts = parts;
  }

  get held(): boolean {
    return this.#held;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** `done` has been appended. */
  get isDone(): boolean {
    return this.#done;
  }

  /** Stops the work, unless it has been stopped before. */
  abort(reason: AbortReason): void {
    if (!this.signal.aborted) this.#abort.abort(new WorkAborted(reason));
  }

  /** The owner has cancelled the reply, at this Redis TIME if it told. */
  cancel(atMs?: number): void {
    this.#cancelledAtMs ??= atMs;
    this.abort('cancelled');
  }

  /** When the cancel was decided that stopped this work; Redis TIME. */
  get cancelledAtMs(): number | undefined {
    return this.#cancelledAtMs;
  }

  /** The owner has released the reply. */
  release(): void {
    this.#held = false;
    this.#release();
  }

  append(progress: WorkProgress): Promise<void> {
    // The chain is the caller's own promise: after a failed write, those that wait behind it fail with it.
    this.#writes = this.#writes.then(async () => {
      await this.#write(progress, WRITE_LIMIT_MS, this.signal);
      this.#parts.onResult();
    });
    return this.#writes;
  }

  /** Writes a last event when the handler's writes are over, whether or not the work has been stopped. */
  async appendLast(event: NewEvent, limitMs: number): Promise<void> {
    await this.#writes.catch(() => undefined);
    await this.#write({ events: [event] }, limitMs);
  }

  async #write(progress: WorkProgress, limitMs: number, signal?: AbortSignal): Promise<void> {
    const { clock, onRepeatedWrite } = this.#parts;
    const giveUpAtMs = clock.nowMs() + limitMs;
    const waits = backoff({ initialMs: 20, maxMs: 500 });
    // A write that was not answered may have been done all the same; the token lets it be done once.
    this.#writeCount += 1;
    const once = String(this.#writeCount);
    for (;;) {
      signal?.throwIfAborted();
      try {
        return await this.#writeOnce(progress, once);
      } catch (error) {
        if (!(error instanceof VoiceError) || error.code !== 'bus_unavailable') throw error;
        const waitMs = waits.next();
        if (clock.nowMs() + waitMs >= giveUpAtMs) throw error;
        await clock.sleep(waitMs, signal);
        onRepeatedWrite();
      }
    }
  }

  async #writeOnce({ events = [], ...cursors }: WorkProgress, once: string): Promise<void> {
    const { bus, onRefusedWrite } = this.#parts;
    const written = await bus.sessions.append({
      session: this.session,
      holder: { kind: 'work', ref: this.ref, fence: this.fence },
      events: events.map((event) => ({ trace: this.trace, ...event }) as NewEvent),
      once,
      ...cursors,
    });
    if (!written.ok) {
      const reason = ABORT_OF_REFUSAL[written.refusal];
      onRefusedWrite(written.refusal);
      this.abort(reason);
      throw new WorkAborted(reason);
    }
    this.#done ||= cursors.done === true;
  }
}

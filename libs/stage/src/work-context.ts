import type { Bus, Claim } from '@parley/bus';
import {
  type EventId,
  type Job,
  type NewEvent,
  type SessionEvent,
  type SessionId,
  type Settings,
  VoiceError,
  workKey,
} from '@parley/protocol';
import { backoff, type Clock, type Logger } from '@parley/runtime';
import { type AbortReason, WorkAborted } from './outcome.ts';
import type { RefOf, WorkContext, WorkProgress, WorkQueueName } from './stage.ts';

/** How long a write is tried again while Redis is away. */
const WRITE_LIMIT_MS = 10_000;
/** How many events of the log are looked through at a time. */
const LOG_PAGE = 1_000;

const ABORT_OF_REFUSAL = { CANCELLED: 'cancelled', FENCED: 'fenced', CLOSED: 'closed', NOTOWNER: 'fenced' } as const;

export interface WorkParts<Q extends WorkQueueName> {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly job: Job<Q>;
  readonly ref: RefOf<Q>;
  readonly claim: Claim;
  readonly trace: string | undefined;
  onFirstResult(): void;
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
  readonly resumeAt: number;
  readonly settings: Settings;
  readonly deadlineMs: number;
  readonly held: boolean;
  readonly logger: Logger;
  readonly trace: string | undefined;
  readonly #parts: WorkParts<Q>;
  readonly #abort = new AbortController();
  #writes: Promise<void> = Promise.resolve();
  #reached: number;
  #lastEvent: EventId | undefined;
  #done = false;

  constructor(parts: WorkParts<Q>) {
    const { job, claim, ref } = parts;
    this.session = job.session;
    this.ref = ref;
    this.try = job.try;
    this.fence = claim.fence;
    this.input = claim.input;
    this.resumeAt = claim.resumeAt;
    this.settings = claim.settings;
    this.deadlineMs = job.deadlineMs;
    this.held = 'held' in job && job.held === true;
    this.logger = parts.logger;
    this.trace = parts.trace;
    this.#parts = parts;
    this.#reached = claim.resumeAt;
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

  append(progress: WorkProgress): Promise<void> {
    // The chain is the caller's own promise: after a failed write, those that wait behind it fail with it.
    this.#writes = this.#writes.then(() => this.#write(progress, WRITE_LIMIT_MS, this.signal));
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
    for (let attempt = 1; ; attempt += 1) {
      signal?.throwIfAborted();
      try {
        // A write that was not answered may have been done all the same.
        if (attempt === 1 || !(await this.#isWritten(progress))) await this.#writeOnce(progress);
        break;
      } catch (error) {
        if (!(error instanceof VoiceError) || error.code !== 'bus_unavailable') throw error;
        const waitMs = waits.next();
        if (clock.nowMs() + waitMs >= giveUpAtMs) throw error;
        await clock.sleep(waitMs, signal);
        onRepeatedWrite();
      }
    }
    this.#reached = Math.max(this.#reached, progress.resumeAt ?? 0);
    this.#done ||= progress.done === true;
  }

  async #writeOnce({ events = [], ...cursors }: WorkProgress): Promise<void> {
    const { bus, onFirstResult } = this.#parts;
    const written = await bus.sessions.append({
      session: this.session,
      holder: { kind: 'work', ref: this.ref, fence: this.fence },
      events: events.map((event) => ({ trace: this.trace, ...event }) as NewEvent),
      ...cursors,
    });
    if (!written.ok) {
      this.#parts.onRefusedWrite(written.refusal);
      this.#refuse(ABORT_OF_REFUSAL[written.refusal]);
    }
    this.#lastEvent = written.ids.at(-1) ?? this.#lastEvent;
    onFirstResult();
  }

  #refuse(reason: AbortReason): never {
    this.abort(reason);
    throw new WorkAborted(reason);
  }

  /** Finds out whether an unanswered write was done, by the cursor it moves or, where it moves none, by its events. */
  async #isWritten(progress: WorkProgress): Promise<boolean> {
    const found = await this.#parts.bus.registry.inspect(this.session);
    if (found === undefined) this.#refuse('closed');
    const item = found.work.find(({ key }) => key === workKey(this.ref));
    if (item === undefined || item.cancelled) this.#refuse('cancelled');
    if (item.fence !== this.fence) this.#refuse('fenced');
    const movesCursor = progress.resumeAt !== undefined && progress.resumeAt > this.#reached;
    const isBehind = progress.done ? !item.done : movesCursor && item.resumeAt < (progress.resumeAt ?? 0);
    if (isBehind) return false;
    const event = progress.events?.at(-1);
    const isInLog = event !== undefined && (await this.#isInLog(event));
    return isInLog || progress.done === true || movesCursor;
  }

  /**
   * Looks for an event after the last one known to be written. The span of this work is its own, so that the same event
   * of an earlier try is told apart.
   */
  async #isInLog(event: NewEvent): Promise<boolean> {
    const trace = event.trace ?? this.trace;
    let after: EventId = this.#lastEvent ?? '0-0';
    for (;;) {
      const page = await this.#parts.bus.log.read(this.session, after, LOG_PAGE);
      const found = page.findLast(
        (other) => other.type === event.type && other.trace === trace && isOfWork(other, this.ref),
      );
      this.#lastEvent = found?.id ?? this.#lastEvent;
      if (found !== undefined) return true;
      const last = page.at(-1);
      if (last === undefined) return false;
      after = last.id;
    }
  }
}

function isOfWork(event: SessionEvent, { turn, attempt }: RefOf<WorkQueueName>): boolean {
  return 'attempt' in event && event.turn === turn && event.attempt === attempt;
}

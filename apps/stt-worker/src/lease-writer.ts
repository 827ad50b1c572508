import { isDeepStrictEqual } from 'node:util';
import type { Bus } from '@parley/bus';
import { type HearingState, type NewEvent, type SessionId, VoiceError } from '@parley/protocol';
import { backoff, type Clock } from '@parley/runtime';
import type { SttMetrics } from './metrics.ts';

/** What Redis holds of the hearing of a session, as last written. */
export interface Durable {
  readonly cursor: number;
  readonly hearing: HearingState;
}

/** Events, and where hearing stands with them. */
export interface Entry extends Durable {
  readonly events: readonly NewEvent[];
}

/** Makes an entry from what is durable when its turn comes; undefined when there is nothing to write after all. */
export type Write = (durable: Durable) => Entry | undefined | Promise<Entry | undefined>;

/** Why nothing more can be written. */
export type LeaseEnd = 'fenced' | 'closed';

export interface LeaseWriterOptions {
  readonly bus: Bus;
  readonly session: SessionId;
  readonly fence: string;
  readonly durable: Durable;
  readonly clock: Clock;
  readonly metrics: SttMetrics;
  /** The session refused a write: somebody else hears it, or it is over. Nothing is written afterwards. */
  onLost(reason: LeaseEnd): void;
  /** A write could not be made, its text for instance not be recognised. Only `writeLast` works afterwards. */
  onFailure(error: unknown): void;
}

interface Queued {
  readonly write: Write;
  /** Left out, not repeated, when Redis does not answer; and replaced by a newer one that follows at once. */
  readonly isTransient: boolean;
}

/**
 * Writes the events of one lease, one after the other in the order in which they were decided, each in one step with the
 * cursor. While Redis is away it waits and repeats; where the answer was lost it looks first whether the write was done,
 * so that nothing is lost and nothing is said twice. It holds what it is given: whoever decides must look at `size`.
 */
export class LeaseWriter {
  readonly #options: LeaseWriterOptions;
  readonly #queue: Queued[] = [];
  readonly #stopped = new AbortController();
  #durable: Durable;
  #writes = 0;
  #pump: Promise<void> | undefined;
  /** The append under way. */
  #appending: Promise<void> = Promise.resolve();
  #state: 'open' | 'failed' | 'ended' = 'open';

  constructor(options: LeaseWriterOptions) {
    this.#options = options;
    this.#durable = options.durable;
  }

  get durable(): Durable {
    return this.#durable;
  }

  /** Writes that wait. */
  get size(): number {
    return this.#queue.length;
  }

  /** Writes done so far. */
  get writes(): number {
    return this.#writes;
  }

  push(write: Write): void {
    this.#enqueue({ write, isTransient: false });
  }

  /** For what the next one makes obsolete. */
  pushTransient(write: Write): void {
    if (this.#queue.length > 1 && this.#queue.at(-1)?.isTransient) this.#queue.pop();
    this.#enqueue({ write, isTransient: true });
  }

  /** Writes one event after a failure, instead of everything that still waits. */
  async writeLast(event: NewEvent): Promise<void> {
    if (this.#state === 'ended') return;
    this.#state = 'failed';
    this.#queue.length = 0;
    await this.#appending.catch(() => undefined);
    // The lease may have been lost by the write that was under way.
    if (!this.#stopped.signal.aborted) await this.#append({ ...this.#durable, events: [event] }, false);
  }

  /** Resolves when nothing waits any more. */
  async idle(): Promise<void> {
    await this.#pump;
  }

  /** Writes nothing more. */
  stop(): void {
    this.#state = 'ended';
    this.#queue.length = 0;
    this.#stopped.abort(new VoiceError('closed'));
  }

  #enqueue(queued: Queued): void {
    if (this.#state !== 'open') return;
    this.#queue.push(queued);
    this.#pump ??= this.#run().finally(() => {
      this.#pump = undefined;
    });
  }

  async #run(): Promise<void> {
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      try {
        const entry = await next.write(this.#durable);
        if (this.#state !== 'open') return;
        if (entry !== undefined) {
          this.#appending = this.#append(entry, next.isTransient);
          await this.#appending;
        }
      } catch (error) {
        if (this.#state !== 'open') return;
        this.#state = 'failed';
        this.#queue.length = 0;
        return this.#options.onFailure(error);
      }
      if (this.#queue[0] === next) this.#queue.shift();
    }
  }

  async #append(entry: Entry, isTransient: boolean): Promise<void> {
    const { bus, session, fence, metrics, clock } = this.#options;
    const { events, cursor, hearing } = entry;
    const waits = backoff({ initialMs: 30, maxMs: 300 });
    const holder = { kind: 'listener', fence } as const;
    for (;;) {
      try {
        const result = await bus.sessions.append({ session, events, holder, audioCursor: cursor, hearing });
        if (!result.ok) return this.#lose(result.refusal === 'CLOSED' ? 'closed' : 'fenced');
        metrics.writes.inc({ outcome: 'done' });
        this.#writes += 1;
        this.#durable = { cursor, hearing };
        return;
      } catch (error) {
        if (!isUnavailable(error)) throw error;
        if (isTransient) return metrics.writes.inc({ outcome: 'dropped' });
      }
      // What came of it is not known. Nothing is sent before that is.
      const found = await this.#inspect(() => waits.next());
      if (this.#stopped.signal.aborted) return;
      if (found === 'gone') return this.#lose('closed');
      if (found.fence !== fence) return this.#lose('fenced');
      const isNews = !isDeepStrictEqual({ cursor, hearing }, this.#durable);
      if (
        isNews &&
        isDeepStrictEqual({ cursor: found.cursor, hearing: found.hearing }, asStored({ cursor, hearing }))
      ) {
        metrics.writes.inc({ outcome: 'found' });
        this.#durable = { cursor, hearing };
        return;
      }
      metrics.writes.inc({ outcome: 'repeated' });
      await clock.sleep(waits.next(), this.#stopped.signal);
    }
  }

  async #inspect(nextWaitMs: () => number): Promise<(Durable & { fence: string | undefined }) | 'gone'> {
    const { bus, session, clock } = this.#options;
    for (;;) {
      await clock.sleep(nextWaitMs(), this.#stopped.signal);
      try {
        const found = await bus.registry.inspect(session);
        if (found === undefined) return 'gone';
        return { cursor: found.audioCursor, hearing: found.hearing, fence: found.listener?.fence };
      } catch (error) {
        if (!isUnavailable(error)) throw error;
      }
    }
  }

  #lose(reason: LeaseEnd): void {
    if (this.#state === 'ended') return;
    this.stop();
    this.#options.onLost(reason);
  }
}

function isUnavailable(error: unknown): boolean {
  return error instanceof VoiceError && error.code === 'bus_unavailable';
}

/** As it is read again: fields without a value are not there. */
const asStored = (durable: Durable): unknown => JSON.parse(JSON.stringify(durable));

import type { Bus, CommitRequest } from '@parley/bus';
import { compareEventIds, type EventId, type SessionId, splitEventId, VoiceError } from '@parley/protocol';
import type { Clock } from '@parley/runtime';
import type { GatewayMetrics } from './metrics.ts';
import { type Outbox, outboxEntry } from './outbox.ts';
import { type Decisions, mustCommit, type TurnState } from './turn-machine/index.ts';

/** A commit is made after this many events even if they decide nothing, so that a successor has little to replay. */
const MAX_UNCOMMITTED_EVENTS = 100;
/** Outbox entries that have reached their queue are forgotten after this time, if no commit does so before. */
const OUTBOX_DONE_AFTER_MS = 250;
/** Events kept in the log though nobody needs them any more, for who looks into what happened. */
const KEPT_EVENTS = 256;
/** A commit that Redis was not there for is tried again after this time. */
const RETRY_MS = 100;

/** What must stay in Redis for the client that is connected, or for the owner's successor. */
export interface Needed {
  /** The client needs no event up to here again. */
  readonly acknowledged: EventId;
  /** Oldest entry of reply audio that may still be played; undefined when none is known. */
  readonly oldestAudio: string | undefined;
}

export interface CommitterOptions {
  readonly session: SessionId;
  readonly epoch: number;
  /** Cursor of the last commit made, by whoever owned the session then. */
  readonly cursor: EventId;
  readonly bus: Pick<Bus, 'sessions' | 'registry' | 'process'>;
  readonly clock: Clock;
  readonly outbox: Pick<Outbox, 'add' | 'takeDone' | 'hasDone'>;
  readonly metrics: Pick<GatewayMetrics, 'commits'>;
  /** Redis refused a commit: somebody else owns the session, it is closed, or its state is not the one we know. */
  readonly onRefused: (refusal: string) => void;
}

/**
 * Writes what an owner decided: one commit at a time, each on top of the one before, and the offers that follow from it.
 * Knows when a commit is due.
 */
export class Committer {
  readonly #options: CommitterOptions;
  #cursor: EventId;
  #lastCommitMs: number;
  #uncommitted = 0;
  #closed = false;

  constructor(options: CommitterOptions) {
    this.#options = options;
    this.#cursor = options.cursor;
    this.#lastCommitMs = options.clock.nowMs();
  }

  /** Cursor of the last commit. */
  get cursor(): EventId {
    return this.#cursor;
  }

  /** An event was folded into the state. */
  folded(): void {
    this.#uncommitted += 1;
  }

  /** Whether to commit what was decided, or the state alone. */
  isDue(decide: Decisions, nowMs: number): boolean {
    return mustCommit(decide) || this.#uncommitted >= MAX_UNCOMMITTED_EVENTS || this.hasStaleOffers(nowMs);
  }

  /** Redis still keeps offers that reached their queues a while ago. */
  hasStaleOffers(nowMs: number): boolean {
    return this.#options.outbox.hasDone && nowMs - this.#lastCommitMs >= OUTBOX_DONE_AFTER_MS;
  }

  /** Resolves once the commit is made, refused or, after `close`, given up. Goes on trying while Redis is away. */
  async commit(state: TurnState, decide: Decisions, needed: Needed): Promise<void> {
    const { session, bus, clock, outbox, metrics, onRefused } = this.#options;
    const entries = decide.commands.map((command) => outboxEntry(session, command));
    const request = this.#request(state, decide, entries, needed);
    const startedMs = clock.nowMs();
    for (let ambiguous = false; !this.#closed; ambiguous = true) {
      try {
        const committing = bus.sessions.commit(request);
        // Offers follow close behind: without the commit nobody is granted what they propose.
        if (!ambiguous) outbox.add(entries);
        const result = await committing;
        const applied = result.ok || (ambiguous && result.refusal === 'CURSOR' && (await this.#wasApplied(request)));
        if (!applied) {
          if (!result.ok) onRefused(result.refusal);
          return;
        }
        break;
      } catch (reason) {
        if (VoiceError.from(reason).code !== 'bus_unavailable') throw reason;
        await clock.sleep(RETRY_MS);
      }
    }
    if (this.#closed) return;
    this.#cursor = request.cursor;
    this.#uncommitted = 0;
    this.#lastCommitMs = clock.nowMs();
    metrics.commits.observe((this.#lastCommitMs - startedMs) / 1_000);
  }

  /** Nothing more is written; a commit that waits for Redis is given up. */
  close(): void {
    this.#closed = true;
  }

  #request(
    state: TurnState,
    { work, events, history, settings, skipTo }: Decisions,
    entries: [string, string][],
    { acknowledged, oldestAudio }: Needed,
  ): CommitRequest {
    const { session, epoch, outbox } = this.#options;
    const cursor = state.lastEvent === '0-0' ? this.#cursor : state.lastEvent;
    const trimEvents = trimPoint(compareEventIds(acknowledged, cursor) < 0 ? acknowledged : cursor);
    return {
      session,
      epoch,
      expectedCursor: this.#cursor,
      cursor,
      state: JSON.stringify(state),
      generation: state.generation,
      events,
      history,
      work: {
        create: work.create,
        cancel: work.cancel,
        raiseTry: work.raiseTry,
        ...(work.dropTurnsBefore > 0 ? { dropTurnsBefore: work.dropTurnsBefore } : {}),
      },
      outbox: Object.fromEntries(entries),
      outboxDone: outbox.takeDone(),
      close: state.closed,
      ...(settings ? { settings } : {}),
      ...(skipTo ? skipTo : {}),
      ...(trimEvents === undefined ? {} : { trimEvents }),
      ...(oldestAudio === undefined ? {} : { trimOut: oldestAudio }),
    };
  }

  /** Whether a commit whose answer was lost had been made. */
  async #wasApplied({ session, epoch, cursor }: CommitRequest): Promise<boolean> {
    const { bus } = this.#options;
    const found = await bus.registry.inspect(session);
    return found?.epoch === epoch && found.owner.id === bus.process.id && found.eventCursor === cursor;
  }
}

/** Oldest event to keep where everything up to `needless` could go. */
function trimPoint(needless: EventId): EventId | undefined {
  const [epoch, seq] = splitEventId(needless);
  return seq > KEPT_EVENTS ? `${epoch}-${seq - KEPT_EVENTS}` : undefined;
}

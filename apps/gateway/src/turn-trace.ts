import { type Reply, type SessionEvent, type SessionId, sameReply } from '@parley/protocol';
import { type Attributes, recordSpan } from '@parley/runtime';
import type { TurnState } from './turn-machine/index.ts';

/** Turns whose root is still to be recorded; the oldest is recorded early beyond it. */
const MAX_OPEN_TURNS = 4;

/** A turn under way, by the trace that began with it. */
interface OpenTurn {
  readonly trace: string;
  readonly startMs: number;
  /** The latest reply of the turn. */
  reply: Reply | undefined;
  /** Some of it has been played. */
  heard: boolean;
  sentMs: number | undefined;
  /** The root is recorded by one that saw the beginning; a successor says that it did not. */
  readonly takenOver: boolean;
}

/**
 * The owner's spans in the trace of a turn: the root `turn`, `first send`, and `playing`. The root takes the identity that
 * was given out at the turn's first sample of speech or with its typed text, and is recorded when nothing of the turn is
 * left to be said, whoever owns the session by then. All times are Redis TIME.
 */
export class TurnTrace {
  readonly #session: SessionId;
  readonly #open = new Map<string, OpenTurn>();
  /** The turn that was closed last, to which a further attempt at it is linked. */
  #closed: { readonly trace: string; readonly turn: number | undefined } | undefined;

  constructor(session: SessionId) {
    this.#session = session;
  }

  /** The user is done; the turn began at `startMs`. */
  decided({ trace, at }: SessionEvent, startMs: number): void {
    if (trace !== undefined) this.#add(trace, startMs, false);
    for (const turn of this.#open.values()) {
      if (this.#open.size > MAX_OPEN_TURNS) this.#record(turn, at, 'forgotten');
    }
  }

  /** Follows the state after an event: a turn ends with the last of its replies. */
  follow(event: SessionEvent, state: TurnState): void {
    const { reply, speculative, resumable } = state;
    if (reply?.trace !== undefined && !reply.held && !this.#open.has(reply.trace)) {
      this.#add(reply.trace, reply.decidedAt, true);
    }
    if (this.#open.size === 0) return;
    const current = [reply, speculative, resumable?.reply ?? null];
    for (const open of this.#open.values()) {
      const own = current.find((candidate) => candidate?.trace === open.trace);
      if (own) {
        open.reply = { turn: own.turn, attempt: own.attempt };
        open.heard ||= own.played > 0;
      }
      if (!own || state.closed) this.#record(open, event.at, outcomeOf(open, state));
    }
  }

  /** The first audio of a reply was handed to the socket; it had been there, and free to be heard, since `readyMs`. */
  sent(
    { trace, turn, attempt }: Reply & { readonly trace: string | undefined },
    readyMs: number,
    sentMs: number,
  ): void {
    if (trace === undefined) return;
    const open = this.#open.get(trace);
    if (open) open.sentMs ??= sentMs;
    recordSpan('first send', { parent: trace, attributes: this.#attributes(turn, attempt), startMs: readyMs }, sentMs);
  }

  #add(trace: string, startMs: number, takenOver: boolean): void {
    this.#open.set(trace, { trace, startMs, takenOver, reply: undefined, heard: false, sentMs: undefined });
  }

  #record(open: OpenTurn, endMs: number, outcome: string): void {
    const { trace, reply, sentMs, startMs, takenOver } = open;
    const turn = reply?.turn;
    this.#open.delete(trace);
    if (sentMs !== undefined) {
      recordSpan('playing', { parent: trace, attributes: this.#attributes(turn), startMs: sentMs }, endMs);
    }
    const isFurther = turn !== undefined && this.#closed?.turn === turn;
    const links = isFurther && this.#closed ? [this.#closed.trace] : [];
    const attributes = {
      ...this.#attributes(turn),
      'parley.outcome': outcome,
      ...(takenOver ? { 'parley.taken_over': true } : {}),
    };
    recordSpan('turn', { root: trace, kind: 'server', attributes, links, startMs }, endMs);
    this.#closed = { trace, turn };
  }

  #attributes(turn: number | undefined, attempt?: number): Attributes {
    return {
      'parley.session': this.#session,
      ...(turn === undefined ? {} : { 'parley.turn': turn }),
      ...(attempt === undefined ? {} : { 'parley.attempt': attempt }),
    };
  }
}

function outcomeOf({ reply, heard, sentMs }: OpenTurn, { stopped, closed }: TurnState): string {
  if (!reply) return 'unanswered';
  if (closed) return 'closed';
  if (stopped.some((stop) => sameReply(stop, reply))) return 'interrupted';
  return heard || sentMs !== undefined ? 'played' : 'unsaid';
}

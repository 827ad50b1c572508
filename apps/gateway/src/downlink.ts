import type { SessionLog } from '@parley/bus';
import { compareEventIds, type EventId, type SessionEvent, type SessionId, type VoiceError } from '@parley/protocol';
import type { ClientLink } from './client-link.ts';
import { inShownOrder, isShown, shownFrom, type TurnState, turnOf } from './turn-machine/index.ts';

/** The log holds no more. */
const MAX_MISSED_EVENTS = 10_000;

/** The events of a session on their way to its client, if one is there: each once, in order, and only what it is shown. */
export class Downlink {
  readonly #session: SessionId;
  readonly #log: Pick<SessionLog, 'firstId' | 'read'>;
  #link: ClientLink | undefined;
  /** The client has every visible event up to here. */
  #sentUpTo: EventId = '0-0';
  #acknowledged: EventId = '0-0';

  constructor(session: SessionId, log: Pick<SessionLog, 'firstId' | 'read'>) {
    this.#session = session;
    this.#log = log;
  }

  get link(): ClientLink | undefined {
    return this.#link;
  }

  /** The client needs no event up to here again. */
  get acknowledged(): EventId {
    return this.#acknowledged;
  }

  attach(link: ClientLink): void {
    this.#link = link;
  }

  /** The client has gone. Answers false where another has taken its place already. */
  detach(link: ClientLink): boolean {
    if (this.#link !== link) return false;
    this.#link = undefined;
    return true;
  }

  acknowledge(event: EventId): void {
    if (compareEventIds(event, this.#acknowledged) > 0) this.#acknowledged = event;
  }

  /**
   * Goes on after what a client that resumes has. Answers the events it lacks up to the committed cursor, for `forward`;
   * later ones come with the replay. Where the log does not reach back so far, it goes on after the cursor.
   */
  async resume(
    lastEvent: EventId | undefined,
    cursor: EventId,
    state: TurnState,
  ): Promise<readonly SessionEvent[] | 'trimmed'> {
    const missed = await this.#missed(lastEvent, cursor, state);
    this.#sentUpTo = missed === 'trimmed' ? cursor : (lastEvent ?? '0-0');
    return missed;
  }

  /** Sends an event of the log, unless the client has it or is not shown it. */
  forward(event: SessionEvent, state: TurnState): void {
    if (!this.#link || compareEventIds(event.id, this.#sentUpTo) <= 0) return;
    this.#sentUpTo = event.id;
    if (!isShown(state, event)) return;
    this.#link.event(event, turnOf(state, event), state.generation);
  }

  /** Tells the client why, and lets it go. */
  close(why: VoiceError): void {
    const link = this.#link;
    this.#link = undefined;
    link?.close(why);
  }

  async #missed(
    lastEvent: EventId | undefined,
    cursor: EventId,
    state: TurnState,
  ): Promise<SessionEvent[] | 'trimmed'> {
    const last = lastEvent ?? '0-0';
    if (compareEventIds(last, cursor) >= 0) return [];
    const first = await this.#log.firstId(this.#session);
    if (lastEvent !== undefined && first !== undefined && compareEventIds(last, first) < 0) return 'trimmed';
    const events = await this.#log.read(this.#session, shownFrom(state, last), MAX_MISSED_EVENTS);
    const settled = events.filter(({ id }) => compareEventIds(id, cursor) <= 0);
    return inShownOrder(state, settled);
  }
}

import {
  compareEventIds,
  type EventId,
  type NewEvent,
  type Reply,
  type SessionEvent,
  sameReply,
} from '@parley/protocol';
import type { TurnState } from './state.ts';

/**
 * A release on its way to the client. The release stands in the log behind what workers have written of the reply since it
 * was decided; the client is to see it first, and ids that only rise. So each place that the reply has in the log, from the
 * decision to the last event of the release, is given to the next in line: the release and what it repeats, then what came
 * between, in its order. There are as many places as there are in line.
 */
export interface Showing extends Reply {
  /** The event that decided the release. */
  readonly by: EventId;
  /** What the client is to see, in order. What workers write in between joins at the end. */
  readonly line: readonly NewEvent[];
  /** How many of the line have had their place. */
  readonly shown: number;
  /** Events of the release that are still to come by in the log; the first of them is the release itself. */
  readonly ownLeft: number;
  readonly isReleaseSeen: boolean;
}

/** Releases on their way, at most; several can be only where a log is replayed. */
const MAX_SHOWINGS = 16;

const TEXT_TYPES: ReadonlySet<NewEvent['type']> = new Set([
  'reply.released',
  'reply.delta',
  'reply.clause',
  'reply.done',
  'tool.call',
]);

/** The release with what it repeats; its first event is the release itself. */
export function beginShowing(state: TurnState, by: EventId, line: readonly NewEvent[]): readonly Showing[] {
  const [release] = line;
  const showings = state.showings ?? [];
  if (release?.type !== 'reply.released') return showings;
  const { turn, attempt } = release;
  const showing = { turn, attempt, by, line, shown: 0, ownLeft: line.length, isReleaseSeen: false };
  return [...showings, showing].slice(-MAX_SHOWINGS);
}

/** What the client is shown in the place of an event, before that is folded: mostly itself. */
export function shownAs(state: Pick<TurnState, 'showings'>, event: SessionEvent): SessionEvent {
  const showing = showingOf(state, event);
  const next = showing && pass(showing, event).line[showing.shown];
  return next ? ({ ...next, id: event.id, at: event.at } as SessionEvent) : event;
}

/** An event has had its place in the log. */
export function passShowing(state: TurnState, event: SessionEvent): TurnState {
  const showing = showingOf(state, event);
  if (!showing) return state;
  const next = pass(showing, event);
  const showings = (state.showings ?? []).flatMap((one) => (one !== showing ? [one] : next.ownLeft > 0 ? [next] : []));
  if (next.ownLeft > 0) return { ...state, showings };
  const released = state.released.map((one) => (sameReply(one, next) ? { ...one, until: event.id } : one));
  return { ...state, showings, released };
}

function showingOf({ showings }: Pick<TurnState, 'showings'>, event: SessionEvent): Showing | undefined {
  if (!showings || !TEXT_TYPES.has(event.type) || !('attempt' in event)) return undefined;
  const { turn = 0, attempt = 0, id } = event;
  return showings.find((one) => sameReply(one, { turn, attempt }) && compareEventIds(id, one.by) > 0);
}

function pass(showing: Showing, event: SessionEvent): Showing {
  const shown = showing.shown + 1;
  // The release and what it repeats are written in one step, so that nothing can stand between them.
  const isReleaseSeen = showing.isReleaseSeen || event.type === 'reply.released';
  if (isReleaseSeen) return { ...showing, shown, isReleaseSeen, ownLeft: showing.ownLeft - 1 };
  const { id: _, at: __, ...rest } = event;
  const { held: ___, ...free } = { held: false, ...rest };
  return { ...showing, shown, line: [...showing.line, free as NewEvent] };
}

/**
 * Events of the log up to the one folded last, as the client is shown them. `events` reaches back to `shownFrom`, at least,
 * for the releases that a client may have seen in part.
 */
export function inShownOrder(state: TurnState, events: readonly SessionEvent[]): SessionEvent[] {
  const order = [...events];
  for (const { turn, attempt, by, until } of state.released) {
    const open = state.showings?.find((one) => sameReply(one, { turn, attempt }));
    const end = until ?? (open ? state.lastEvent : undefined);
    if (end === undefined) continue;
    const places = order.flatMap((event, index) =>
      isOf(event, { turn, attempt }) && compareEventIds(event.id, by) > 0 && compareEventIds(event.id, end) <= 0
        ? [index]
        : [],
    );
    const found = places.flatMap((index) => order[index] ?? []);
    const release = found.findIndex(({ type }) => type === 'reply.released');
    const line: readonly NewEvent[] = open ? open.line : [...found.slice(release), ...found.slice(0, release)];
    places.forEach((index, place) => {
      const [event, next] = [order[index], line[place]];
      if (event && next) order[index] = { ...next, held: undefined, id: event.id, at: event.at } as SessionEvent;
    });
  }
  return order;
}

/** Where reading must begin for `inShownOrder` to know all that it must of what comes after `last`. */
export function shownFrom({ released, lastEvent }: TurnState, last: EventId): EventId {
  const around = released.filter(
    ({ by, until = lastEvent }) => compareEventIds(by, last) < 0 && compareEventIds(until, last) > 0,
  );
  return around.reduce((first, { by }) => (compareEventIds(by, first) < 0 ? by : first), last);
}

const isOf = (event: SessionEvent, reply: Reply): boolean =>
  TEXT_TYPES.has(event.type) &&
  'attempt' in event &&
  sameReply(reply, { turn: event.turn ?? 0, attempt: event.attempt ?? 0 });

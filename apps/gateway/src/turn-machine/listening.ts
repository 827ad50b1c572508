import { INITIAL_HEARING, INPUT_RATE_HZ, type SessionEvent, sameReply } from '@parley/protocol';
import { isAsideAlone, isBackchannel, MAX_BACKCHANNEL_MS, plainWords } from './backchannels.ts';
import { interrupt, reopensTurn } from './interrupting.ts';
import { discard, startReply } from './replying.ts';
import { resume } from './resuming.ts';
import { answers, discardIfOutdated, release, turnText } from './speculating.ts';
import { MAX_DEATHS, REMEMBERED_UTTERANCES, type TurnState, type UtteranceState } from './state.ts';
import type { Decisions, Transition } from './step.ts';

const msOf = (samples: number): number => (samples / INPUT_RATE_HZ) * 1_000;

/** Offers the session's audio to the pool of listeners, in place of the holder of `fence`. */
export function offerListening(state: TurnState, trace: string | undefined, decide: Decisions): TurnState {
  const number = state.listener.offers + 1;
  decide.commands.push({ queue: 'listen', number, expect: state.listener.fence, trace });
  return { ...state, listener: { ...state.listener, offers: number } };
}

export const onLeaseMoved: Transition<SessionEvent<'lease.moved'>> = (state, event) => ({
  ...state,
  listener: { ...state.listener, fence: event.fence, missing: false },
});

export const onLeaseOffered: Transition<SessionEvent<'lease.offered'>> = (state, event, decide) =>
  event.fence === state.listener.fence ? offerListening(state, event.trace, decide) : state;

/** The turn an utterance belongs to: the open one if nothing of its reply was heard yet, else the next. */
function turnOfNewUtterance(state: TurnState): number {
  if (state.reopened) return state.reopened.turn;
  if (state.reply && state.reply.played === 0 && reopensTurn(state.reply)) return state.reply.turn;
  return state.turn + 1;
}

const remember = (state: TurnState, utterance: number, turn: number): TurnState => ({
  ...state,
  utteranceTurns: [
    ...state.utteranceTurns.filter(([number]) => number !== utterance),
    [utterance, turn] as const,
  ].slice(-REMEMBERED_UTTERANCES),
});

const hear = (state: TurnState, utterance: UtteranceState): TurnState =>
  remember({ ...state, utterance }, utterance.number, utterance.turn);

export const onSpeechStarted: Transition<SessionEvent<'speech.started'>> = (state, event, decide) => {
  if (event.utterance <= state.endedUtterance) return state;
  const open = state.utterance?.number === event.utterance ? state.utterance : undefined;
  const turn = open?.turn ?? turnOfNewUtterance(state);
  if (state.reply) decide.effects.push({ kind: 'duck' });
  return hear(
    { ...state, prompted: false },
    {
      number: event.utterance,
      turn,
      speaking: true,
      confirmed: open?.confirmed ?? false,
      onsetSample: open?.onsetSample ?? event.sample,
      endSample: event.sample,
      speculations: open?.speculations ?? 0,
      begun: { id: event.id, at: event.at },
      hasWords: open?.hasWords ?? false,
      isAside: open?.isAside ?? false,
      waits: null,
    },
  );
};

export const onSpeechConfirmed: Transition<SessionEvent<'speech.confirmed'>> = (state, event, decide) => {
  if (state.utterance?.number !== event.utterance) return state;
  const confirmed: TurnState = { ...state, utterance: { ...state.utterance, speaking: true, confirmed: true } };
  if (state.settings.interruptBy !== 'speech') return confirmed;
  return cutInUnlessAside(confirmed, state.utterance, event, decide);
};

/**
 * Enough speech stops the reply at once, unless it is known by now that it only shows that somebody listens. Then it has as
 * long as such a thing takes; a word that says more stops the reply before.
 */
function cutInUnlessAside(
  state: TurnState,
  utterance: UtteranceState,
  event: SessionEvent<'speech.confirmed'>,
  decide: Decisions,
): TurnState {
  const spokenMs = msOf(utterance.endSample - utterance.onsetSample + event.samples);
  if (!state.reply || !utterance.isAside || spokenMs >= MAX_BACKCHANNEL_MS) return cutIn(state, event, decide);
  const { turn, attempt } = state.reply;
  const waits = { turn, attempt, since: event.id, untilMs: event.at + MAX_BACKCHANNEL_MS - spokenMs };
  return { ...state, utterance: { ...utterance, speaking: true, confirmed: true, waits } };
}

/** What would have stopped the reply on stage, had it not only shown that somebody listens. */
export function waiting({ utterance, reply }: TurnState): UtteranceState['waits'] {
  return sameReply(utterance?.waits ?? undefined, reply ?? undefined) ? utterance?.waits : undefined;
}

/** Speech that only showed that somebody listens has become too long for that. */
export const onAsideTooLong: Transition<SessionEvent<'timer.fired'>> = (state, event, decide) =>
  waiting(state)?.since === event.since ? cutIn(state, event, decide) : state;

/** Speech that goes on and on without a word is none: a reply that it stopped goes on, and one that it held back begins. */
export const onWordless: Transition<SessionEvent<'timer.fired'>> = (state, event, decide) => {
  const { utterance, reply } = state;
  if (!utterance) return state;
  if (reply) decide.effects.push({ kind: 'restore' });
  const goesOn = resume(discard(state, decide), event.at, decide);
  // A word that comes after all stops it.
  const { turn = 0, attempt = 0 } = goesOn.reply ?? {};
  const waits = goesOn.reply && { turn, attempt, since: event.id, untilMs: event.at };
  return { ...goesOn, utterance: { ...utterance, speaking: false, waits } };
};

/** The utterance that is being heard stops the reply on stage; it may turn out to go on with the turn being answered. */
function cutIn(
  state: TurnState,
  event: SessionEvent<'speech.confirmed' | 'transcript.partial' | 'transcript.final' | 'timer.fired'>,
  decide: Decisions,
): TurnState {
  const { utterance } = state;
  const stopped = interrupt(state, 'speech', event.id, decide);
  if (stopped === state || !utterance) return state;
  return hear(stopped, { ...utterance, turn: turnOfNewUtterance(stopped) });
}

/** Words: they confirm an interruption where the session asks for them, and show when a prepared reply is outdated. */
export const onPartial: Transition<SessionEvent<'transcript.partial'>> = (state, event, decide) => {
  if (state.utterance?.number !== event.utterance) return state;
  const { reply, settings, utterance } = state;
  const isListening = isBackchannel(event.text, settings.language, 0);
  const hasWords = plainWords(event.text) !== '';
  const isAside = isListening && hasWords;
  const isKnown = isAside === (utterance.isAside ?? false) && (utterance.hasWords || !hasWords);
  const known = isKnown ? state : { ...state, utterance: { ...utterance, isAside, hasWords } };
  const stops = settings.interruptBy === 'word' || waiting(state);
  if (reply && stops && !isListening) return cutIn(known, event, decide);
  return discardIfOutdated(known, event.text, decide);
};

export const onSpeechStopped: Transition<SessionEvent<'speech.stopped'>> = (state, event, decide) => {
  if (state.utterance?.number !== event.utterance) return state;
  if (state.reply) decide.effects.push({ kind: 'restore' });
  return { ...state, utterance: { ...state.utterance, speaking: false, endSample: event.sample } };
};

/**
 * Settled text is progress: whoever hears on from here has not failed on what came before. It also shows what speech over a
 * reply was, before the end of the turn does: a reply that was stopped goes on behind what only showed that somebody listens,
 * and one that was not stopped yet is by what says more.
 */
export const onTranscriptFinal: Transition<SessionEvent<'transcript.final'>> = (state, event, decide) => {
  const { listener, utterance, reply, resumable, settings } = state;
  const settled = listener.deaths === 0 ? state : { ...state, listener: { ...listener, deaths: 0 } };
  if (utterance?.number !== event.utterance || (!reply && !resumable)) return settled;
  const isListening = isBackchannel(event.text, settings.language, msOf(utterance.endSample - utterance.onsetSample));
  if (reply) return waiting(state) && !isListening ? cutIn(settled, event, decide) : settled;
  const isWhole = !utterance.speaking && event.fromSample <= utterance.onsetSample;
  return isWhole && isListening ? resume(discard(settled, decide), event.at, decide) : settled;
};

export const onTurnEnded: Transition<SessionEvent<'turn.ended'>> = (state, event, decide) => {
  if (event.utterance <= state.endedUtterance) return state;
  const closed: TurnState = {
    ...state,
    utterance: null,
    endedUtterance: event.utterance,
    listener: { ...state.listener, deaths: 0 },
  };
  const text = event.text.trim();
  if (plainWords(text) === '' || isAside(state, event)) return asideEnded(closed, event, decide);
  const said = { text, at: event.at, trace: event.trace, utterance: event.utterance };
  if (!state.reply && answers(state, turnText(state, text))) {
    return release(takeMessage(closed, said, decide), event, decide);
  }
  // Words too short to confirm an interruption are one all the same.
  return takeTurn(interrupt(discard(closed, decide), 'speech', event.id, decide), said, decide);
};

/** Whether what was said over a reply only shows that somebody listens. */
function isAside(state: TurnState, event: SessionEvent<'turn.ended'>): boolean {
  if (!state.reply && !state.resumable) return false;
  const onset = state.utterance?.onsetSample ?? event.sample;
  return isAsideAlone(event.text, state.settings.language, msOf(event.sample - onset));
}

/** Speech without words, or none that matter: what it ducked is restored, and what it stopped goes on. */
function asideEnded(state: TurnState, event: SessionEvent<'turn.ended'>, decide: Decisions): TurnState {
  if (state.reply) decide.effects.push({ kind: 'restore' });
  return resume(discard(state, decide), event.at, decide);
}

interface Said {
  readonly text: string;
  readonly at: number;
  readonly trace: string | undefined;
  readonly utterance?: number;
}

/** Takes what was said as the user's turn, or as the rest of the one that was re-opened, and starts the reply. */
function takeTurn(state: TurnState, said: Said, decide: Decisions): TurnState {
  const text = turnText(state, said.text);
  const taken = takeMessage(state, said, decide);
  return startReply(taken, { turn: taken.turn, text, at: said.at, trace: said.trace }, decide);
}

/** Puts the user's message into the history. */
function takeMessage(state: TurnState, said: Said, decide: Decisions): TurnState {
  const { reopened } = state;
  const turn = reopened?.turn ?? state.turn + 1;
  const message = { role: 'user', turn, text: turnText(state, said.text) } as const;
  decide.history.push(reopened ? { set: reopened.historyIndex, message } : { push: message });
  const taken: TurnState = {
    ...state,
    turn,
    prompted: false,
    userIndex: reopened ? reopened.historyIndex : state.historyLength,
    historyLength: state.historyLength + (reopened ? 0 : 1),
  };
  return said.utterance === undefined ? taken : remember(taken, said.utterance, turn);
}

export const onText: Transition<SessionEvent<'input.text'>> = (state, event, decide) => {
  const text = event.text.trim();
  if (text === '') return state;
  const stopped = { ...interrupt(discard(state, decide), 'text', event.id, decide), reopened: null, resumable: null };
  return takeTurn(stopped, { text, at: event.at, trace: event.trace }, decide);
};

/**
 * A listener is gone, or an offer was not taken: the session is offered again. Audio on which several listeners were
 * lost without settling any of it is passed over, and the client is told.
 */
export const onListenerLost: Transition<SessionEvent<'holder.lost'>> = (state, event, decide) => {
  const { listener } = state;
  if (event.holder !== listener.fence) return state;
  if (event.reason === 'no_worker') {
    if (listener.missing) return state;
    decide.events.push({
      type: 'stage.failed',
      stage: 'listen',
      code: 'no_worker',
      message: 'Nobody is free to listen; what is said is kept for a while.',
      retryable: true,
    });
    return { ...state, listener: { ...listener, missing: true } };
  }
  if (event.reason === 'unclaimed') return offerListening(state, event.trace, decide);
  return listenerDied(state, event, decide);
};

/**
 * The listener reports that its engine failed. The session is offered again at once, but only the first time: where it
 * fails again before anything is settled, the verdict on the silent listener sets the pace, and in the end gives up.
 */
export const onListenerFailed = (
  state: TurnState,
  event: SessionEvent<'work.failed'>,
  decide: Decisions,
): TurnState => {
  if (event.handedBack) return offerListening(state, event.trace, decide);
  decide.events.push({
    type: 'stage.failed',
    stage: 'listen',
    ...(event.utterance === undefined ? {} : { utterance: event.utterance }),
    code: event.code,
    message: 'Speech recognition failed; it is tried again.',
    retryable: event.retryable,
  });
  const { listener } = state;
  if (listener.deaths > 0) return state;
  return offerListening({ ...state, listener: { ...listener, deaths: 1 } }, event.trace, decide);
};

function listenerDied(state: TurnState, event: SessionEvent<'holder.lost'>, decide: Decisions): TurnState {
  const { cursor = 0, inputSample = 0, trace, at } = event;
  const { listener } = state;
  const deaths = cursor > listener.lostAtCursor ? 1 : listener.deaths + 1;
  const counted: TurnState = { ...state, listener: { ...listener, deaths, lostAtCursor: cursor } };
  if (deaths < MAX_DEATHS) return offerListening(counted, trace, decide);
  const utterance = state.utterance?.number ?? 0;
  decide.events.push({
    type: 'stage.failed',
    stage: 'listen',
    utterance,
    code: 'poisoned_input',
    message: 'What was said could not be heard: several workers failed on it. Please say it again.',
    retryable: false,
  });
  const next = Math.max(utterance, ...state.utteranceTurns.map(([number]) => number), 0) + 1;
  decide.skipTo = { audioCursor: Math.max(inputSample, cursor), hearing: { ...INITIAL_HEARING, utterance: next } };
  if (state.utterance?.speaking && state.reply) decide.effects.push({ kind: 'restore' });
  const passed: TurnState = { ...counted, utterance: null, listener: { ...counted.listener, deaths: 0 } };
  return offerListening(resume(discard(passed, decide), at, decide), trace, decide);
}

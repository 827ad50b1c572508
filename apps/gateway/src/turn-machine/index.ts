import {
  compareEventIds,
  type EventId,
  isClientVisible,
  type NewEvent,
  parseWorkKey,
  type SessionEvent,
} from '@parley/protocol';
import { isForgotten, onReset } from './beginning.ts';
import { onInterrupt } from './interrupting.ts';
import {
  onAsideTooLong,
  onLeaseMoved,
  onLeaseOffered,
  onListenerFailed,
  onListenerLost,
  onPartial,
  onSpeechConfirmed,
  onSpeechStarted,
  onSpeechStopped,
  onText,
  onTranscriptFinal,
  onTurnEnded,
  onWordless,
  waiting,
} from './listening.ts';
import {
  onAudioChunk,
  onAudioDone,
  onPlayback,
  onReplyClause,
  onReplyDelta,
  onReplyDone,
  say,
  workLost,
} from './replying.ts';
import { passShowing } from './showing.ts';
import { isReleased, onEager } from './speculating.ts';
import { MAX_WORDLESS_MS, type TurnState } from './state.ts';
import type { Decisions } from './step.ts';

export { open } from './beginning.ts';
export { outstandingWork, type WorkTry } from './outstanding.ts';
export { inShownOrder, shownAs, shownFrom } from './showing.ts';
export type { TurnState } from './state.ts';
export { type Command, type Decisions, type Effect, noDecisions } from './step.ts';

/**
 * The turn machine: a pure function `(state, event) → (state, decisions)`. It has no clock and does no I/O, so that a new
 * owner that replays the log from the last committed state arrives where the old one was.
 *
 * States (`phase`) and what moves between them. The user may begin to speak in any of them.
 *
 * | phase     | holds                                  | leaves by                                                       |
 * | --------- | -------------------------------------- | --------------------------------------------------------------- |
 * | idle      | no utterance, no reply                 | speech.started → hearing; input.text → thinking                 |
 * | hearing   | an utterance, no reply on stage; maybe | turn.ended with words → thinking (the reply prepared for them   |
 * |           | one prepared behind it                 | is released); without, or an aside → idle, or thinking where    |
 * |           |                                        | it had interrupted a reply, which goes on as the next attempt   |
 * | thinking  | a reply, nothing of it played          | playback → speaking; interruption → idle/hearing (cancelled,    |
 * |           |                                        | the turn re-opened); given up → thinking (of an apology)        |
 * | speaking  | a reply, some of it played             | all played → idle; interruption → idle/hearing (truncated)      |
 * | closed    | nothing                                | nothing                                                         |
 *
 * An interruption is `speech.confirmed` (a word in `transcript.partial` where the session asks for one), `turn.ended` with
 * words, `input.text` or `input.interrupt` while a reply exists. `input.reset` leads from any of them to idle, or to
 * thinking where there is a greeting.
 */
export type Phase = 'idle' | 'hearing' | 'thinking' | 'speaking' | 'closed';

export function phase(state: TurnState): Phase {
  if (state.closed) return 'closed';
  if (state.reply) return state.reply.played > 0 ? 'speaking' : 'thinking';
  return state.utterance ? 'hearing' : 'idle';
}

/**
 * Folds one event into the state; what it decides is added to `decide`. Events of the owner's own making change nothing,
 * and neither does one that has been folded already.
 */
export function fold(state: TurnState, event: SessionEvent, decide: Decisions): TurnState {
  if (compareEventIds(event.id, state.lastEvent) <= 0) return state;
  return withQuiet({ ...step(passShowing(state, event), event, decide), lastEvent: event.id }, event);
}

/** Remembers since when nobody has spoken and nothing was said. */
function withQuiet(state: TurnState, { id, at }: SessionEvent): TurnState {
  const quiet = !state.reply && !state.utterance && !state.closed;
  if (quiet === (state.quietSince !== null)) return state;
  return { ...state, quietSince: quiet ? { id, at } : null };
}

/** The timer that runs in this state: the owner writes `timer.fired` when Redis TIME has come to `atMs`. */
export function runningTimer(state: TurnState): { name: string; since: EventId; atMs: number } | undefined {
  const { quietSince, prompted, settings, utterance } = state;
  const aside = waiting(state);
  if (aside && utterance?.speaking) return { name: 'aside', since: aside.since, atMs: aside.untilMs };
  if (utterance?.begun && isWaitingForWords(state))
    return { name: 'wordless', since: utterance.begun.id, atMs: utterance.begun.at + MAX_WORDLESS_MS };
  if (!quietSince || prompted || settings.idlePrompt.trim() === '') return undefined;
  return { name: 'idle', since: quietSince.id, atMs: quietSince.at + settings.idlePromptMs };
}

/** Whether there would be something to hear, were it not for speech of which nothing is understood. */
const isWaitingForWords = ({ utterance, reply, resumable }: TurnState): boolean =>
  utterance?.speaking === true && !utterance.hasWords && (resumable !== null || reply?.played === 0);

function onTimer(state: TurnState, event: SessionEvent<'timer.fired'>, decide: Decisions): TurnState {
  const timer = runningTimer(state);
  if (event.name !== timer?.name || event.since !== timer.since) return state;
  if (event.name === 'aside') return onAsideTooLong(state, event, decide);
  return event.name === 'wordless' ? onWordless(state, event, decide) : onIdle(state, event, decide);
}

/** Nobody has spoken for long: the idle prompt is said, once until somebody does. */
function onIdle(state: TurnState, event: SessionEvent<'timer.fired'>, decide: Decisions): TurnState {
  const turn = Math.max(1, state.turn);
  const saying = { turn, text: state.settings.idlePrompt, at: event.at, trace: event.trace };
  return say({ ...state, turn, prompted: true }, saying, decide);
}

function step(state: TurnState, event: SessionEvent, decide: Decisions): TurnState {
  if (state.closed) return state;
  switch (event.type) {
    case 'lease.moved':
      return onLeaseMoved(state, event, decide);
    case 'lease.offered':
      return onLeaseOffered(state, event, decide);
    case 'speech.started':
      return onSpeechStarted(state, event, decide);
    case 'speech.confirmed':
      return onSpeechConfirmed(state, event, decide);
    case 'speech.stopped':
      return onSpeechStopped(state, event, decide);
    case 'transcript.partial':
      return onPartial(state, event, decide);
    case 'turn.eager':
      return onEager(state, event, decide);
    case 'reply.delta':
      return onReplyDelta(state, event, decide);
    case 'timer.fired':
      return onTimer(state, event, decide);
    case 'transcript.final':
      return onTranscriptFinal(state, event, decide);
    case 'turn.ended':
      return onTurnEnded(state, event, decide);
    case 'reply.clause':
      return onReplyClause(state, event, decide);
    case 'reply.done':
      return onReplyDone(state, event, decide);
    case 'audio.chunk':
      return onAudioChunk(state, event, decide);
    case 'audio.done':
      return onAudioDone(state, event, decide);
    case 'playback':
      return onPlayback(state, event, decide);
    case 'work.failed':
      return event.stage === 'listen' ? onListenerFailed(state, event, decide) : onWorkFailed(state, event, decide);
    case 'holder.lost':
      return event.stage === 'listen' ? onListenerLost(state, event, decide) : onHolderLost(state, event, decide);
    case 'input.text':
      return onText(state, event, decide);
    case 'input.interrupt':
      return onInterrupt(state, event, decide);
    case 'input.reset':
      return onReset(state, event, decide);
    case 'input.settings':
      return onSettings(state, event, decide);
    case 'input.close':
      decide.events.push({ type: 'session.closed', reason: event.reason });
      return { ...state, closed: true };
    // Heard by others, or of no consequence for what happens next.
    case 'turn.resumed':
    case 'tool.call':
    case 'input.commit':
    case 'input.tool_result':
    case 'audio.lost':
    case 'session.moved':
    // Our own outputs.
    case 'reply.started':
    case 'reply.released':
    case 'reply.cancelled':
    case 'reply.truncated':
    case 'stage.failed':
    case 'turn.metrics':
    case 'session.updated':
    case 'session.reset':
    case 'session.closed':
      return state;
    default:
      return event satisfies never;
  }
}

function onWorkFailed(state: TurnState, event: SessionEvent<'work.failed'>, decide: Decisions): TurnState {
  if (event.stage === 'listen') return state;
  const { stage, turn = 0, attempt = 0, clause = 0, code, retryable, handedBack = false, at } = event;
  return workLost(
    state,
    { stage, turn, attempt, clause, try: event.try ?? 1, retryable, death: !handedBack, code, at },
    decide,
  );
}

function onHolderLost(state: TurnState, event: SessionEvent<'holder.lost'>, decide: Decisions): TurnState {
  const ref = parseWorkKey(event.holder);
  if (!ref) return state;
  const loss = { ...ref, clause: ref.stage === 'speak' ? ref.clause : 0, try: event.try, at: event.at };
  const death = event.reason === 'silent';
  return workLost(
    state,
    { ...loss, death, retryable: event.reason !== 'no_worker', code: death ? 'internal' : 'no_worker' },
    decide,
  );
}

function onSettings(state: TurnState, event: SessionEvent<'input.settings'>, decide: Decisions): TurnState {
  const changes = Object.fromEntries(Object.entries(event.settings).filter(([, value]) => value !== undefined));
  const settings = { ...state.settings, ...changes };
  decide.settings = settings;
  decide.events.push({ type: 'session.updated', settings });
  return { ...state, settings };
}

/** Whether anything was decided that must be committed; effects alone, or state that replay derives again, need not be. */
export const mustCommit = (decisions: Decisions): boolean =>
  decisions.events.length > 0 ||
  decisions.history.length > 0 ||
  decisions.commands.length > 0 ||
  decisions.work.create.length > 0 ||
  decisions.work.cancel.length > 0 ||
  decisions.work.raiseTry.length > 0 ||
  decisions.settings !== undefined ||
  decisions.skipTo !== undefined;

/**
 * Whether the client is shown an event in its place (`shownAs`). What a held reply says it is not, until it has been released,
 * also where the worker went on flagging it. What a reply still publishes after the event that stopped it was never going to be heard.
 */
export function isShown(state: TurnState, event: SessionEvent): boolean {
  if ('held' in event && event.held === true && 'attempt' in event) {
    const release = isReleased(state, event);
    if (!release || compareEventIds(event.id, release.by) <= 0) return false;
    return isShown(state, { ...event, held: undefined });
  }
  if (!isClientVisible(event) || isForgotten(state, event)) return false;
  if (event.type !== 'reply.delta' && event.type !== 'reply.clause' && event.type !== 'reply.done') return true;
  const stop = state.stopped.find(({ turn, attempt }) => turn === event.turn && attempt === event.attempt);
  return stop === undefined || compareEventIds(event.id, stop.by) <= 0;
}

/** The turn to which an event belongs, for the client. */
export function turnOf(state: TurnState, event: NewEvent): number | undefined {
  if ('turn' in event) return event.turn;
  if (!('utterance' in event)) return undefined;
  return state.utteranceTurns.find(([utterance]) => utterance === event.utterance)?.[1];
}

import type { EventId, SessionEvent } from '@parley/protocol';
import { heardText } from './heard.ts';
import { outstandingWork } from './outstanding.ts';
import { REMEMBERED_STOPS, type TurnState } from './state.ts';
import type { Decisions, Transition } from './step.ts';

/** Why a reply was stopped before its end. */
export type InterruptReason = 'speech' | 'text' | 'client';

/**
 * Stops the current reply, if there is one: the generation moves on, its work is cancelled, the client is told to stop,
 * and the history gets the words that were heard. A reply of which no word was heard is cancelled instead of truncated;
 * if that was because the user went on speaking, the turn is re-opened and the next text is added to it.
 */
export function interrupt(state: TurnState, reason: InterruptReason, by: EventId, decide: Decisions): TurnState {
  const reply = state.reply;
  if (!reply) return state;
  const { turn, attempt } = reply;
  const generation = state.generation + 1;
  const heard = heardText(reply, state.settings.outputRateHz, state.settings.language);
  decide.work.cancel.push({ turn, attempt });
  decide.effects.push({ kind: 'stop', generation, reply: { turn, attempt } });
  decide.effects.push({ kind: 'cancel', reply: { turn, attempt }, work: outstandingWork(state) });
  const stops = [...state.stopped, { turn, attempt, by }].slice(-REMEMBERED_STOPS);
  const stopped = { ...state, generation, reply: null, stopped: stops };
  if (heard === '') {
    decide.events.push({ type: 'reply.cancelled', turn, attempt, reason, trace: reply.trace });
    if (reason !== 'speech') return stopped;
    return { ...stopped, reopened: { turn, attempt, text: reply.text, historyIndex: state.userIndex } };
  }
  decide.events.push({ type: 'reply.truncated', turn, attempt, heard, samples: reply.played, trace: reply.trace });
  decide.history.push({ push: { role: 'assistant', turn, attempt, text: heard, truncated: true } });
  return { ...stopped, historyLength: state.historyLength + 1 };
}

export const onInterrupt: Transition<SessionEvent<'input.interrupt'>> = (state, event, decide) =>
  interrupt(state, 'client', event.id, decide);

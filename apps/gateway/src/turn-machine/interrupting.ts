import type { EventId, SessionEvent, Settings } from '@parley/protocol';
import { heardText, isContinued, joinClauses } from './heard.ts';
import { workOf } from './outstanding.ts';
import { discard } from './replying.ts';
import { REMEMBERED_STOPS, type ReplyState, type ResumableReply, type TurnState } from './state.ts';
import type { Decisions, Transition } from './step.ts';

/** Why a reply was stopped before its end. */
export type InterruptReason = 'speech' | 'text' | 'client' | 'reset';

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
  const heard = perceived(reply, state.settings);
  decide.work.cancel.push({ turn, attempt });
  decide.effects.push({ kind: 'stop', generation, reply: { turn, attempt } });
  decide.effects.push({ kind: 'cancel', reply: { turn, attempt }, work: workOf(reply) });
  const stops = [...state.stopped, { turn, attempt, by }].slice(-REMEMBERED_STOPS);
  // Only words show that speech was meant as an interruption; a cough lets the reply go on.
  const resumable = (historyIndex?: number): ResumableReply | null =>
    reason === 'speech' ? { reply, heard, wasRead: state.settings.textOnly, historyIndex } : null;
  const stopped = { ...state, generation, reply: null, stopped: stops };
  if (heard === '') {
    decide.events.push({ type: 'reply.cancelled', turn, attempt, reason, trace: reply.trace });
    if (reason !== 'speech') return stopped;
    const reopened = { turn, attempt, text: reply.text, historyIndex: state.userIndex };
    return { ...stopped, resumable: resumable(), reopened: reopensTurn(reply) ? reopened : null };
  }
  decide.events.push({ type: 'reply.truncated', turn, attempt, heard, samples: reply.played, trace: reply.trace });
  decide.history.push({ push: { role: 'assistant', turn, attempt, text: heard, truncated: true } });
  return { ...stopped, resumable: resumable(state.historyLength), historyLength: state.historyLength + 1 };
}

/** What the user knows of a reply: the words that were heard, or all that was written where it is only to be read. */
const perceived = (reply: ReplyState, { textOnly, outputRateHz, language }: Settings): string =>
  textOnly
    ? joinClauses(reply.clauses.filter(({ status }) => status !== 'passed').map(({ text, from }) => text.slice(from)))
    : heardText(reply, outputRateHz, language);

/**
 * Whether the user's turn is open again where a reply is stopped of which nothing was heard: not if an earlier attempt
 * was. A reply that answers nobody, such as a greeting, has no such turn.
 */
export const reopensTurn = (reply: ReplyState): boolean => reply.text !== '' && !isContinued(reply);

export const onInterrupt: Transition<SessionEvent<'input.interrupt'>> = (state, event, decide) => ({
  ...interrupt(discard(state, decide), 'client', event.id, decide),
  // Explicitly stopped, it is not to go on by itself, and what is said next begins anew.
  resumable: null,
  reopened: null,
});

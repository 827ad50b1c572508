import { unheardClauses } from './heard.ts';
import { askModel, finishIfPlayed, newReply, offerClauses, onStage } from './replying.ts';
import type { ReplyState, TurnState } from './state.ts';
import type { Decisions } from './step.ts';

/**
 * Lets a reply that speech had stopped go on where it was cut, as the next attempt at its turn: the speech had no words,
 * or only such as show that somebody listens. What was heard stays heard; the word that was cut is said again.
 */
export function resume(state: TurnState, at: number, decide: Decisions): TurnState {
  const { resumable } = state;
  if (!resumable) return state;
  const { reply: stopped, heard, historyIndex, wasRead } = resumable;
  const { turn, trace } = stopped;
  if (historyIndex !== undefined) {
    const message = { role: 'assistant', turn, attempt: stopped.attempt, text: heard } as const;
    decide.history.push({ set: historyIndex, message });
  }
  const { outputRateHz, language } = state.settings;
  const clauses = wasRead
    ? stopped.clauses.map((clause) => ({ ...clause, status: 'passed' as const, try: 1, deaths: 0, samples: 0 }))
    : unheardClauses(stopped, outputRateHz, language);
  const reply: ReplyState = {
    ...newReply(state, { turn, text: stopped.text, at, trace }),
    clauses,
    origin: stopped.origin ?? stopped.attempt,
    done: stopped.done,
  };
  const whole = clauses.map((clause) => clause.text).join('');
  decide.events.push({ type: 'reply.started', turn, attempt: reply.attempt, trace });
  if (reply.done) {
    const end = { text: whole, clauses: clauses.length, finish: 'resumed' };
    decide.events.push({ type: 'reply.done', turn, attempt: reply.attempt, ...end, trace });
  } else {
    askModel(state, reply, whole.length, decide);
  }
  const staged = onStage(state, reply);
  return finishIfPlayed({ ...staged, reply: offerClauses(staged, reply, at, decide) }, decide);
}

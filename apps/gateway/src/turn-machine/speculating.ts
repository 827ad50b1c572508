import { type NewEvent, type SessionEvent, sameReply } from '@parley/protocol';
import { plainWords } from './backchannels.ts';
import { discard, finishIfPlayed, offerClauses, onStage, startReply } from './replying.ts';
import { beginShowing } from './showing.ts';
import { MAX_SPECULATIONS, REMEMBERED_STOPS, type TurnState } from './state.ts';
import type { Decisions, Transition } from './step.ts';

/** The text of the turn if the utterance says no more than this: with what was said before the turn was re-opened. */
export const turnText = ({ reopened }: TurnState, said: string): string =>
  reopened ? `${reopened.text} ${said.trim()}` : said.trim();

/** Whether the speculative reply answers this text, up to case and punctuation. */
export const answers = ({ speculative }: TurnState, text: string): boolean =>
  speculative !== null && plainWords(speculative.text) === plainWords(text);

/**
 * The utterance may be over: its reply is prepared behind the stage. Not while another reply is on it, for that one would
 * have to be in the history first; and not more often than it is worth.
 */
export const onEager: Transition<SessionEvent<'turn.eager'>> = (state, event, decide) => {
  const { utterance, reopened, reply, settings } = state;
  if (!settings.speculation || reply || utterance?.number !== event.utterance) return state;
  const text = turnText(state, event.text);
  if (plainWords(text) === '' || answers(state, text)) return state;
  const free = discard(state, decide);
  if (utterance.speculations >= MAX_SPECULATIONS) return free;
  const counted = { ...free, utterance: { ...utterance, speculations: utterance.speculations + 1 } };
  const turn = reopened?.turn ?? state.turn + 1;
  return startReply(counted, { turn, text, at: event.at, trace: event.trace, held: true }, decide);
};

/** More was said than the speculative reply answers. */
export function discardIfOutdated(state: TurnState, said: string, decide: Decisions): TurnState {
  const { speculative } = state;
  if (!speculative) return state;
  const words = plainWords(turnText(state, said));
  return plainWords(speculative.text).startsWith(words) ? state : discard(state, decide);
}

/** Puts the speculative reply on stage: the client is given what has been said of it, as it would have come. */
export function release(state: TurnState, event: SessionEvent<'turn.ended'>, decide: Decisions): TurnState {
  const { speculative } = state;
  if (!speculative) return state;
  const { turn, attempt, trace, heldText } = speculative;
  const generation = state.generation + 1;
  const reply = { ...speculative, held: false, heldText: '', generation, decidedAt: event.at };
  const told: NewEvent[] = [{ type: 'reply.released', turn, attempt, text: heldText, trace }, ...publishedSoFar(state)];
  decide.events.push(...told);
  decide.effects.push({ kind: 'release', reply: { turn, attempt } });
  decide.work.dropTurnsBefore = turn;
  const released = [...state.released, { turn, attempt, by: event.id }].slice(-REMEMBERED_STOPS);
  const showings = beginShowing(state, event.id, told);
  const staged = onStage({ ...state, speculative: null, released, showings }, reply);
  return finishIfPlayed({ ...staged, reply: offerClauses(staged, reply, event.at, decide) }, decide);
}

/** Clauses and end of the speculative reply, which the client has not been shown. Folding them again changes nothing. */
function publishedSoFar({ speculative }: TurnState): NewEvent[] {
  if (!speculative) return [];
  const { turn, attempt, clauses, heldText, done } = speculative;
  const events: NewEvent[] = clauses.map(({ text }, clause) => ({ type: 'reply.clause', turn, attempt, clause, text }));
  const end = { text: heldText, clauses: clauses.length, finish: 'stop' };
  return done ? [...events, { type: 'reply.done', turn, attempt, ...end }] : events;
}

/** Whether an event of a reply was written as held and yet after its release: the worker had not heard of it. */
export const isReleased = (state: TurnState, reply: { turn: number; attempt: number }) =>
  state.released.find((released) => sameReply(released, reply));

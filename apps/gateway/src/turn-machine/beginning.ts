import { compareEventIds, type SessionEvent } from '@parley/protocol';
import { interrupt } from './interrupting.ts';
import { offerListening } from './listening.ts';
import { discard, say } from './replying.ts';
import { initialState, type TurnState } from './state.ts';
import { type Decisions, noDecisions, type Transition } from './step.ts';

/** State and decisions of a new session: its audio is offered to the listeners, and the greeting is said. */
export function open(settings: TurnState['settings'], at: number): { state: TurnState; decisions: Decisions } {
  const decisions = noDecisions();
  const state = offerListening(initialState(settings), undefined, decisions);
  return { state: greet(state, { at, trace: undefined }, decisions), decisions };
}

/** Says the greeting, if there is one, as a turn of its own. */
function greet(state: TurnState, when: { at: number; trace: string | undefined }, decide: Decisions): TurnState {
  const text = state.settings.greeting;
  if (text.trim() === '') return state;
  const turn = state.turn + 1;
  return say({ ...state, turn }, { turn, text, ...when }, decide);
}

/**
 * The conversation begins anew: whatever is said or prepared is stopped, the history is empty, the settings stay. The
 * generation moves on even where nothing is on stage, for the client may not have played all of it yet. What is being said
 * at this moment was said to the old conversation: its utterance is ended and comes to nothing; what is said from here on is
 * an utterance of its own, in the new one. Turns, replies and utterances are numbered on, so that nothing late can be taken
 * for something new.
 */
export const onReset: Transition<SessionEvent<'input.reset'>> = (state, event, decide) => {
  const { utterance, reply } = state;
  const stopped = interrupt(discard(state, decide), 'reset', event.id, decide);
  const generation = state.generation + 1;
  if (!reply) decide.effects.push({ kind: 'stop', generation });
  decide.work.dropTurnsBefore = state.turn + 1;
  decide.history.push({ clear: true });
  decide.events.push({ type: 'session.reset', trace: event.trace });
  if (utterance) decide.events.push({ type: 'input.commit' });
  const empty: TurnState = {
    ...stopped,
    generation,
    utterance: null,
    endedUtterance: Math.max(state.endedUtterance, utterance?.number ?? 0),
    forgotten: utterance ? { utterance: utterance.number, by: event.id } : (state.forgotten ?? null),
    reopened: null,
    resumable: null,
    quietSince: null,
    prompted: false,
    historyLength: 0,
    userIndex: 0,
  };
  return greet(empty, { at: event.at, trace: event.trace }, decide);
};

/** Whether an event tells of what was being said when the conversation was begun anew. */
export function isForgotten({ forgotten }: TurnState, event: SessionEvent): boolean {
  if (!forgotten || !('utterance' in event) || event.type === 'stage.failed') return false;
  return event.utterance === forgotten.utterance && compareEventIds(event.id, forgotten.by) > 0;
}

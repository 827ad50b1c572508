import type { Settings } from '@parley/protocol';
import type { EngineScript } from '../engines/script.ts';
import type { TalkPlan } from './plan.ts';

/** A turn ends after a fixed silence, and its reply is begun then: what is measured does not depend on guesses. */
export const PLAIN_TURNS = { turnDetection: 'static', speculation: false } as const satisfies Partial<Settings>;

/** Somebody who talks as people do: two seconds of speech, an answer of four, a second to think. */
export const CONVERSATION: Omit<TalkPlan, 'urls' | 'sessions'> = {
  way: 'speech',
  settings: PLAIN_TURNS,
  frameSamples: 320,
  noiseDbfs: -60,
  pauseMs: [500, 1_500],
  questionMs: 2_000,
  turns: 0,
  interruptAfterMs: undefined,
  connectsPerSecond: 25,
  acknowledge: true,
};

/** The answer, about four seconds long in three clauses. */
export const CONVERSATION_ANSWER = {
  rest: 'It is what you wanted to know. There is not much more to be said of it today.',
  secondsPerCharacter: 0.04,
} as const satisfies Partial<EngineScript>;

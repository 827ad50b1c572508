import { logOddsOf, probabilityOf } from './log-odds.ts';

/** How turns are ended: what a session asks for, and how much the worker's operator trusts each kind of evidence. */
export interface EndpointingSettings {
  readonly turnDetection: 'static' | 'dynamic' | 'manual';
  /** Static: the silence that ends a turn. */
  readonly silenceMs: number;
  /** Dynamic: from 0 to 100; 50 leaves the wait as it is, 0 halves it, 100 doubles it. */
  readonly patience: number;
  readonly minWaitMs: number;
  readonly maxWaitMs: number;
  readonly weights: EvidenceWeights;
}

/** How much each kind of evidence counts, 0 for not at all. */
export interface EvidenceWeights {
  /** The words: at 1 their probability is taken as it is. */
  readonly text: number;
  /** The end-of-turn model. */
  readonly sound: number;
  /** The share that a language model has in what the words say, once it has answered; up to 1, for all of it. */
  readonly languageModel: number;
  /** The speaker's own pauses in place of those of people in general. */
  readonly habit: number;
}

/** What is known of a pause, after the speech in front of it has been understood. */
export interface PauseEvidence {
  /** There is a word in the turn. */
  readonly hasWords: boolean;
  /** Probability by its words that the turn is whole. */
  readonly completeness: number;
  /** The same by its sound, where that is known. */
  readonly soundProbability: number | undefined;
  /** What a language model says about the words, where one has been asked and has answered. */
  readonly languageModelProbability?: number | undefined;
  /** It will be known in a moment. */
  readonly isSoundDue?: boolean;
}

export interface EndJudgement {
  /** Silence after which the turn is ended; infinite where no silence ends it. */
  readonly waitMs: number;
  /** Probability that the turn is over, with as much silence as there has been. It rises while the silence lasts. */
  readonly probability: number;
  /** The sound is about to be known and may change the wait: the turn does not end before. */
  readonly awaitsSound: boolean;
}

/** Pauses within a turn, on average, of people in general. */
export const USUAL_PAUSE_MS = 450;
/** A speaker's own average is taken as lying between these: short pauses are easier to come by than long ones. */
const OWN_PAUSE_RANGE_MS = [300, 1_500] as const;
/** How much of each pause goes into the speaker's average. */
const HABIT_RATE = 0.2;
/** How sure an answer of the end-of-turn model counts as at most, when it is judged by what came true. */
const SOUND_SURE = 0.9;
/** Trust in the model, in log-odds, stays between these: it can always be won and lost again. */
const SOUND_TRUST_LIMIT = 3;
/** How probable it has to be that the turn is over. */
const SURE = 0.95;
/** Speech without a word was none: nobody is to wait for what it interrupted. */
const PHANTOM_WAIT_MS = 320;
/** No evidence is certain. */
const LEAST_PROBABILITY = 0.02;

/**
 * What to make of a silence in a turn. Pure; time is counted in audio, so that a listener that hears a backlog decides
 * as one that heard it live. Without evidence yet, a dynamic turn gets the longest wait.
 *
 * In `dynamic` a pause is either the end, with the probability c that text and sound give together, or one inside the turn,
 * and those are distributed exponentially with the mean h of the speaker's pauses. After a silence s it is the end with the
 * probability c / (c + (1 - c)·e^(-s/h)). The wait is over when that is 0.95: s = h·(ln(0.95 / 0.05) - ln(c / (1 - c))), times
 * patience, between the shortest wait and the longest.
 */
export function judgeEnd(
  silenceMs: number,
  evidence: PauseEvidence | undefined,
  ownPauseMs: number | undefined,
  settings: EndpointingSettings,
): EndJudgement {
  const judgement = judgeByMode(silenceMs, evidence, ownPauseMs, settings);
  if (evidence === undefined) return { ...judgement, awaitsSound: false };
  const { hasWords, isSoundDue = false } = evidence;
  if (hasWords) return { ...judgement, awaitsSound: isSoundDue && settings.turnDetection === 'dynamic' };
  return { waitMs: Math.min(PHANTOM_WAIT_MS, judgement.waitMs), probability: 0, awaitsSound: false };
}

/** The speaker's average pause within a turn after one more. */
export const learnPause = (ownPauseMs: number | undefined, pauseMs: number): number =>
  Math.round((1 - HABIT_RATE) * (ownPauseMs ?? USUAL_PAUSE_MS) + HABIT_RATE * pauseMs);

/**
 * How far the end-of-turn model is to be trusted with a speaker, after one more pause has turned out to be inside the turn or
 * its end: the log-odds that it understands this voice, on this line, at all, against that it guesses. Nothing is known at
 * first, so 0.
 */
export function learnSoundTrust(trust: number | undefined, soundProbability: number, wasEnd: boolean): number {
  const ofOutcome = clamp(wasEnd ? soundProbability : 1 - soundProbability, 1 - SOUND_SURE, SOUND_SURE);
  const learnt = clamp((trust ?? 0) + Math.log(ofOutcome / 0.5), -SOUND_TRUST_LIMIT, SOUND_TRUST_LIMIT);
  return Math.round(learnt * 100) / 100;
}

/** Weights for a speaker: the sound counts from nothing up to twice as much, by how far it is to be trusted. */
export const trusting = (weights: EvidenceWeights, soundTrust: number | undefined): EvidenceWeights => ({
  ...weights,
  sound: weights.sound * 2 * probabilityOf(soundTrust ?? 0),
});

function judgeByMode(
  silenceMs: number,
  evidence: PauseEvidence | undefined,
  ownPauseMs: number | undefined,
  settings: EndpointingSettings,
): Omit<EndJudgement, 'awaitsSound'> {
  switch (settings.turnDetection) {
    case 'manual':
      return { waitMs: Number.POSITIVE_INFINITY, probability: 0 };
    case 'static':
      return { waitMs: settings.silenceMs, probability: clamp(silenceMs / settings.silenceMs, 0, 1) };
    case 'dynamic': {
      const { minWaitMs, patience, weights } = settings;
      const maxWaitMs = Math.max(minWaitMs, settings.maxWaitMs);
      if (evidence === undefined) return { waitMs: maxWaitMs, probability: 0 };
      const pauseMs = pauseScaleMs(ownPauseMs, weights.habit) * 2 ** ((patience - 50) / 50);
      const complete = weigh(evidence, weights);
      const waitMs = clamp(pauseMs * (logOddsOf(SURE) - logOddsOf(complete)), minWaitMs, maxWaitMs);
      const goesOn = (1 - complete) * Math.exp(-Math.max(0, silenceMs) / pauseMs);
      return { waitMs, probability: complete / (complete + goesOn) };
    }
    default:
      return settings.turnDetection satisfies never;
  }
}

function pauseScaleMs(ownPauseMs: number | undefined, habitWeight: number): number {
  if (ownPauseMs === undefined) return USUAL_PAUSE_MS;
  const own = clamp(ownPauseMs, ...OWN_PAUSE_RANGE_MS);
  return Math.max(1, USUAL_PAUSE_MS + habitWeight * (own - USUAL_PAUSE_MS));
}

/** Independent evidence adds up in log-odds; 0.5 says nothing. Two judges of the same words are averaged. */
function weigh(evidence: PauseEvidence, { text, sound, languageModel }: EvidenceWeights): number {
  const { completeness, soundProbability = 0.5, languageModelProbability = completeness } = evidence;
  const words =
    (1 - languageModel) * boundedLogOdds(completeness) + languageModel * boundedLogOdds(languageModelProbability);
  return bounded(probabilityOf(text * words + sound * boundedLogOdds(soundProbability)));
}

const boundedLogOdds = (probability: number): number => logOddsOf(bounded(probability));

const bounded = (probability: number): number => clamp(probability, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY);

const clamp = (value: number, min: number, max: number): number => Math.min(Math.max(value, min), max);

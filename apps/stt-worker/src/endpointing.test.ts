import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type EndpointingSettings,
  judgeEnd,
  learnPause,
  learnSoundTrust,
  type PauseEvidence,
  trusting,
  USUAL_PAUSE_MS,
} from './endpointing.ts';

const SETTINGS: EndpointingSettings = {
  turnDetection: 'dynamic',
  silenceMs: 700,
  patience: 50,
  minWaitMs: 250,
  maxWaitMs: 1_800,
  weights: { text: 1, sound: 0.5, habit: 0.5, languageModel: 0.5 },
};
const words = (completeness: number, soundProbability?: number): PauseEvidence => ({
  hasWords: true,
  completeness,
  soundProbability,
});
const wait = (evidence: PauseEvidence | undefined, settings: Partial<EndpointingSettings> = {}, ownPauseMs?: number) =>
  judgeEnd(200, evidence, ownPauseMs, { ...SETTINGS, ...settings }).waitMs;

const probability = fc.double({ min: 0, max: 1, noNaN: true });
const evidences = fc.record({
  hasWords: fc.constant(true),
  completeness: probability,
  soundProbability: fc.option(probability, { nil: undefined }),
  languageModelProbability: fc.option(probability, { nil: undefined }),
});
const habits = fc.option(fc.integer({ min: 0, max: 10_000 }), { nil: undefined });
const silences = fc.integer({ min: -1_000, max: 10_000 });
const settings = fc.record({
  turnDetection: fc.constantFrom('dynamic' as const),
  silenceMs: fc.integer({ min: 100, max: 5_000 }),
  patience: fc.double({ min: 0, max: 100, noNaN: true }),
  minWaitMs: fc.integer({ min: 100, max: 5_000 }),
  maxWaitMs: fc.integer({ min: 100, max: 10_000 }),
  weights: fc.record({
    text: fc.double({ min: 0, max: 2, noNaN: true }),
    sound: fc.double({ min: 0, max: 2, noNaN: true }),
    habit: probability,
    languageModel: probability,
  }),
});

describe('dynamic', () => {
  test('is never under the shortest wait, nor over the longest', () => {
    fc.assert(
      fc.property(
        silences,
        fc.option(evidences, { nil: undefined }),
        habits,
        settings,
        (silence, evidence, habit, set) => {
          const { waitMs, probability: over } = judgeEnd(silence, evidence, habit, set);
          expect(waitMs).toBeGreaterThanOrEqual(set.minWaitMs);
          expect(waitMs).toBeLessThanOrEqual(Math.max(set.minWaitMs, set.maxWaitMs));
          expect(over).toBeGreaterThanOrEqual(0);
          expect(over).toBeLessThanOrEqual(1);
        },
      ),
    );
  });

  test('waits no less with more patience', () => {
    fc.assert(
      fc.property(evidences, habits, settings, probability, (evidence, habit, set, part) => {
        const calmer = { ...set, patience: set.patience + part * (100 - set.patience) };
        const [hasty, calm] = [set, calmer].map((each) => judgeEnd(200, evidence, habit, each).waitMs);
        expect(calm).toBeGreaterThanOrEqual(hasty ?? Number.NaN);
      }),
    );
  });

  test('waits no longer for a text or a sound that is more complete', () => {
    fc.assert(
      fc.property(evidences, habits, settings, probability, probability, (evidence, habit, set, text, sound) => {
        const { completeness, soundProbability } = evidence;
        const more = {
          ...evidence,
          completeness: Math.max(completeness, text),
          ...(soundProbability === undefined ? {} : { soundProbability: Math.max(soundProbability, sound) }),
        };
        const longer = judgeEnd(200, evidence, habit, set);
        const shorter = judgeEnd(200, more, habit, set);
        expect(shorter.waitMs).toBeLessThanOrEqual(longer.waitMs + 1e-6);
        expect(shorter.probability).toBeGreaterThanOrEqual(longer.probability - 1e-9);
      }),
    );
  });

  test('is surer the longer the silence lasts', () => {
    fc.assert(
      fc.property(evidences, habits, settings, silences, fc.nat(5_000), (evidence, habit, set, silence, further) => {
        const [sooner, later] = [silence, silence + further].map(
          (ms) => judgeEnd(ms, evidence, habit, set).probability,
        );
        expect(later).toBeGreaterThanOrEqual(sooner ?? Number.NaN);
      }),
    );
  });

  test.each([
    ['a whole sentence', words(0.93), 250, 400],
    ['a likely one', words(0.9), 250, 400],
    ['a text that says nothing', words(0.5), 1_200, 1_400],
    ['a text that must go on', words(0.04), 1_500, 1_800],
    ['a likely one that sounds complete', words(0.9, 0.98), 250, 260],
    ['a likely one that sounds incomplete', words(0.9, 0.02), 1_000, 1_400],
    ['an unknown one that sounds complete', words(0.5, 0.98), 250, 800],
    ['an unknown one that sounds incomplete', words(0.5, 0.02), 1_500, 1_800],
  ])('after %s waits so long', (_, evidence, atLeast, atMost) => {
    expect(wait(evidence)).toBeGreaterThanOrEqual(atLeast);
    expect(wait(evidence)).toBeLessThanOrEqual(atMost);
  });

  test('asks for more where the speaker makes long pauses, and for less where short ones', () => {
    expect(wait(words(0.7), {}, 1_400)).toBeGreaterThan(wait(words(0.7)));
    expect(wait(words(0.7), {}, 300)).toBeLessThan(wait(words(0.7)));
    const unweighted = { weights: { ...SETTINGS.weights, habit: 0 } };
    expect(wait(words(0.7), unweighted, 1_400)).toBe(wait(words(0.7)));
  });

  test('leaves out what has no weight', () => {
    expect(wait(words(0.9, 0.02), { weights: { ...SETTINGS.weights, sound: 0, habit: 0 } })).toBe(wait(words(0.9)));
    expect(wait(words(0.04, 0.9), { weights: { ...SETTINGS.weights, text: 0, sound: 1, habit: 0 } })).toBeLessThan(400);
  });

  test('takes the words for what a language model makes of them, by its share', () => {
    const asked = { ...words(0.5), languageModelProbability: 0.9 };
    expect(wait(asked)).toBeLessThan(wait(words(0.5)));
    expect(wait({ ...words(0.9), languageModelProbability: 0.1 })).toBeCloseTo(wait(words(0.5)));
    const alone = { weights: { ...SETTINGS.weights, languageModel: 1 } };
    expect(wait(asked, alone)).toBeCloseTo(wait(words(0.9)));
    expect(wait(asked, { weights: { ...SETTINGS.weights, languageModel: 0 } })).toBe(wait(words(0.5)));
  });

  test('takes the longest wait as long as nothing is known', () => {
    expect(judgeEnd(1_000, undefined, undefined, SETTINGS)).toEqual({
      ...{ waitMs: 1_800, probability: 0, awaitsSound: false },
    });
  });

  test('awaits a sound that is about to be known, and judges by the words meanwhile', () => {
    const judged = judgeEnd(400, words(0.9), undefined, SETTINGS);
    const due = judgeEnd(400, { ...words(0.9), isSoundDue: true }, undefined, SETTINGS);
    expect(judged.awaitsSound).toBe(false);
    expect(due).toEqual({ ...judged, awaitsSound: true });
  });

  test('is over the longest wait where the shortest is longer', () => {
    expect(wait(words(0.5), { minWaitMs: 2_500, maxWaitMs: 1_000 })).toBe(2_500);
  });
});

describe('static', () => {
  test.each([
    { silenceMs: 700, silence: 0, over: 0 },
    { silenceMs: 700, silence: 350, over: 0.5 },
    { silenceMs: 700, silence: 700, over: 1 },
    { silenceMs: 100, silence: 5_000, over: 1 },
    // What a predecessor heard may lie ahead of what has been heard again.
    { silenceMs: 100, silence: -2_000, over: 0 },
  ])('waits $silenceMs ms whatever was said', ({ silenceMs, silence, over }) => {
    for (const evidence of [undefined, words(0.04), words(0.95, 0.9), { ...words(0.5), isSoundDue: true }]) {
      const found = judgeEnd(silence, evidence, 900, { ...SETTINGS, turnDetection: 'static', silenceMs, patience: 90 });
      expect(found).toEqual({ waitMs: silenceMs, probability: over, awaitsSound: false });
    }
  });
});

describe('manual', () => {
  test('never ends a turn that has a word', () => {
    const found = judgeEnd(60_000, words(0.95, 0.95), undefined, { ...SETTINGS, turnDetection: 'manual' });
    expect(found).toEqual({ waitMs: Number.POSITIVE_INFINITY, probability: 0, awaitsSound: false });
  });
});

test.each(['static', 'dynamic', 'manual'] as const)('speech without a word is soon over: %s', (turnDetection) => {
  const nothing: PauseEvidence = { hasWords: false, completeness: 0, soundProbability: undefined, isSoundDue: true };
  const { waitMs, probability: over, awaitsSound } = judgeEnd(200, nothing, 2_000, { ...SETTINGS, turnDetection });
  expect(waitMs).toBeLessThanOrEqual(368);
  expect(over).toBe(0);
  expect(awaitsSound).toBe(false);
});

describe('the habit of a speaker', () => {
  test('is learnt from pauses, slowly, and forgets what people do in general', () => {
    let own: number | undefined;
    const averages = Array.from({ length: 20 }, () => {
      own = learnPause(own, 1_200);
      return own;
    });
    expect(averages[0]).toBeGreaterThan(USUAL_PAUSE_MS);
    expect(averages[0]).toBeLessThan(800);
    expect(averages.at(-1)).toBeGreaterThan(1_150);
    expect(averages).toEqual([...averages].sort((a, b) => a - b));
  });
});

describe('trust in the sound of a speaker', () => {
  const after = (...outcomes: readonly (readonly [sound: number, wasEnd: boolean])[]) =>
    outcomes.reduce<number | undefined>((trust, [sound, wasEnd]) => learnSoundTrust(trust, sound, wasEnd), undefined);
  const weight = (trust: number | undefined) => trusting(SETTINGS.weights, trust).sound;

  test('is neither there nor missing at first', () => {
    expect(weight(undefined)).toBe(SETTINGS.weights.sound);
  });

  test('grows while it proves right, and is lost sooner by being wrong', () => {
    const right = after([0.95, true], [0.1, false], [0.9, true]);
    expect(weight(right)).toBeGreaterThan(1.5 * SETTINGS.weights.sound);
    expect(weight(after([0.95, true], [0.95, false], [0.1, true]))).toBeLessThan(0.25 * SETTINGS.weights.sound);
    expect(weight(after([0.5, true], [0.5, false]))).toBe(SETTINGS.weights.sound);
  });

  test('is bounded, so that it can be won and lost again', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(probability, fc.boolean()), { maxLength: 100 }), (outcomes) => {
        const trust = after(...outcomes);
        expect(Math.abs(trust ?? 0)).toBeLessThanOrEqual(3);
        expect(weight(trust)).toBeGreaterThan(0);
        expect(weight(trust)).toBeLessThan(2 * SETTINGS.weights.sound);
      }),
    );
  });
});

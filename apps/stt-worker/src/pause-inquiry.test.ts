import { FakeClock } from '@parley/runtime';
import { describe, expect, test } from 'vitest';
import type { PauseEvidence } from './endpointing.ts';
import { PauseInquiry } from './pause-inquiry.ts';

const LIMIT_MS = 100;

/** An inquiry about a pause, with what it told so far and an answer to give. */
function inquire() {
  const clock = new FakeClock();
  const told: PauseEvidence[] = [];
  const inquiry = new PauseInquiry({
    ...{ pause: { utterance: 1, lastSpeechSample: 16_000 }, sample: 18_560, clock, soundLimitMs: LIMIT_MS },
    onEvidence: (evidence) => told.push(evidence),
  });
  const answer = Promise.withResolvers<number | undefined>();
  const signals: AbortSignal[] = [];
  const askSound = (): void =>
    inquiry.askSound((signal) => {
      signals.push(signal);
      return answer.promise;
    });
  const hear = async (probability: number | undefined): Promise<void> => {
    answer.resolve(probability);
    await answer.promise;
  };
  return { inquiry, clock, told, askSound, hear, isWithdrawn: () => signals.every(({ aborted }) => aborted) };
}

const words = { hasWords: true, completeness: 0.9 };

describe('what is found out about a pause', () => {
  test('is told as soon as the words are known, and again when the sound is', async () => {
    const { inquiry, told, askSound, hear } = inquire();
    askSound();
    inquiry.tellWords(0.9);
    expect(told).toEqual([{ ...words, soundProbability: undefined, isSoundDue: true }]);
    await hear(0.2);
    expect(told.slice(1)).toEqual([{ ...words, soundProbability: 0.2, isSoundDue: false }]);
  });

  test('is told once where the sound is known before the words', async () => {
    const { inquiry, told, askSound, hear } = inquire();
    askSound();
    await hear(0.2);
    expect(told).toEqual([]);
    inquiry.tellWords(0.9);
    expect(told).toEqual([{ ...words, soundProbability: 0.2, isSoundDue: false }]);
  });

  test('is the words alone where nobody judges the sound, or nobody can', async () => {
    const unasked = inquire();
    unasked.inquiry.tellWords(0.9);
    expect(unasked.told).toEqual([{ ...words, soundProbability: undefined, isSoundDue: false }]);
    const unanswered = inquire();
    unanswered.askSound();
    unanswered.inquiry.tellWords(0);
    await unanswered.hear(undefined);
    expect(unanswered.told.at(-1)).toEqual({
      ...{ hasWords: false, completeness: 0, soundProbability: undefined, isSoundDue: false },
    });
  });

  test('is not waited for beyond the limit, and counts all the same', async () => {
    const { inquiry, told, clock, askSound, hear } = inquire();
    askSound();
    inquiry.tellWords(0.9);
    await clock.advance(LIMIT_MS - 1);
    expect(inquiry.sound).toBe('due');
    await clock.advance(1);
    expect(inquiry.sound).toBe('overdue');
    expect(inquiry.waitedMs).toBe(LIMIT_MS);
    expect(told.at(-1)).toEqual({ ...words, soundProbability: undefined, isSoundDue: false });
    await hear(0.2);
    expect(told.at(-1)).toEqual({ ...words, soundProbability: 0.2, isSoundDue: false });
    expect(inquiry.sound).toBe('told');
  });

  test('is of no use after the pause: the judge is told so, and nobody else is told anything', async () => {
    const { inquiry, told, clock, askSound, hear, isWithdrawn } = inquire();
    askSound();
    inquiry.tellWords(0.9);
    expect(isWithdrawn()).toBe(false);
    inquiry.end();
    expect(isWithdrawn()).toBe(true);
    await clock.advance(LIMIT_MS);
    inquiry.tellWords(0.5);
    await hear(0.2);
    expect(told).toHaveLength(1);
  });

  test('is told anew when a language model has answered, for which nobody waits', async () => {
    const { inquiry, told } = inquire();
    const answer = Promise.withResolvers<number | undefined>();
    inquiry.tellWords(0.9);
    inquiry.askLanguageModel(() => answer.promise);
    expect(told).toEqual([{ ...words, soundProbability: undefined, isSoundDue: false }]);
    answer.resolve(0.2);
    await answer.promise;
    expect(told.slice(1)).toEqual([{ ...told[0], languageModelProbability: 0.2 }]);
  });

  test.each([
    ['has nothing to say', false, undefined],
    ['comes after the pause', true, 0.2],
  ] as const)('stays as it is where a language model %s', async (_, isOver, probability) => {
    const { inquiry, told } = inquire();
    const answer = Promise.withResolvers<number | undefined>();
    inquiry.tellWords(0.9);
    inquiry.askLanguageModel(() => answer.promise);
    if (isOver) inquiry.end();
    answer.resolve(probability);
    await answer.promise;
    expect(told).toHaveLength(1);
  });
});

import { readFileSync } from 'node:fs';
import { readWav } from '@parley/audio';
import { createLogger, createMetrics, systemClock } from '@parley/runtime';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { FAULTS } from '../testing/turn-faults.ts';
import { SmartTurn, type SmartTurnOptions } from './smart-turn.ts';
import { soundJudgeMetrics } from './sound-judge-metrics.ts';

const MODEL = new URL('../../../../libs/testkit/fixtures/models/smart-turn-v3/', import.meta.url);
const VECTORS = new URL('vectors/', MODEL);
const TOLERANCE = 0.02;

interface Vector {
  readonly file: string;
  readonly jitter: { readonly min: number; readonly max: number };
}

const { vectors } = JSON.parse(readFileSync(new URL('vectors.json', VECTORS), 'utf8')) as { vectors: Vector[] };
const pcmOf = (file: string): Int16Array => readWav(readFileSync(new URL(file, VECTORS))).samples;

async function load(options: Partial<SmartTurnOptions> = {}) {
  const metrics = createMetrics({ processMetrics: false });
  const judge = await SmartTurn.load({
    ...{ modelDir: MODEL.pathname, clock: systemClock, metrics: soundJudgeMetrics(metrics) },
    logger: createLogger({ name: 'test', level: 'silent' }),
    ...options,
  });
  onTestFinished(() => judge.close());
  const metric = async (name: string): Promise<string[]> =>
    (await metrics.render()).split('\n').filter((line) => line.startsWith(name));
  const outcomes = (): Promise<string[]> => metric('parley_stt_turn_sound_scores_total');
  const computed = (): Promise<string[]> => metric('parley_stt_turn_sound_seconds_count');
  return { judge, outcomes, computed };
}

const faulty = () => load({ entry: new URL('../testing/faulty-turn-thread.ts', import.meta.url) });
/** Of somebody who waits for the answer, however long. */
const { signal } = new AbortController();

describe('the end-of-turn model', () => {
  test('tells complete turns from incomplete ones as the reference does', async () => {
    const { judge } = await load();
    for (const { file, jitter } of vectors) {
      const probability = await judge.score(pcmOf(file), signal);
      expect(probability, file).toBeGreaterThanOrEqual(jitter.min - TOLERANCE);
      expect(probability, file).toBeLessThanOrEqual(jitter.max + TOLERANCE);
    }
  });

  test('does not hold up the event loop', async () => {
    const { judge } = await load();
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    onTestFinished(() => clearInterval(timer));
    const startMs = performance.now();
    for (let i = 0; i < 5; i++) await judge.score(pcmOf('complete-1.wav'), signal);
    expect(ticks).toBeGreaterThan((performance.now() - startMs) / 10);
  });

  test('answers as many as it can, and the others at once without a word', async () => {
    const { judge, outcomes } = await faulty();
    const answers = Array.from({ length: 20 }, () => judge.score(new Int16Array(FAULTS.slow), signal));
    const refused = await Promise.all(answers.slice(5));
    expect(refused.every((answer) => answer === undefined)).toBe(true);
    expect(await Promise.all(answers.slice(0, 5))).toEqual([0.25, 0.25, 0.25, 0.25, 0.25]);
    expect(await outcomes()).toContain('parley_stt_turn_sound_scores_total{outcome="refused"} 15');
  });

  test('is late where nobody wants to know any more, and then does not compute what it has not begun with', async () => {
    const { judge, outcomes, computed } = await faulty();
    const over = new AbortController();
    const answers = [1, 2, 3].map(() => judge.score(new Int16Array(FAULTS.slow), over.signal));
    const wanted = judge.score(new Int16Array(10), signal);
    over.abort();
    expect(await Promise.all(answers)).toEqual([undefined, undefined, undefined]);
    expect(await outcomes()).toEqual(['parley_stt_turn_sound_scores_total{outcome="late"} 2']);
    expect(await wanted).toBe(0.25);
    expect((await outcomes()).sort()).toEqual([
      'parley_stt_turn_sound_scores_total{outcome="late"} 3',
      'parley_stt_turn_sound_scores_total{outcome="used"} 1',
    ]);
    expect(await computed()).toEqual(['parley_stt_turn_sound_seconds_count 2']);
  });

  test('makes room for others when a question is taken back', async () => {
    const { judge } = await faulty();
    const over = new AbortController();
    const answers = Array.from({ length: 5 }, () => judge.score(new Int16Array(FAULTS.slow), over.signal));
    expect(await judge.score(new Int16Array(10), signal)).toBeUndefined();
    over.abort();
    expect(await judge.score(new Int16Array(10), signal)).toBe(0.25);
    await Promise.all(answers);
  });

  test.each([FAULTS.throw, FAULTS.exit])('is replaced when its thread fails (%i)', async (fault) => {
    const { judge } = await faulty();
    const answers = await Promise.all([
      judge.score(new Int16Array(fault), signal),
      judge.score(new Int16Array(10), signal),
    ]);
    expect(answers).toEqual([undefined, undefined]);
    await vi.waitFor(async () => expect(await judge.score(new Int16Array(10), signal)).toBe(0.25), { timeout: 5_000 });
  });

  test('leaves no question open when it is closed in the middle of one', async () => {
    const { judge } = await load();
    const answer = judge.score(pcmOf('incomplete-long.wav'), signal);
    await judge.close();
    expect(await answer).toBeUndefined();
    expect(await judge.score(new Int16Array(10), signal)).toBeUndefined();
  });

  test('keeps samples that are part of something larger', async () => {
    const { judge } = await faulty();
    const samples = new Int16Array(100).fill(7);
    await judge.score(samples.subarray(0, 50), signal);
    expect(samples[0]).toBe(7);
  });

  test.each([
    ['a folder that is not there', new URL('nowhere/', MODEL)],
    ['a folder without it', VECTORS],
  ])('is missing in %s', async (_, folder) => {
    await expect(load({ modelDir: folder.pathname })).rejects.toMatchObject({ code: 'engine_missing' });
  });
});

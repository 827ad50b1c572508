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
    ...{ modelDir: MODEL.pathname, clock: systemClock, metrics: soundJudgeMetrics(metrics), deadlineMs: 10_000 },
    logger: createLogger({ name: 'test', level: 'silent' }),
    ...options,
  });
  onTestFinished(() => judge.close());
  const outcomes = async (): Promise<string[]> =>
    (await metrics.render()).split('\n').filter((line) => line.startsWith('parley_stt_turn_sound_scores_total'));
  return { judge, outcomes };
}

const faulty = (deadlineMs = 10_000) =>
  load({ entry: new URL('../testing/faulty-turn-thread.ts', import.meta.url), deadlineMs });

describe('the end-of-turn model', () => {
  test('tells complete turns from incomplete ones as the reference does', async () => {
    const { judge } = await load();
    for (const { file, jitter } of vectors) {
      const probability = await judge.score(pcmOf(file));
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
    for (let i = 0; i < 5; i++) await judge.score(pcmOf('complete-1.wav'));
    expect(ticks).toBeGreaterThan((performance.now() - startMs) / 10);
  });

  test('answers as many as it can, and the others at once without a word', async () => {
    const { judge, outcomes } = await faulty();
    const answers = Array.from({ length: 20 }, () => judge.score(new Int16Array(FAULTS.slow)));
    const refused = await Promise.all(answers.slice(5));
    expect(refused.every((answer) => answer === undefined)).toBe(true);
    expect(await Promise.all(answers.slice(0, 5))).toEqual([0.25, 0.25, 0.25, 0.25, 0.25]);
    expect(await outcomes()).toContain('parley_stt_turn_sound_scores_total{outcome="refused"} 15');
  });

  test('is not waited for when it is late, and what nobody waits for is not computed', async () => {
    const { judge, outcomes } = await faulty(50);
    const startMs = performance.now();
    const answers = await Promise.all([1, 2, 3].map(() => judge.score(new Int16Array(FAULTS.slow))));
    expect(answers).toEqual([undefined, undefined, undefined]);
    expect(performance.now() - startMs).toBeLessThan(190);
    await vi.waitFor(async () =>
      expect(await outcomes()).toContain('parley_stt_turn_sound_scores_total{outcome="late"} 3'),
    );
    expect(performance.now() - startMs).toBeLessThan(400);
    expect(await judge.score(new Int16Array(10))).toBe(0.25);
  });

  test.each([FAULTS.throw, FAULTS.exit])('is replaced when its thread fails (%i)', async (fault) => {
    const { judge } = await faulty();
    const answers = await Promise.all([judge.score(new Int16Array(fault)), judge.score(new Int16Array(10))]);
    expect(answers).toEqual([undefined, undefined]);
    await vi.waitFor(async () => expect(await judge.score(new Int16Array(10))).toBe(0.25), { timeout: 5_000 });
  });

  test('leaves no question open when it is closed in the middle of one', async () => {
    const { judge } = await load();
    const answer = judge.score(pcmOf('incomplete-long.wav'));
    await judge.close();
    expect(await answer).toBeUndefined();
    expect(await judge.score(new Int16Array(10))).toBeUndefined();
  });

  test('keeps samples that are part of something larger', async () => {
    const { judge } = await faulty();
    const samples = new Int16Array(100).fill(7);
    await judge.score(samples.subarray(0, 50));
    expect(samples[0]).toBe(7);
  });

  test.each([
    ['a folder that is not there', new URL('nowhere/', MODEL)],
    ['a folder without it', VECTORS],
  ])('is missing in %s', async (_, folder) => {
    await expect(load({ modelDir: folder.pathname })).rejects.toMatchObject({ code: 'engine_missing' });
  });
});

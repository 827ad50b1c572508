import { FakeClock } from '@parley/runtime';
import { describe, expect, it } from 'vitest';
import { Health } from './health.ts';

function observe(answers: () => boolean) {
  const clock = new FakeClock();
  const changes: boolean[] = [];
  const probesAtMs: number[] = [];
  const health = new Health({
    ...{ clock, probeLimitMs: 100 },
    probe: async () => {
      probesAtMs.push(clock.nowMs());
      if (!answers()) throw new Error('no');
    },
    onChange: (isHealthy) => changes.push(isHealthy),
  });
  return { health, changes, probesAtMs, pass: (ms: number) => clock.advance(ms) };
}

describe('health', () => {
  it('is good until a failure, and again when a probe is answered', async () => {
    let answers = false;
    const { health, changes, probesAtMs, pass } = observe(() => answers);
    expect(health.isHealthy).toBe(true);
    health.failed();
    health.failed();
    expect(health.isHealthy).toBe(false);
    await pass(1_100);
    expect(probesAtMs).toHaveLength(1);
    answers = true;
    await pass(2_100);
    expect(health.isHealthy).toBe(true);
    expect(changes).toEqual([false, true]);
  });

  it('is asked for less and less often while it stays bad', async () => {
    const { health, probesAtMs, pass } = observe(() => false);
    health.failed();
    await pass(120_000);
    expect(probesAtMs.length).toBeLessThan(12);
    expect(probesAtMs.length).toBeGreaterThan(5);
    health.close();
    const count = probesAtMs.length;
    await pass(60_000);
    expect(probesAtMs).toHaveLength(count);
  });

  it('is not trusted for an answered probe alone: the next wait is longer, unless work has succeeded', async () => {
    const { health, probesAtMs, pass } = observe(() => true);
    health.failed();
    await pass(1_100);
    health.failed();
    await pass(1_100);
    expect(probesAtMs).toHaveLength(1);
    await pass(1_000);
    expect(probesAtMs).toHaveLength(2);
    health.succeeded();
    health.failed();
    await pass(1_100);
    expect(probesAtMs).toHaveLength(3);
  });
});

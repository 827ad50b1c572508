import { FakeClock } from '@parley/runtime';
import { describe, expect, it } from 'vitest';
import { CircuitBreaker } from './circuit-breaker.ts';

describe('a circuit breaker', () => {
  it('lets everything through until something fails', () => {
    const breaker = new CircuitBreaker(new FakeClock());
    const rounds = [breaker.letThrough(), breaker.letThrough()];
    expect(rounds).toEqual([1, 1]);
    breaker.failed(1);
    expect(breaker.isOpen).toBe(true);
    expect(breaker.letThrough()).toBeUndefined();
  });

  it('lets one through when the pause is over, and all again when that one succeeds', async () => {
    const clock = new FakeClock();
    const breaker = new CircuitBreaker(clock);
    breaker.failed(breaker.letThrough());
    await clock.advance(1_000);
    expect(breaker.letThrough()).toBe(2);
    expect(breaker.letThrough()).toBeUndefined();
    breaker.succeeded();
    expect(breaker.letThrough()).toBe(2);
    expect(breaker.letThrough()).toBe(2);
  });

  it('waits longer after every trial that fails, but not for ever', async () => {
    const clock = new FakeClock();
    const breaker = new CircuitBreaker(clock);
    const pausesMs: number[] = [];
    for (let failures = 0; failures < 8; failures += 1) {
      breaker.failed(breaker.letThrough());
      let waitedMs = 0;
      for (; waitedMs < 60_000; waitedMs += 100) {
        const probe = breaker.letThrough();
        if (probe !== undefined) {
          breaker.failed(probe - 1); // not of this round: counts for nothing
          break;
        }
        await clock.advance(100);
      }
      pausesMs.push(waitedMs);
      await clock.advance(30_000);
    }
    expect(pausesMs[0]).toBeLessThanOrEqual(1_000);
    expect(pausesMs.at(-1)).toBeGreaterThan(20_000);
    expect(Math.max(...pausesMs)).toBeLessThanOrEqual(30_000);
  });

  it('counts what failed together once', async () => {
    const clock = new FakeClock();
    const breaker = new CircuitBreaker(clock);
    const rounds = Array.from({ length: 20 }, () => breaker.letThrough());
    for (const round of rounds) breaker.failed(round);
    await clock.advance(1_000);
    expect(breaker.letThrough()).toBe(2);
  });
});

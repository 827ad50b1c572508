import { expect, test } from 'vitest';
import { FakeClock } from './clock.ts';
import { backoff, retry } from './retry.ts';

test('waits grow to the limit and start again after a reset', () => {
  const waits = backoff({ initialMs: 100, maxMs: 500, jitter: 0 });
  expect([waits.next(), waits.next(), waits.next(), waits.next()]).toEqual([100, 200, 400, 500]);
  waits.reset();
  expect(waits.next()).toBe(100);
});

test('jitter shortens a wait by its share at most', () => {
  const waits = backoff({ initialMs: 100, maxMs: 100, jitter: 0.5 });
  for (let draw = 0; draw < 200; draw += 1) {
    const waitMs = waits.next();
    expect(waitMs).toBeGreaterThanOrEqual(50);
    expect(waitMs).toBeLessThanOrEqual(100);
  }
});

test('retries until it succeeds, telling of each failure', async () => {
  const clock = new FakeClock();
  const told: number[] = [];
  const result = retry(
    (attempt) => {
      if (attempt < 3) throw new Error('not yet');
      return attempt;
    },
    { initialMs: 10, maxMs: 100, jitter: 0, clock, onRetry: (_error, _attempt, waitMs) => told.push(waitMs) },
  );
  await clock.advance(30);
  expect(await result).toBe(3);
  expect(told).toEqual([10, 20]);
});

test('gives up after its attempts, and at once on what is not worth retrying', async () => {
  let calls = 0;
  const failing = () => {
    calls += 1;
    throw new Error(`failure ${calls}`);
  };
  await expect(retry(failing, { initialMs: 0, maxMs: 0, attempts: 3 })).rejects.toThrow('failure 3');
  await expect(retry(failing, { initialMs: 0, maxMs: 0, shouldRetry: () => false })).rejects.toThrow('failure 4');
});

test('an abort ends the wait with its reason', async () => {
  const controller = new AbortController();
  const clock = new FakeClock();
  const result = retry(() => Promise.reject(new Error('down')), { initialMs: 10, maxMs: 10, clock }, controller.signal);
  const outcome = expect(result).rejects.toBe('leaving');
  await clock.advance(5);
  controller.abort('leaving');
  await outcome;
});

import { expect, test } from 'vitest';
import { FakeClock, systemClock } from './clock.ts';

test('a fake clock fires timers in order of time, and those that they set', async () => {
  const clock = new FakeClock(1_000);
  const fired: [string, number][] = [];
  clock.setTimeout(() => fired.push(['late', clock.nowMs()]), 30);
  clock.setTimeout(() => {
    fired.push(['early', clock.nowMs()]);
    clock.setTimeout(() => fired.push(['nested', clock.nowMs()]), 5);
  }, 10);
  await clock.advance(29);
  expect(fired).toEqual([
    ['early', 10],
    ['nested', 15],
  ]);
  await clock.advance(1);
  expect(fired.at(-1)).toEqual(['late', 30]);
  expect(clock.wallMs()).toBe(1_030);
});

test('a loop of sleeps runs through one advance', async () => {
  const clock = new FakeClock();
  let laps = 0;
  const loop = (async () => {
    for (; laps < 5; laps += 1) await clock.sleep(20);
  })();
  await clock.advance(100);
  await loop;
  expect(laps).toBe(5);
  expect(clock.pendingTimers).toBe(0);
});

test.each([
  ['fake', () => new FakeClock()],
  ['system', () => systemClock],
])('on the %s clock an aborted sleep rejects with the reason and leaves no timer', async (_name, make) => {
  const clock = make();
  const controller = new AbortController();
  const sleeping = clock.sleep(60_000, controller.signal);
  const reason = new Error('enough');
  controller.abort(reason);
  await expect(sleeping).rejects.toBe(reason);
  await expect(clock.sleep(1, controller.signal)).rejects.toBe(reason);
  if (clock instanceof FakeClock) expect(clock.pendingTimers).toBe(0);
});

test('a cancelled timer does not fire', async () => {
  const clock = new FakeClock();
  let fired = false;
  const cancel = clock.setTimeout(() => {
    fired = true;
  }, 10);
  cancel();
  await clock.advance(20);
  expect(fired).toBe(false);
});

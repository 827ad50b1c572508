import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { FakeClock } from './clock.ts';
import { DeadlineError, deadlineSignal, linkSignals, untilAborted } from './signals.ts';

test('a linked signal aborts with the reason of the first of its sources', () => {
  const [shutdown, interrupt] = [new AbortController(), new AbortController()];
  const linked = linkSignals(shutdown.signal, undefined, interrupt.signal);
  interrupt.abort('spoken over');
  shutdown.abort('later');
  expect(linked.signal.reason).toBe('spoken over');
});

test('a source that has aborted already aborts at once', () => {
  expect(linkSignals(AbortSignal.abort('before')).signal.reason).toBe('before');
});

test('no listener stays on a source after release, after an abort of its own or of another source', () => {
  const shutdown = new AbortController();
  const other = new AbortController();
  linkSignals(shutdown.signal).release();
  linkSignals(shutdown.signal).abort('done');
  const linked = linkSignals(shutdown.signal, other.signal);
  other.abort();
  expect(linked.signal.aborted).toBe(true);
  linkSignals(shutdown.signal, AbortSignal.abort());
  expect(getEventListeners(shutdown.signal, 'abort')).toHaveLength(0);
});

test('an own abort leaves the sources alone, and a released link follows no more', () => {
  const shutdown = new AbortController();
  const linked = linkSignals(shutdown.signal);
  linked.abort('mine');
  expect(shutdown.signal.aborted).toBe(false);
  const released = linkSignals(shutdown.signal);
  released.release();
  shutdown.abort();
  expect(released.signal.aborted).toBe(false);
});

test('a deadline aborts with a DeadlineError on its clock, unless released', async () => {
  const clock = new FakeClock();
  const missed = deadlineSignal(clock, 100);
  const met = deadlineSignal(clock, 100);
  met.release();
  await clock.advance(100);
  expect(missed.signal.reason).toBeInstanceOf(DeadlineError);
  expect(met.signal.aborted).toBe(false);
  await untilAborted(missed.signal);
});

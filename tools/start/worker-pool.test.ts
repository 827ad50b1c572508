import { fileURLToPath } from 'node:url';
import { systemClock } from '@parley/runtime';
import { afterEach, expect, test, vi } from 'vitest';
import { createOutput } from './output.ts';
import { StartError } from './start-error.ts';
import { Supervisor } from './supervisor.ts';
import { WorkerPool } from './worker-pool.ts';

const FIXTURE = fileURLToPath(new URL('fixtures/child.ts', import.meta.url));
const WAIT = { timeout: 10_000, interval: 10 };

let pool: WorkerPool | undefined;
afterEach(() => pool?.stop(0));

/** A pool of two whose workers behave as the setting `BEHAVIOUR` says, and serve once all have an id. */
function makePool() {
  let text = '';
  const fatal: StartError[] = [];
  const generations: Supervisor[] = [];
  const write = (more: string): void => {
    text += more;
  };
  const output = createOutput({ write, colour: false, nameWidth: 1 });
  const made = new WorkerPool({
    specs: ({ BEHAVIOUR = 'serve' }, from) =>
      [from, from + 1].map((number) => ({
        name: `w${number}`,
        program: process.execPath,
        args: [FIXTURE, BEHAVIOUR],
        env: process.env,
      })),
    supervise: (onFatal) => {
      const supervisor = new Supervisor({ clock: systemClock, output, onFatal });
      generations.push(supervisor);
      return supervisor;
    },
    onFatal: (error) => fatal.push(error),
    untilServing: async (pids, signal) => {
      const names = [1, 2].map((number) => `w${2 * (generations.length - 1) + number}`);
      await vi.waitFor(() => {
        if (signal.aborted) return;
        expect(pids()).not.toContain(undefined);
        for (const name of names) expect(text).toContain(`${name} │ up`);
      }, WAIT);
      signal.throwIfAborted();
    },
    handOverMs: 5000,
  });
  pool = made;
  const running = (generation: number): number =>
    generations[generation]?.pids.filter((pid) => pid !== undefined).length ?? 0;
  return { pool: made, fatal, running, text: () => text };
}

const never = new AbortController().signal;

test('workers leave once those that take their place serve', async () => {
  const { pool: made, running, text } = makePool();
  made.start();
  await vi.waitFor(() => expect(text()).toContain('w2 │ up'), WAIT);
  await made.replace({ BEHAVIOUR: 'serve' }, never);
  expect(text()).toContain('w4 │ up');
  expect([running(0), running(1)]).toEqual([0, 2]);
  await made.stop(5000);
  expect([running(0), running(1)]).toEqual([0, 0]);
});

test('workers stay when those that should take their place cannot serve', async () => {
  const { pool: made, fatal, running, text } = makePool();
  made.start();
  await vi.waitFor(() => expect(text()).toContain('w2 │ up'), WAIT);
  await expect(made.replace({ BEHAVIOUR: 'misconfigured' }, never)).rejects.toThrow(StartError);
  expect([running(0), running(1)]).toEqual([2, 0]);
  expect(fatal).toEqual([]);
});

test('what is about to be stopped is not waited for', async () => {
  const { pool: made, running } = makePool();
  made.start();
  const shutdown = new AbortController();
  const replacing = made.replace({ BEHAVIOUR: 'serve' }, shutdown.signal);
  shutdown.abort(new Error('leaving'));
  await expect(replacing).rejects.toThrow('leaving');
  await made.stop(5000);
  expect([running(0), running(1)]).toEqual([0, 0]);
});

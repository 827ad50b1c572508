import { fileURLToPath } from 'node:url';
import { systemClock } from '@parley/runtime';
import { afterEach, expect, test, vi } from 'vitest';
import { createOutput } from './output.ts';
import type { StartError } from './start-error.ts';
import { Supervisor } from './supervisor.ts';

const FIXTURE = fileURLToPath(new URL('fixtures/child.ts', import.meta.url));
const WAIT = { timeout: 10_000, interval: 10 };

let supervisor: Supervisor | undefined;
afterEach(() => supervisor?.stop(0));

function supervise() {
  let text = '';
  const fatal: StartError[] = [];
  const output = createOutput({
    write: (more) => {
      text += more;
    },
    colour: false,
    nameWidth: 6,
  });
  const made = new Supervisor({
    clock: systemClock,
    output,
    onFatal: (error) => fatal.push(error),
    restart: { initialMs: 40, maxMs: 200 },
  });
  supervisor = made;
  const add = (name: string, behaviour: string) =>
    made.add({ name, program: process.execPath, args: [FIXTURE, behaviour], env: process.env });
  return {
    supervisor: made,
    fatal,
    add,
    text: () => text,
    untilText: (part: string | RegExp) => vi.waitFor(() => expect(text).toMatch(part), WAIT),
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('puts the name of a child before each of its lines', async () => {
  const { add, untilText } = supervise();
  add('one', 'serve');
  add('second', 'serve');
  await untilText(/^one {4}│ up$/m);
  await untilText(/^second │ up$/m);
});

test('starts a crashed child again, after waits that grow', async () => {
  const { add, text, untilText } = supervise();
  add('one', 'crash');
  await untilText(/(one exited with code 3 [\s\S]*){4}/);
  const waits = [...text().matchAll(/starting it again in (\d\.\d) s/g)].map((match) => Number(match[1]));
  expect(waits[0]).toBeLessThanOrEqual(0.1);
  expect(waits[3]).toBe(0.2);
  expect(new Set(text().match(/pid \d+/g)).size).toBeGreaterThanOrEqual(4);
});

test('starts a child again that was killed', async () => {
  const { add, untilText } = supervise();
  const child = add('one', 'serve');
  await untilText('up');
  process.kill(child.pid ?? 0, 'SIGKILL');
  await untilText(/was ended by SIGKILL[\s\S]*up/);
});

test('does not insist on a configuration that is wrong', async () => {
  const { add, fatal, text } = supervise();
  add('one', 'misconfigured');
  await vi.waitFor(() => expect(fatal[0]?.message).toContain('one cannot run with this configuration'), WAIT);
  expect(text()).toContain('PARLEY_X is required');
  expect(text()).not.toContain('starting it again');
});

test('says so when a program cannot be started', async () => {
  const { supervisor: made, untilText } = supervise();
  made.add({ name: 'absent', program: '/nowhere/program', args: [], env: process.env });
  await untilText(/absent │ cannot be started: .*ENOENT/);
});

test('a child that will not leave is made to when the grace is over', async () => {
  const { supervisor: made, add, text, untilText } = supervise();
  const child = add('one', 'stubborn');
  const polite = add('two', 'serve');
  await untilText(/one +│ up/);
  await untilText(/two +│ up/);
  const pids = [child.pid ?? 0, polite.pid ?? 0];
  const startedMs = performance.now();
  await made.stop(300);
  expect(performance.now() - startedMs).toBeGreaterThanOrEqual(290);
  expect(text()).toMatch(/one +│ no/);
  expect(pids.filter(isAlive)).toEqual([]);
});

test('what a child started goes with it', async () => {
  const { supervisor: made, add, text, untilText } = supervise();
  add('one', 'parent');
  await untilText('up');
  const grandchild = Number(/grandchild (\d+)/.exec(text())?.[1]);
  await made.stop(1000);
  await vi.waitFor(() => expect(isAlive(grandchild)).toBe(false), WAIT);
});

test('a child that waits for its restart is not started any more after stop', async () => {
  const { supervisor: made, add, text, untilText } = supervise();
  const child = add('one', 'crash');
  await untilText('starting it again');
  await made.stop(1000);
  const starts = text().match(/pid/g)?.length;
  expect(child.pid).toBeUndefined();
  await systemClock.sleep(0);
  expect(text().match(/pid/g)?.length).toBe(starts);
});

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test, vi } from 'vitest';

const FIXTURE = fileURLToPath(new URL('../fixtures/service.ts', import.meta.url));
const WAIT = { timeout: 10_000, interval: 20 };

interface Running {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly exited: Promise<number | null>;
  stdout(): string;
  stderr(): string;
  entry(message: string): Record<string, unknown> | undefined;
}

const children: Running[] = [];
afterEach(async () => {
  for (const { child, exited } of children.splice(0)) {
    child.kill('SIGKILL');
    await exited;
  }
});

function run(behaviour: string, env: Record<string, string> = {}): Running {
  const child = spawn(process.execPath, [FIXTURE], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, PARLEY_BEHAVIOUR: behaviour, ...env },
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk;
  });
  const running: Running = {
    child,
    exited: once(child, 'close').then(([code]) => code),
    stdout: () => stdout,
    stderr: () => stderr,
    entry: (message) =>
      stdout
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line): Record<string, unknown> => JSON.parse(line))
        .find((entry) => entry.msg === message),
  };
  children.push(running);
  return running;
}

async function untilLogged(service: Running, message: string): Promise<Record<string, unknown>> {
  return await vi.waitFor(() => {
    const entry = service.entry(message);
    if (!entry) throw new Error(`"${message}" not logged:\n${service.stdout()}${service.stderr()}`);
    return entry;
  }, WAIT);
}

test('a service serves its health, drains at SIGTERM, releases and exits with 0', async () => {
  const service = run('serve');
  await untilLogged(service, 'serving');
  const { port } = await untilLogged(service, 'health listening');
  expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
  expect(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()).toContain('parley_log_lines_dropped 0');
  service.child.kill('SIGTERM');
  expect(await service.exited).toBe(0);
  expect(service.entry('draining')).toMatchObject({ why: 'SIGTERM' });
  expect(service.entry('released')).toBeDefined();
  expect(service.entry('stopped')).toMatchObject({ exitCode: 0 });
});

test('a body that returns ends the process', async () => {
  const service = run('return');
  expect(await service.exited).toBe(0);
  expect(service.entry('released')).toBeDefined();
});

test('a wrong configuration ends with 78 and every fault on standard error', async () => {
  const service = run('dance', { PARLEY_LIMIT: '0', PARLEY_LOG_LEVEL: 'loud' });
  expect(await service.exited).toBe(78);
  expect(service.stderr()).toMatch(/^fixture cannot start/);
  for (const name of ['PARLEY_BEHAVIOUR', 'PARLEY_LIMIT', 'PARLEY_LOG_LEVEL']) expect(service.stderr()).toContain(name);
});

test.each([
  ['throw', 'failed'],
  ['reject', 'crashed'],
  ['uncaught', 'crashed'],
])('after a %s it releases what it holds and exits with 70', async (behaviour, message) => {
  const service = run(behaviour);
  expect(await service.exited).toBe(70);
  expect(service.entry(message)).toMatchObject({ level: 'fatal' });
  expect(service.entry('released')).toBeDefined();
});

test('a failing release is reported and shows in the exit code', async () => {
  const service = run('close-fails');
  expect(await service.exited).toBe(70);
  expect(service.stdout()).toContain('broken');
  expect(service.entry('released')).toBeDefined();
});

test('draining that takes too long is cut short with exit code 1', async () => {
  const service = run('hang', { PARLEY_DRAIN_TIMEOUT_MS: '100' });
  await untilLogged(service, 'serving');
  service.child.kill('SIGINT');
  expect(await service.exited).toBe(1);
});

test('a second signal forces, but not the echo of the first', async () => {
  const service = run('hang');
  await untilLogged(service, 'serving');
  service.child.kill('SIGINT');
  service.child.kill('SIGINT');
  const drainingSinceMs = performance.now();
  await untilLogged(service, 'draining');
  const insisting = setInterval(() => service.child.kill('SIGINT'), 100);
  const code = await service.exited.finally(() => clearInterval(insisting));
  expect(code).toBe(1);
  expect(performance.now() - drainingSinceMs).toBeGreaterThan(900);
});

test('a supervised service leaves when its standard input ends', async () => {
  const service = run('serve', { PARLEY_SUPERVISED: '1' });
  await untilLogged(service, 'serving');
  service.child.stdin.end();
  expect(await service.exited).toBe(0);
  expect(service.entry('draining')).toMatchObject({ why: 'the supervisor is gone' });
});

test('a service whose supervisor vanished, pipes and all, still leaves in order', async () => {
  const service = run('serve', { PARLEY_SUPERVISED: '1' });
  await untilLogged(service, 'serving');
  service.child.stdout.destroy();
  service.child.stderr.destroy();
  service.child.stdin.destroy();
  expect(await service.exited).toBe(0);
});

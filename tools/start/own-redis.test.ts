import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Closer, systemClock } from '@parley/runtime';
import { Redis } from 'ioredis';
import { afterEach, expect, test, vi } from 'vitest';
import { createOutput } from './output.ts';
import { prepareOwnRedis, redisServes } from './own-redis.ts';
import { pingRedis } from './redis-probe.ts';
import { Supervisor } from './supervisor.ts';

const WAIT = { timeout: 10_000, interval: 20 };
const never = new AbortController().signal;

let closer = new Closer();
afterEach(async () => {
  await closer.close();
  closer = new Closer();
});

async function makeDataDir(...below: string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'parley-redis-'));
  closer.defer('folder', () => rm(folder, { recursive: true, force: true }));
  return join(folder, ...below);
}

async function startRedis(dataDir: string) {
  const redis = await prepareOwnRedis(dataDir, systemClock);
  closer.defer('socket', () => redis.cleanUp());
  const output = createOutput({ write: () => {}, colour: false, nameWidth: 0 });
  const supervisor = new Supervisor({ clock: systemClock, output, onFatal: () => {} });
  closer.defer('redis', () => supervisor.stop(2000));
  const child = supervisor.add(redis.child);
  await redisServes(redis.url, systemClock, never);
  return { ...redis, supervisor, running: child };
}

async function withClient<T>(url: string, use: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis({ path: decodeURIComponent(url.slice('unix://'.length)) });
  // What goes wrong rejects the command.
  client.on('error', () => {});
  try {
    return await use(client);
  } finally {
    client.disconnect();
  }
}

test('keeps what it was told, listens on its socket only, and leaves no socket behind', async () => {
  const dataDir = await makeDataDir();
  const first = await startRedis(dataDir);
  await withClient(first.url, async (client) => {
    await client.set('kept', 'yes');
    expect(await client.config('GET', 'port')).toEqual(['port', '0']);
    expect(await client.config('GET', 'appendonly')).toEqual(['appendonly', 'yes']);
  });
  await first.supervisor.stop(2000);
  await first.cleanUp();
  expect(await readdir(dataDir)).toEqual(['redis']);
  const second = await startRedis(dataDir);
  expect(await withClient(second.url, (client) => client.get('kept'))).toBe('yes');
});

test('is started again after a crash, on the same socket, with its data', async () => {
  const redis = await startRedis(await makeDataDir());
  await withClient(redis.url, async (client) => {
    await client.set('kept', 'yes');
    const pid = Number(/process_id:(\d+)/.exec(await client.info('server'))?.[1]);
    process.kill(pid, 'SIGKILL');
  });
  await vi.waitFor(async () => {
    expect(await withClient(redis.url, (client) => client.get('kept'))).toBe('yes');
  }, WAIT);
});

test('a path too long for a socket gets one in the temporary folder, always the same', async () => {
  const dataDir = await makeDataDir('a-folder-with-a-name-that-is-long'.repeat(3), 'data');
  const first = await prepareOwnRedis(dataDir, systemClock);
  expect(Buffer.byteLength(first.url)).toBeLessThan(100);
  expect((await prepareOwnRedis(dataDir, systemClock)).url).toBe(first.url);
  expect((await prepareOwnRedis(`${dataDir}2`, systemClock)).url).not.toBe(first.url);
});

test('a folder whose name needs escaping in a URL serves too', async () => {
  const redis = await startRedis(await makeDataDir('my data 100%'));
  await pingRedis(redis.url);
});

test('when the supervisor is killed, its children leave, Redis among them', async () => {
  const dataDir = await makeDataDir();
  const fixture = fileURLToPath(new URL('fixtures/supervisor.ts', import.meta.url));
  const supervisor = spawn(process.execPath, [fixture, dataDir], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  supervisor.stdout.on('data', (chunk: Buffer) => {
    text += chunk;
  });
  await vi.waitFor(() => expect(text).toContain('child │ up'), WAIT);
  const url = /unix:\S+/.exec(text)?.[0] ?? '';
  const childPid = Number(/child │ pid (\d+)/.exec(text)?.[1]);
  await pingRedis(url);
  supervisor.kill('SIGKILL');
  await once(supervisor, 'close');
  await vi.waitFor(() => expect(() => process.kill(childPid, 0)).toThrow('ESRCH'), WAIT);
  await vi.waitFor(() => expect(pingRedis(url)).rejects.toThrow(), WAIT);
});

test('a Redis that was left behind is sent away before another one starts', async () => {
  const dataDir = await makeDataDir();
  const prepared = await prepareOwnRedis(dataDir, systemClock);
  const [, program = '', ...args] = prepared.child.args;
  const leftover = spawn(program, args, { stdio: 'ignore' });
  closer.defer('leftover', () => void leftover.kill('SIGKILL'));
  const left = once(leftover, 'exit');
  await redisServes(prepared.url, systemClock, never);
  const redis = await startRedis(dataDir);
  await left;
  await pingRedis(redis.url);
});

test('a Redis that cannot be reached says why', async () => {
  await expect(pingRedis('redis://127.0.0.1:1')).rejects.toThrow('ECONNREFUSED');
  await expect(pingRedis('unix:///nowhere/redis.sock')).rejects.toThrow('ENOENT');
});

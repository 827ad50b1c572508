import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { startRedisContainer } from './redis-container.ts';
import type { RedisHost } from './redis-host.ts';

const START_TIMEOUT_MS = 10_000;
const POLL_MS = 20;

/** A Redis of its own for one test file, with an append-only file, so that it comes back with its data. */
export interface TestRedis {
  readonly url: string;
  /** A client for looking behind the code under test; it reconnects by itself. */
  readonly client: Redis;
  /** Kills the process, as a crash would. */
  kill(): Promise<void>;
  /** Starts it again on the same data and the same URL; kills it first if it runs. */
  restart(): Promise<void>;
  /** Stops it from answering while its connections stay open, until `thaw`. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

/** Starts a Redis: the local `redis-server`, or a container where only Docker is there. */
export async function startRedis(): Promise<TestRedis> {
  const isLocal = spawnSync('redis-server', ['--version']).status === 0;
  const host = isLocal ? await startLocalRedis() : await startRedisContainer();
  const client = connect(host.url);
  try {
    await untilAnswering(client);
  } catch (error) {
    client.disconnect();
    await host.dispose();
    throw error;
  }
  return {
    url: host.url,
    client,
    kill: () => host.kill(),
    async restart() {
      await host.kill();
      await host.start();
      await untilAnswering(client);
    },
    freeze: () => host.freeze(),
    thaw: () => host.thaw(),
    async stop() {
      client.disconnect();
      await host.dispose();
    },
  };
}

function connect(url: string): Redis {
  const options = { retryStrategy: () => POLL_MS, maxRetriesPerRequest: null };
  const client = url.startsWith('unix://')
    ? new Redis({ ...options, path: url.slice('unix://'.length) })
    : new Redis(url, options);
  client.on('error', () => {});
  return client;
}

async function untilAnswering(client: Redis): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('Redis did not answer in time')), START_TIMEOUT_MS);
  });
  try {
    await Promise.race([client.ping(), timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** A `redis-server` on a Unix socket in a folder of its own. */
async function startLocalRedis(): Promise<RedisHost> {
  const folder = await mkdtemp(join(tmpdir(), 'parley-redis-'));
  const socket = join(folder, 'redis.sock');
  let child: ChildProcess | undefined;

  const kill = async (): Promise<void> => {
    const running = child;
    child = undefined;
    if (!running || running.exitCode !== null || running.signalCode !== null) return;
    const exited = once(running, 'exit');
    running.kill('SIGKILL');
    await exited;
  };
  const start = async (): Promise<void> => {
    // Under `everysec` a slow disk makes Redis answer before it has handed a write to the system, and a kill loses it.
    const persistence = ['--save', '', '--appendonly', 'yes', '--appendfsync', 'no'];
    child = spawn('redis-server', ['--port', '0', '--unixsocket', socket, '--dir', folder, ...persistence], {
      stdio: 'ignore',
    });
    await once(child, 'spawn');
  };
  await start();
  return {
    url: `unix://${socket}`,
    start,
    kill,
    freeze: async () => void child?.kill('SIGSTOP'),
    thaw: async () => void child?.kill('SIGCONT'),
    async dispose() {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

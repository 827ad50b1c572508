import { createHash } from 'node:crypto';
import { accessSync, constants } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Clock, retry } from '@parley/runtime';
import type { ChildSpec } from './child.ts';
import { pingRedis, shutDownRedis } from './redis-probe.ts';
import { StartError } from './start-error.ts';

/** A Redis of our own: nothing but a socket file, and its data in the data folder. */
export interface OwnRedis {
  readonly url: string;
  readonly child: ChildSpec;
  /** Removes the socket file, once the process is gone. */
  cleanUp(): Promise<void>;
}

/** A socket's path has to fit into some 104 bytes, on the system that allows the fewest. */
const MAX_SOCKET_PATH_BYTES = 100;
const READY_WITHIN_MS = 15_000;
const LEAVES_WITHIN_MS = 5000;

/**
 * Prepares a Redis in the data folder, which the caller must have locked. One that a killed supervisor left behind there
 * is sent away first: two on one append-only file would ruin it.
 */
export async function prepareOwnRedis(dataDir: string, clock: Clock): Promise<OwnRedis> {
  const folder = join(dataDir, 'redis');
  await mkdir(folder, { recursive: true });
  const socket = socketPath(dataDir);
  await mkdir(dirname(socket), { recursive: true, mode: 0o700 });
  const url = `unix://${encodeURI(socket)}`;
  await sendAwayLeftover(url, clock);
  await rm(socket, { force: true });
  const program = findServer();
  return {
    url,
    child: {
      name: 'redis',
      program: process.execPath,
      args: [fileURLToPath(new URL('guard.ts', import.meta.url)), program, ...serverArguments(folder, socket)],
      env: process.env,
    },
    cleanUp: () => rm(socket, { force: true }),
  };
}

/** Waits until a Redis that was just started serves, its data loaded. */
export async function redisServes(url: string, clock: Clock, signal: AbortSignal): Promise<void> {
  const deadlineMs = clock.nowMs() + READY_WITHIN_MS;
  const shouldRetry = (): boolean => clock.nowMs() < deadlineMs;
  try {
    await retry(() => pingRedis(url), { initialMs: 20, maxMs: 200, clock, shouldRetry }, signal);
  } catch (cause) {
    signal.throwIfAborted();
    throw new StartError('Its own Redis does not start; see its messages above.', { cause });
  }
}

function serverArguments(folder: string, socket: string): string[] {
  const settings: readonly (readonly [string, string])[] = [
    ['port', '0'],
    ['unixsocket', socket],
    ['unixsocketperm', '700'],
    ['dir', folder],
    ['appendonly', 'yes'],
    ['appendfsync', 'everysec'],
    // The append-only file is all the persistence; snapshots would only add their forks.
    ['save', ''],
    // What is in Redis is a conversation: refusing new ones is better than forgetting parts of it.
    ['maxmemory-policy', 'noeviction'],
    ['loglevel', 'warning'],
  ];
  return settings.flatMap(([name, value]) => [`--${name}`, value]);
}

/** The data folder's own, or one in the temporary folder that is always the same for this data folder. */
function socketPath(dataDir: string): string {
  const own = join(dataDir, 'redis.sock');
  if (Buffer.byteLength(own) <= MAX_SOCKET_PATH_BYTES) return own;
  const name = createHash('sha256').update(dataDir).digest('hex').slice(0, 16);
  return join(tmpdir(), `parley-${name}`, 'redis.sock');
}

async function sendAwayLeftover(url: string, clock: Clock): Promise<void> {
  const deadlineMs = clock.nowMs() + LEAVES_WITHIN_MS;
  for (;;) {
    const leftover = await pingRedis(url).then(
      () => true,
      () => false,
    );
    if (!leftover) return;
    if (clock.nowMs() > deadlineMs) throw new StartError(`The Redis at ${url} was left behind and does not go.`);
    await shutDownRedis(url);
    await clock.sleep(50);
  }
}

function findServer(): string {
  const folders = (process.env.PATH ?? '').split(delimiter);
  for (const name of ['redis-server', 'valkey-server']) {
    for (const folder of folders) {
      try {
        accessSync(join(folder, name), constants.X_OK);
        return join(folder, name);
      } catch {
        // The next folder may have it.
      }
    }
  }
  throw new StartError('redis-server is not installed. Install it (apt-get install redis-server), or set REDIS_URL.');
}

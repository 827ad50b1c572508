import { VoiceError } from '@parley/protocol';
import { type Backoff, backoff, type Clock, type Logger } from '@parley/runtime';
import { Redis, type RedisOptions } from 'ioredis';
import type { BusMetrics } from './metrics.ts';

const WATCH_INTERVAL_MS = 500;
/** A watch that comes this much late shows that this process stood still, not Redis. */
const STALL_MS = 250;
const CONNECT_TIMEOUT_MS = 2_000;
/** Auto ids under a given epoch (`<epoch>-*`) came with it. */
const OLDEST_REDIS_MAJOR = 7;

/** The replies of RESP3 in the shapes of RESP2, which do not depend on the server. */
export type ClientOptions = RedisOptions & { readonly replyMapping?: 'legacy' };

export interface ConnectionContext {
  readonly url: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: BusMetrics;
  readonly commandTimeoutMs: number;
}

/**
 * One connection to Redis that comes back for ever and never queues: a command fails at once while it is away, in time
 * when no answer comes, and is never sent twice. A connection that stands without answering is replaced.
 */
export class RedisConnection {
  readonly redis: Redis;
  readonly #name: string;
  readonly #context: ConnectionContext;
  readonly #listeners = new Set<(ready: boolean) => void>();
  readonly #prepare: ((redis: Redis) => Promise<void>) | undefined;
  #ready = false;
  #closed = false;
  #stopWatch: (() => void) | undefined;

  /** `prepare` must succeed before the connection counts as ready, each time it is made. */
  constructor(
    name: string,
    context: ConnectionContext,
    options: ClientOptions = {},
    prepare?: (redis: Redis) => Promise<void>,
  ) {
    this.#name = name;
    this.#context = context;
    this.#prepare = prepare;
    this.redis = openRedis(context.url, name, {
      enableOfflineQueue: false,
      // What was under way when the connection broke is rejected then, and not sent again: it may have been done.
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
      autoResubscribe: false,
      commandTimeout: context.commandTimeoutMs,
      ...options,
    });
    this.redis.on('error', (error) => context.logger.debug({ err: error, connection: name }, 'redis connection error'));
    this.redis.on('close', () => this.#setReady(false));
  }

  get ready(): boolean {
    return this.#ready;
  }

  /** Connects for the first time; rejects with `bus_unavailable` when that fails. */
  async open(): Promise<void> {
    const connect = async (): Promise<void> => {
      await this.redis.connect();
      await checkServer(this.redis, this.#context.logger);
    };
    try {
      await inTime(connect(), CONNECT_TIMEOUT_MS, this.#context.clock);
      await this.#prepare?.(this.redis);
    } catch (error) {
      this.close();
      throw unavailable(error);
    }
    this.redis.on('ready', () => void this.#becomeReady());
    this.#setReady(true);
    this.#watch();
  }

  /** Runs commands on the connection; trouble with it rejects with `bus_unavailable`. */
  async run<T>(command: (redis: Redis) => Promise<T>): Promise<T> {
    try {
      return await command(this.redis);
    } catch (error) {
      throw unavailable(error);
    }
  }

  onChange(listener: (ready: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  close(): void {
    this.#closed = true;
    this.#stopWatch?.();
    this.#setReady(false);
    this.#listeners.clear();
    this.redis.disconnect();
  }

  async #becomeReady(): Promise<void> {
    try {
      await this.#prepare?.(this.redis);
    } catch (error) {
      this.#context.logger.warn({ err: error, connection: this.#name }, 'redis connection could not be prepared');
      this.#replace();
      return;
    }
    if (this.redis.status === 'ready') this.#setReady(true);
  }

  #replace(): void {
    if (this.#closed) return;
    this.#setReady(false);
    this.redis.disconnect(true);
  }

  #setReady(ready: boolean): void {
    if (this.#ready === ready) return;
    this.#ready = ready;
    const { logger, metrics } = this.#context;
    metrics.connected.set({ connection: this.#name }, ready ? 1 : 0);
    if (!ready && !this.#closed) {
      metrics.disconnects.inc({ connection: this.#name });
      logger.warn({ connection: this.#name }, 'redis connection lost');
    } else if (ready) {
      logger.info({ connection: this.#name }, 'redis connection ready');
    }
    for (const listener of this.#listeners) listener(ready);
  }

  #watch(): void {
    if (this.#closed) return;
    this.#stopWatch = this.#context.clock.setTimeout(
      () => void this.#ask().then(() => this.#watch()),
      WATCH_INTERVAL_MS,
    );
  }

  /** A lost node says nothing: only an unanswered question shows it. */
  async #ask(): Promise<void> {
    const { clock, commandTimeoutMs } = this.#context;
    if (!this.#ready) return;
    const startedMs = clock.nowMs();
    try {
      await this.redis.ping();
    } catch {
      const stalled = clock.nowMs() - startedMs > commandTimeoutMs + STALL_MS;
      if (this.#ready && !stalled) this.#replace();
    }
  }
}

/** A client for `redis://`, `rediss://` or `unix:///path` that is not yet connected and reconnects for ever. */
export function openRedis(url: string, name: string, options: ClientOptions): Redis {
  const waits: Backoff = backoff({ initialMs: 50, maxMs: 500, jitter: 0.5 });
  const all: ClientOptions = {
    connectionName: `parley:${name}`,
    connectTimeout: CONNECT_TIMEOUT_MS,
    disconnectTimeout: 200,
    // While Redis reads its append-only file: ask again soon.
    maxLoadingRetryTime: 200,
    retryStrategy: () => waits.next(),
    lazyConnect: true,
    ...options,
  };
  const redis = url.startsWith('unix://')
    ? new Redis({ ...all, path: decodeURIComponent(url.slice('unix://'.length)) })
    : new Redis(url, all);
  redis.on('ready', () => waits.reset());
  return redis;
}

async function checkServer(redis: Redis, logger: Logger): Promise<void> {
  const info = await redis.info();
  const version = /^redis_version:(\S+)/m.exec(info)?.[1] ?? 'unknown';
  if (!(Number.parseInt(version, 10) >= OLDEST_REDIS_MAJOR)) {
    throw new Error(`Redis ${OLDEST_REDIS_MAJOR} or newer is needed, this server is ${version}`);
  }
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1];
  if (policy !== undefined && policy !== 'noeviction') {
    logger.warn({ policy }, 'redis may evict session keys: set maxmemory-policy to noeviction');
  }
}

/** Errors by which Redis says "not now", as opposed to "never". */
const PASSING = /^(LOADING|BUSY|READONLY|MASTERDOWN|OOM|MISCONF|NOREPLICAS|TRYAGAIN|CLUSTERDOWN|UNBLOCKED)/;

/** A reply that says that the command was wrong is `internal`; all else means that Redis cannot serve us now. */
export function unavailable(error: unknown): VoiceError {
  if (error instanceof VoiceError) return error;
  // The client adds the command with its arguments, what people said among them: no log may get hold of that.
  if (error instanceof Error && 'command' in error) delete error.command;
  const isWrongCommand = error instanceof Error && error.name === 'ReplyError' && !PASSING.test(error.message);
  return VoiceError.from(error, isWrongCommand ? 'internal' : 'bus_unavailable');
}

/** What Redis answers, or an error when it does not within `ms`. */
export async function inTime<T>(answer: Promise<T>, ms: number, clock: Clock): Promise<T> {
  let cancel = (): void => {};
  const timeout = new Promise<never>((_, reject) => {
    cancel = clock.setTimeout(() => reject(new Error('no answer')), ms);
  });
  return await Promise.race([answer, timeout]).finally(cancel);
}

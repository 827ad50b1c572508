import { Redis, type RedisOptions } from 'ioredis';

const PROBE = {
  lazyConnect: true,
  connectTimeout: 2000,
  commandTimeout: 2000,
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  retryStrategy: () => null,
} satisfies RedisOptions;

/** Asks a Redis whether it answers; rejects with the reason when it does not. */
export async function pingRedis(url: string): Promise<void> {
  await withRedis(url, (redis) => redis.ping());
}

/** Tells a Redis to write what it has and to leave. */
export async function shutDownRedis(url: string): Promise<void> {
  // The answer to a successful SHUTDOWN is a closed connection.
  await withRedis(url, (redis) => redis.shutdown().catch(() => undefined));
}

async function withRedis(url: string, use: (redis: Redis) => Promise<unknown>): Promise<void> {
  const redis = url.startsWith('unix://')
    ? new Redis({ ...PROBE, path: decodeURIComponent(url.slice('unix://'.length)) })
    : new Redis(url, PROBE);
  // What goes wrong rejects the call that it went wrong in.
  let connectionError: Error | undefined;
  redis.on('error', (error) => {
    connectionError = error;
  });
  try {
    await redis.connect();
    await use(redis);
  } catch (error) {
    throw connectionError ?? error;
  } finally {
    redis.disconnect();
  }
}

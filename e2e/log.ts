import { connectBus } from '@parley/bus';
import { type EventId, isClientVisible } from '@parley/protocol';
import { createLogger, createMetrics } from '@parley/runtime';
import type { TestRedis } from '@parley/testkit';

/** Ids of the events of a session's log that its client is to see. */
export async function visibleEventIds(redisUrl: string, session: string): Promise<EventId[]> {
  const bus = await connectBus({
    url: redisUrl,
    process: { id: 'reader', host: 'test', pid: process.pid },
    logger: createLogger({ name: 'reader', level: 'silent' }),
    metrics: createMetrics({ processMetrics: false }),
  });
  try {
    const events = await bus.log.read(session, '0-0', 10_000);
    return events.filter(isClientVisible).map(({ id }) => id);
  } finally {
    await bus.close();
  }
}

/** Keys and members of Redis that name a session. */
export async function redisKeysOf({ client }: TestRedis, session: string): Promise<string[]> {
  const keys = await client.keys(`*${session}*`);
  const deadline = await client.zscore('sessions', session);
  return deadline === null ? keys : [...keys, 'sessions'];
}

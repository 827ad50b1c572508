import type { Logger } from '@parley/runtime';
import type { BusMetrics } from './metrics.ts';
import type { RedisConnection } from './redis-connection.ts';
import type { Subscriptions } from './subscriptions.ts';

export interface LaneContext {
  readonly commands: RedisConnection;
  readonly subscriptions: Subscriptions;
  readonly logger: Logger;
  readonly metrics: BusMetrics;
}

/** What a lane needs of a zod schema. */
export interface LaneSchema<T> {
  safeParse(value: unknown): { readonly success: true; readonly data: T } | { readonly success: false };
}

/** Decodes JSON by a schema; what a newer or broken writer sends is undefined. */
export function decodeJson<T>(schema: LaneSchema<T>, json: string): T | undefined {
  try {
    const parsed = schema.safeParse(JSON.parse(json));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

/** Fire-and-forget messages of one schema on pub/sub: who is not there does not get them. */
export interface Lane<T> {
  publish(channel: string, message: T): Promise<void>;
  subscribe(channel: string, handler: (message: T) => void): Promise<() => Promise<void>>;
}

/** Messages that cannot be understood are skipped and counted. */
export function createLane<T>(name: string, schema: LaneSchema<T>, context: LaneContext): Lane<T> {
  const { commands, subscriptions, logger, metrics } = context;
  return {
    async publish(channel, message) {
      await commands.run((redis) => redis.publish(channel, JSON.stringify(message)));
    },
    subscribe: (channel, handler) =>
      subscriptions.subscribe(channel, (json) => {
        const message = decodeJson(schema, json);
        if (message === undefined) {
          metrics.lanesSkipped.inc({ lane: name });
          return;
        }
        try {
          handler(message);
        } catch (error) {
          logger.error({ err: error, lane: name }, 'lane handler failed');
        }
      }),
  };
}

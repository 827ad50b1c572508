import { retry } from '@parley/runtime';
import type { Redis } from 'ioredis';
import { type ConnectionContext, RedisConnection, unavailable } from './redis-connection.ts';

export type MessageHandler = (message: string) => void;

interface Channel {
  readonly handlers: Set<MessageHandler>;
  subscribed: Promise<unknown>;
}

const CHANNELS_PER_COMMAND = 500;
const SUBSCRIBE_ATTEMPTS = 5;

/** The one subscriber connection of a process. After a reconnect it counts as ready once every channel is subscribed. */
export class Subscriptions {
  readonly connection: RedisConnection;
  readonly #channels = new Map<string, Channel>();

  constructor(context: ConnectionContext) {
    this.connection = new RedisConnection('subscriber', context, {}, (redis) => this.#resubscribe(redis));
    this.connection.redis.on('message', (channel: string, message: string) => {
      const handlers = this.#channels.get(channel)?.handlers;
      if (handlers) for (const handler of handlers) handler(message);
    });
  }

  open(): Promise<void> {
    return this.connection.open();
  }

  close(): void {
    this.#channels.clear();
    this.connection.close();
  }

  /** Resolves once messages are sure to arrive; returns what ends it. Handlers must not throw. */
  async subscribe(name: string, handler: MessageHandler): Promise<() => Promise<void>> {
    let channel = this.#channels.get(name);
    if (!channel) {
      channel = { handlers: new Set(), subscribed: this.#send(name) };
      this.#channels.set(name, channel);
    }
    channel.handlers.add(handler);
    try {
      await channel.subscribed;
    } catch (error) {
      this.#remove(name, handler);
      throw unavailable(error);
    }
    return async () => {
      // While Redis is away there is nothing to unsubscribe from.
      if (this.#remove(name, handler)) await this.connection.redis.unsubscribe(name).catch(() => {});
    };
  }

  /** Subscribing twice is the same as once, so an answer that is late on a starved machine is no reason to give up. */
  #send(name: string): Promise<unknown> {
    const isLate = (error: unknown) => error instanceof Error && error.message === 'Command timed out';
    const options = { initialMs: 50, maxMs: 500, attempts: SUBSCRIBE_ATTEMPTS, shouldRetry: isLate };
    return retry(() => this.connection.redis.subscribe(name), options);
  }

  /** True when the channel has no handler any more. */
  #remove(name: string, handler: MessageHandler): boolean {
    const channel = this.#channels.get(name);
    if (!channel?.handlers.delete(handler) || channel.handlers.size > 0) return false;
    return this.#channels.delete(name);
  }

  async #resubscribe(redis: Redis): Promise<void> {
    const names = [...this.#channels.keys()];
    for (let from = 0; from < names.length; from += CHANNELS_PER_COMMAND) {
      await redis.subscribe(...names.slice(from, from + CHANNELS_PER_COMMAND));
    }
  }
}

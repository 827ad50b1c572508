import type { ProcessRef } from '@parley/protocol';
import { type Clock, Closer, type Logger, type Metrics, systemClock } from '@parley/runtime';
import { type AudioIn, createAudioIn } from './audio-in.ts';
import { type AudioOut, createAudioOut } from './audio-out.ts';
import { type ControlLane, createControlLane } from './control.ts';
import { declareMetrics } from './metrics.ts';
import { createPresence, type Presence } from './presence.ts';
import { createPulseLane, type PulseLane } from './pulse.ts';
import { type ConnectionContext, RedisConnection } from './redis-connection.ts';
import { RedisTime } from './redis-time.ts';
import { createRegistry, type SessionRegistry } from './registry.ts';
import { createSessionLog, type SessionLog } from './session-log.ts';
import { createSessionScripts, type SessionScripts } from './sessions.ts';
import { Subscriptions } from './subscriptions.ts';
import type { WorkQueues } from './work-queue.ts';
import { createWorkQueues } from './work-queues.ts';

/** Everything that a process does with Redis. Trouble with the connection rejects with `bus_unavailable`. */
export interface Bus {
  readonly process: ProcessRef;
  /** Commands and subscriptions work right now. Nothing is queued while they do not. */
  readonly connected: boolean;
  /** Called on every change; after a reconnect, once the subscriptions stand again. Returns the way to stop it. */
  onConnection(listener: (connected: boolean) => void): () => void;
  /** Redis TIME in ms, estimated from the local monotonic clock. */
  redisNowMs(): number;
  /** Round trip of a PING in ms. */
  ping(): Promise<number>;
  readonly sessions: SessionScripts;
  readonly log: SessionLog;
  readonly audioIn: AudioIn;
  readonly audioOut: AudioOut;
  readonly queues: WorkQueues;
  readonly control: ControlLane;
  readonly pulses: PulseLane;
  readonly presence: Presence;
  readonly registry: SessionRegistry;
  close(): Promise<void>;
}

export interface BusOptions {
  /** `redis://`, `rediss://` or `unix:///path`. */
  readonly url: string;
  readonly process: ProcessRef;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly clock?: Clock;
  /** After this (default 1 000) a command rejects with `bus_unavailable`. */
  readonly commandTimeoutMs?: number;
}

/** Opens the connections of one process; rejects at once when Redis cannot be reached. */
export async function connectBus(options: BusOptions): Promise<Bus> {
  const { url, process, logger, clock = systemClock, commandTimeoutMs = 1_000 } = options;
  const metrics = declareMetrics(options.metrics);
  const context: ConnectionContext = { url, clock, logger, metrics, commandTimeoutMs };
  const closer = new Closer();
  const listeners = new Set<(connected: boolean) => void>();
  closer.defer('listeners', () => listeners.clear());

  const commands = new RedisConnection('commands', context);
  await commands.open();
  closer.defer('command connection', () => commands.close());

  const subscriptions = new Subscriptions(context);
  try {
    await subscriptions.open();
  } catch (error) {
    await closer.close();
    throw error;
  }
  closer.defer('subscriber connection', () => subscriptions.close());

  const time = new RedisTime(commands, clock);
  closer.defer('time', () => time.close());
  await time.refresh();

  const log = createSessionLog({ commands, subscriptions, clock, logger, metrics });
  const work = createWorkQueues({ ...context, commands, time });
  closer.defer('queues', () => work.close());

  let connected = true;
  const onChange = (): void => {
    const now = commands.ready && subscriptions.connection.ready;
    if (now === connected) return;
    connected = now;
    if (now) {
      void time.refresh();
      void log.resync();
    }
    for (const listener of listeners) listener(now);
  };
  closer.defer('watch of commands', commands.onChange(onChange));
  closer.defer('watch of subscriptions', subscriptions.connection.onChange(onChange));

  return {
    process,
    get connected() {
      return connected;
    },
    onConnection(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    redisNowMs: () => time.nowMs(),
    async ping() {
      const startedMs = clock.nowMs();
      await commands.run((redis) => redis.ping());
      return clock.nowMs() - startedMs;
    },
    sessions: createSessionScripts(commands, process, metrics),
    log,
    audioIn: createAudioIn({ ...context, commands }),
    audioOut: createAudioOut(commands),
    queues: work.queues,
    control: createControlLane({ commands, subscriptions, logger, metrics }),
    pulses: createPulseLane({ commands, subscriptions, logger, metrics }),
    presence: createPresence({ commands, clock, logger, metrics }),
    registry: createRegistry(commands),
    close: () => closer.close(),
  };
}

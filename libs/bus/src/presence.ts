import { type Heartbeat, HeartbeatSchema, heartbeatKey, type Stage, workersKey } from '@parley/protocol';
import type { Clock, Logger } from '@parley/runtime';
import { decodeJson } from './lane.ts';
import type { BusMetrics } from './metrics.ts';
import type { RedisConnection } from './redis-connection.ts';

/** Heartbeats of all processes. */
export interface Presence {
  /** Writes the heartbeat every 500 ms, to live 2 s, until stopped. */
  announce(current: () => Heartbeat): Promise<Announcement>;
  /** The fresh heartbeats of a stage. */
  list(stage: Stage | 'gateway'): Promise<Heartbeat[]>;
}

export interface Announcement {
  /** Writes the heartbeat at once. */
  update(): Promise<void>;
  /** Removes the heartbeat. */
  stop(): Promise<void>;
}

const BEAT_MS = 500;
const LIFETIME_MS = 2_000;

interface PresenceContext {
  readonly commands: RedisConnection;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: BusMetrics;
}

export function createPresence({ commands, clock, logger, metrics }: PresenceContext): Presence {
  /** What is announced is measured too, so that both say the same. */
  function measure({ stage, ready, slots, busy, predictedWaitMs }: Heartbeat): void {
    metrics.workerReady.set({ stage }, ready ? 1 : 0);
    metrics.workerSlots.set({ stage }, slots);
    metrics.workerBusy.set({ stage }, busy);
    metrics.workerPredictedWait.set({ stage }, predictedWaitMs / 1_000);
  }

  async function beat(heartbeat: Heartbeat): Promise<void> {
    const { stage, id } = heartbeat;
    measure(heartbeat);
    await commands.run((redis) =>
      Promise.all([
        redis.set(heartbeatKey(stage, id), JSON.stringify(heartbeat), 'PX', LIFETIME_MS),
        redis.sadd(workersKey(stage), id),
      ]),
    );
  }

  return {
    async announce(current) {
      let stopped = false;
      let cancel = (): void => {};
      const beatAndWait = async (): Promise<void> => {
        try {
          await beat(current());
        } catch (error) {
          logger.debug({ err: error }, 'heartbeat could not be written');
        }
        if (!stopped) cancel = clock.setTimeout(() => void beatAndWait(), BEAT_MS);
      };
      await beatAndWait();
      return {
        update: () => (stopped ? Promise.resolve() : beat(current())),
        async stop() {
          stopped = true;
          cancel();
          const { stage, id } = current();
          // When Redis is away the heartbeat runs out by itself.
          await commands
            .run((redis) => Promise.all([redis.del(heartbeatKey(stage, id)), redis.srem(workersKey(stage), id)]))
            .catch(() => {});
        },
      };
    },

    async list(stage) {
      const ids = await commands.run((redis) => redis.smembers(workersKey(stage)));
      if (ids.length === 0) return [];
      const rows = await commands.run((redis) => redis.mget(...ids.map((id) => heartbeatKey(stage, id))));
      const heartbeats: Heartbeat[] = [];
      const gone: string[] = [];
      for (const [index, json] of rows.entries()) {
        const id = ids[index];
        if (json === null) {
          if (id !== undefined) gone.push(id);
          continue;
        }
        const heartbeat = decodeJson(HeartbeatSchema, json);
        if (heartbeat) heartbeats.push(heartbeat);
        else metrics.lanesSkipped.inc({ lane: 'presence' });
      }
      // A worker that was only frozen adds itself again with its next beat.
      if (gone.length > 0) await commands.run((redis) => redis.srem(workersKey(stage), ...gone));
      return heartbeats;
    },
  };
}

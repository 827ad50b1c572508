import { createBullmqQueue } from './bullmq-work-queue.ts';
import { createDeadlineQueue } from './deadline-queue.ts';
import type { ConnectionContext, RedisConnection } from './redis-connection.ts';
import type { RedisTime } from './redis-time.ts';
import type { WorkQueues, WorkTaker } from './work-queue.ts';

export interface WorkQueuesHandle {
  readonly queues: WorkQueues;
  close(): Promise<void>;
}

/**
 * Each queue on what suits it. Offers of sessions are few, nobody waits for them, and they go through BullMQ. Replies and
 * clauses are waited for by a user who hears nothing yet: they go through queues of our own, which hand a job over in one
 * hop and by its deadline.
 */
export function createWorkQueues(
  context: ConnectionContext & { readonly commands: RedisConnection; readonly time: RedisTime },
): WorkQueuesHandle {
  const takers = new Set<WorkTaker>();
  const listen = createBullmqQueue('listen', context, takers);
  return {
    queues: {
      listen,
      reply: createDeadlineQueue('reply', context, takers),
      speak: createDeadlineQueue('speak', context, takers),
    },
    async close() {
      await Promise.all([...takers].map((taker) => taker.close(0)));
      await listen.close();
    },
  };
}

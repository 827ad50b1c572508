import type { Bus } from '@parley/bus';
import { QUEUE_NAMES, STAGES } from '@parley/protocol';
import type { LabelledValues, Metrics } from '@parley/runtime';
import type { OwnerRegistry } from './owner-registry.ts';

/**
 * What a gateway sees of the queues and the pools, read when somebody asks; every gateway sees the same. While Redis is
 * away there is nothing to be seen, and no value.
 */
export function measurePools(metrics: Metrics, { queues }: Bus, registry: OwnerRegistry): void {
  metrics.gauge({
    name: 'parley_queue_depth',
    help: 'Offers that wait in a queue, as every gateway sees them.',
    labelNames: ['queue'],
    collect: async () => {
      const depth = async (queue: (typeof QUEUE_NAMES)[number]) => ({
        labels: { queue },
        value: await queues[queue].depth(),
      });
      return Promise.all(QUEUE_NAMES.map(depth)).catch((): LabelledValues<'queue'> => []);
    },
  });
  metrics.gauge({
    name: 'parley_pool_ready_workers',
    help: 'Workers of a stage that are ready and take work, as every gateway sees them.',
    labelNames: ['stage'],
    collect: () =>
      STAGES.map((stage) => ({
        labels: { stage },
        value: registry.workers(stage).filter(({ ready, draining }) => ready && !draining).length,
      })),
  });
}

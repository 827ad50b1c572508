import { expect, test } from 'vitest';
import { createMetrics } from './metrics.ts';

test('counters, gauges and histograms are rendered for Prometheus', async () => {
  const metrics = createMetrics({ processMetrics: false });
  const refused = metrics.counter({ name: 'parley_refused_total', help: 'Refusals.', labelNames: ['code'] });
  refused.inc({ code: 'FENCED' });
  metrics.gauge({ name: 'parley_busy', help: 'Busy slots.', collect: () => 4 });
  let depths = [
    { labels: { queue: 'reply' }, value: 2 },
    { labels: { queue: 'speak' }, value: 1 },
  ];
  metrics.gauge({ name: 'parley_depth', help: 'Jobs.', labelNames: ['queue'], collect: () => depths });
  expect(await metrics.render()).toContain('parley_depth{queue="speak"} 1');
  depths = depths.slice(0, 1);
  const latency = metrics.histogram({ name: 'parley_hop_seconds', help: 'Queue hop.' });
  latency.observe(0.003);
  const text = await metrics.render();
  expect(text).toContain('parley_refused_total{code="FENCED"} 1');
  expect(text).toContain('parley_busy 4');
  expect(text).toContain('parley_depth{queue="reply"} 2');
  expect(text).not.toContain('queue="speak"');
  expect(text).toContain('parley_hop_seconds_bucket{le="0.0025"} 0');
  expect(text).toContain('parley_hop_seconds_bucket{le="0.005"} 1');
});

test('each set of metrics has a registry of its own, with those of the process', async () => {
  const [first, second] = [createMetrics(), createMetrics()];
  first.counter({ name: 'parley_one_total', help: 'One.' });
  expect(await second.render()).not.toContain('parley_one_total');
  expect(await second.render()).toContain('process_cpu_seconds_total');
});

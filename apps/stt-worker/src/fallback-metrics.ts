import type { Metrics } from '@parley/runtime';

/** What a worker with several engines measures of them. */
export function fallbackMetrics(metrics: Metrics) {
  return {
    engineFailures: metrics.counter({
      name: 'parley_stt_fallback_failures_total',
      help: 'Failures of one of several engines, at loading or hearing, by engine and code.',
      labelNames: ['engine', 'code'],
    }),
    fallbacks: metrics.counter({
      name: 'parley_stt_fallbacks_total',
      help: 'Streams that another engine went on with, by the engine that failed and the one that took over.',
      labelNames: ['from', 'to'],
    }),
  };
}

import { type Counter, type Gauge, type Histogram, LATENCY_BUCKETS_SECONDS, type Metrics } from '@parley/runtime';

/** What the loop of a stage counts. */
export interface StageMetrics {
  readonly claims: Counter<'stage' | 'result'>;
  readonly queued: Histogram<'stage'>;
  readonly work: Histogram<'stage' | 'outcome'>;
  readonly firstResult: Histogram<'stage'>;
  readonly cancels: Histogram<'stage'>;
  readonly running: Gauge<'stage'>;
  readonly refusedWrites: Counter<'stage' | 'refusal'>;
  readonly repeatedWrites: Counter<'stage'>;
}

export function stageMetrics(metrics: Metrics): StageMetrics {
  return {
    claims: metrics.counter({
      name: 'parley_stage_claims_total',
      help: 'Jobs taken, by what became of the claim: run, stale, done, taken, closed, cancelled, unavailable.',
      labelNames: ['stage', 'result'],
    }),
    queued: metrics.histogram({
      name: 'parley_stage_queued_seconds',
      help: 'Time from the offer of a job to its taking.',
      labelNames: ['stage'],
    }),
    work: metrics.histogram({
      name: 'parley_stage_work_seconds',
      help: 'Time from claim to end, by outcome: done, handedBack, an error code, or why it was interrupted.',
      labelNames: ['stage', 'outcome'],
      buckets: [...LATENCY_BUCKETS_SECONDS, 20, 40, 80],
    }),
    firstResult: metrics.histogram({
      name: 'parley_stage_first_result_seconds',
      help: 'Time from claim to the first result appended.',
      labelNames: ['stage'],
    }),
    cancels: metrics.histogram({
      name: 'parley_stage_cancel_seconds',
      help: 'Time from the decision to cancel a reply to the end of its running work.',
      labelNames: ['stage'],
    }),
    running: metrics.gauge({
      name: 'parley_stage_running',
      help: 'Pieces of work being done.',
      labelNames: ['stage'],
    }),
    refusedWrites: metrics.counter({
      name: 'parley_stage_refused_writes_total',
      help: 'Writes refused by the session: FENCED, CANCELLED or CLOSED.',
      labelNames: ['stage', 'refusal'],
    }),
    repeatedWrites: metrics.counter({
      name: 'parley_stage_repeated_writes_total',
      help: 'Writes tried again because Redis did not answer.',
      labelNames: ['stage'],
    }),
  };
}

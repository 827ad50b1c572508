import type { Counter, Gauge, Histogram, Metrics } from '@parley/runtime';

/** The bus's metrics. */
export interface BusMetrics {
  readonly connected: Gauge<'connection'>;
  readonly disconnects: Counter<'connection'>;
  readonly refusals: Counter<'script' | 'code'>;
  readonly logSkipped: Counter<'reason'>;
  readonly logHoles: Counter<'cause'>;
  readonly logTrimmed: Counter;
  readonly logOverflows: Counter;
  readonly inputDuplicates: Counter<'side'>;
  readonly inputGaps: Counter;
  readonly inputGapSamples: Counter;
  readonly outputDropped: Counter;
  readonly lanesSkipped: Counter<'lane'>;
  readonly queueHop: Histogram<'queue'>;
  readonly jobsSkipped: Counter<'queue' | 'reason'>;
  readonly workerReady: Gauge<'stage'>;
  readonly workerSlots: Gauge<'stage'>;
  readonly workerBusy: Gauge<'stage'>;
  readonly workerPredictedWait: Gauge<'stage'>;
}

export function declareMetrics(metrics: Metrics): BusMetrics {
  return {
    connected: metrics.gauge({
      name: 'parley_bus_connected',
      help: '1 while a connection to Redis is usable',
      labelNames: ['connection'],
    }),
    disconnects: metrics.counter({
      name: 'parley_bus_disconnects_total',
      help: 'Connections to Redis lost',
      labelNames: ['connection'],
    }),
    refusals: metrics.counter({
      name: 'parley_bus_refusals_total',
      help: 'Writes refused by a script, by its code',
      labelNames: ['script', 'code'],
    }),
    logSkipped: metrics.counter({
      name: 'parley_log_skipped_total',
      help: 'Events of a session log that this process does not understand',
      labelNames: ['reason'],
    }),
    logHoles: metrics.counter({
      name: 'parley_log_holes_total',
      help: 'Holes in the live events of a session that were closed from its log',
      labelNames: ['cause'],
    }),
    logTrimmed: metrics.counter({
      name: 'parley_log_trimmed_total',
      help: 'Times that a reader wanted events which the log no longer held',
    }),
    logOverflows: metrics.counter({
      name: 'parley_log_overflows_total',
      help: 'Times that live events were dropped while a hole was being closed, to be read from the log again',
    }),
    inputDuplicates: metrics.counter({
      name: 'parley_audio_in_duplicates_total',
      help: 'Entries of user audio that were there already, refused on writing or skipped on reading',
      labelNames: ['side'],
    }),
    inputGaps: metrics.counter({
      name: 'parley_audio_in_gaps_total',
      help: 'Gaps in the user audio that a listener read',
    }),
    inputGapSamples: metrics.counter({
      name: 'parley_audio_in_gap_samples_total',
      help: 'Samples of user audio (16 kHz) that fell into gaps',
    }),
    outputDropped: metrics.counter({
      name: 'parley_audio_out_dropped_total',
      help: 'Entries of reply audio dropped at the cap of a session',
    }),
    lanesSkipped: metrics.counter({
      name: 'parley_lane_skipped_total',
      help: 'Messages on the control, pulse and presence lanes that could not be understood',
      labelNames: ['lane'],
    }),
    queueHop: metrics.histogram({
      name: 'parley_queue_hop_seconds',
      help: 'Time from the offer of a job until it was taken',
      labelNames: ['queue'],
    }),
    jobsSkipped: metrics.counter({
      name: 'parley_jobs_skipped_total',
      help: 'Jobs not handled: malformed ones are dropped, those for newer readers put back',
      labelNames: ['queue', 'reason'],
    }),
    workerReady: metrics.gauge({
      name: 'parley_worker_ready',
      help: '1 while this worker is warmed up and takes work, by stage',
      labelNames: ['stage'],
    }),
    workerSlots: metrics.gauge({
      name: 'parley_worker_slots',
      help: 'Sessions or pieces of work that this worker does at a time',
      labelNames: ['stage'],
    }),
    workerBusy: metrics.gauge({
      name: 'parley_worker_busy',
      help: 'Slots of this worker in use',
      labelNames: ['stage'],
    }),
    workerPredictedWait: metrics.gauge({
      name: 'parley_worker_predicted_wait_seconds',
      help: 'How long new work would wait for a slot of this worker, by its own estimate',
      labelNames: ['stage'],
    }),
  };
}

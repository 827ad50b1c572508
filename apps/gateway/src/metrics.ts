import { LATENCY_BUCKETS_SECONDS, type Metrics } from '@parley/runtime';

/** Metrics of the gateway. */
export const gatewayMetrics = (metrics: Metrics) => ({
  connections: metrics.gauge({ name: 'parley_gateway_connections', help: 'Open client connections.' }),
  sessions: metrics.gauge({ name: 'parley_gateway_sessions', help: 'Sessions owned by this gateway.' }),
  sessionsStarted: metrics.counter({ name: 'parley_gateway_sessions_started_total', help: 'Sessions begun here.' }),
  takeOvers: metrics.counter({
    name: 'parley_gateway_take_overs_total',
    help: 'Sessions taken over, by cause.',
    labelNames: ['cause'],
  }),
  refusals: metrics.counter({
    name: 'parley_gateway_refusals_total',
    help: 'Connections and messages refused, by error code.',
    labelNames: ['code'],
  }),
  holdersLost: metrics.counter({
    name: 'parley_gateway_holders_lost_total',
    help: 'Workers found gone from the work they held, or work found untaken.',
    labelNames: ['stage', 'reason'],
  }),
  audioLostSeconds: metrics.counter({
    name: 'parley_gateway_audio_lost_seconds_total',
    help: 'User audio that could not be kept or never came.',
    labelNames: ['reason'],
  }),
  duplicateAudioSeconds: metrics.counter({
    name: 'parley_gateway_duplicate_audio_seconds_total',
    help: 'User audio that came twice and was dropped.',
  }),
  interruptions: metrics.counter({ name: 'parley_gateway_interruptions_total', help: 'Replies stopped by the user.' }),
  slowConsumers: metrics.counter({
    name: 'parley_gateway_slow_consumers_total',
    help: 'Connections closed because the client did not read.',
  }),
  firstAudio: metrics.histogram({
    name: 'parley_gateway_first_audio_seconds',
    help: 'From the decision of a turn to the first reply audio handed to the socket.',
    buckets: LATENCY_BUCKETS_SECONDS,
  }),
  turnLatency: metrics.histogram({
    name: 'parley_turn_latency_seconds',
    help: 'From the last speech of a turn, or its typed text, to the first reply audio handed to the socket.',
    buckets: LATENCY_BUCKETS_SECONDS,
  }),
  turnStage: metrics.histogram({
    name: 'parley_turn_stage_seconds',
    help: "The parts of a turn's latency: end_of_turn, queue, first_token, first_clause, first_audio, first_send.",
    labelNames: ['stage'],
    buckets: LATENCY_BUCKETS_SECONDS,
  }),
  audioInWrite: metrics.histogram({
    name: 'parley_gateway_audio_in_write_seconds',
    help: 'From an entry of user audio being complete to its being in Redis.',
    buckets: LATENCY_BUCKETS_SECONDS,
  }),
  boundHits: metrics.counter({
    name: 'parley_gateway_bound_hits_total',
    help: 'Times that something here was as full as it may be: uplink, outbox, log, reply_ahead.',
    labelNames: ['bound'],
  }),
  commits: metrics.histogram({
    name: 'parley_gateway_commit_seconds',
    help: 'One commit of the turn machine, round trip included.',
    buckets: LATENCY_BUCKETS_SECONDS,
  }),
  swept: metrics.counter({ name: 'parley_gateway_sessions_swept_total', help: 'Sessions closed after their grace.' }),
  outboxFailures: metrics.counter({
    name: 'parley_gateway_outbox_failures_total',
    help: 'Decided commands that a queue refused for good.',
  }),
});

export type GatewayMetrics = ReturnType<typeof gatewayMetrics>;

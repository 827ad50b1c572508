import {
  type Dashboard,
  DashboardBuilder,
  DatasourceVariableBuilder,
  RowBuilder,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { mean, type PanelPlan, panel, quantile, rate } from './panels.ts';

const NEEDS_A_FAULT = 'counts faults, and nothing has failed';

const TURNS: readonly PanelPlan[] = [
  {
    title: 'Turn latency',
    description: 'From the last speech, or the typed text, to the first reply audio handed to the socket.',
    unit: 's',
    queries: [
      { expr: quantile(0.5, 'parley_turn_latency_seconds'), legend: 'p50' },
      { expr: quantile(0.95, 'parley_turn_latency_seconds'), legend: 'p95' },
      { expr: quantile(0.99, 'parley_turn_latency_seconds'), legend: 'p99' },
    ],
  },
  {
    title: 'Where the time of a turn goes (mean)',
    description:
      'The parts of the latency, which follow one another. A prepared reply overlaps with the end of the turn.',
    unit: 's',
    stacked: true,
    queries: [{ expr: mean('parley_turn_stage_seconds', 'stage'), legend: '{{stage}}' }],
  },
  {
    title: 'Turn latency by stage (p95)',
    description: 'The slowest twentieth of each part, whichever turns they belong to.',
    unit: 's',
    queries: [{ expr: quantile(0.95, 'parley_turn_stage_seconds', 'stage'), legend: '{{stage}}' }],
  },
  {
    title: 'Turns a minute',
    description: 'Replies of which the first audio was sent, and those that the user stopped.',
    unit: 'short',
    queries: [
      { expr: `60 * ${rate('parley_turn_latency_seconds_count')}`, legend: 'turns' },
      { expr: `60 * ${rate('parley_gateway_interruptions_total')}`, legend: 'interruptions' },
    ],
  },
  {
    title: 'Sessions',
    description: 'Sessions owned by gateways, and their open connections.',
    unit: 'short',
    queries: [
      { expr: 'sum (parley_gateway_sessions)', legend: 'sessions' },
      { expr: 'sum (parley_gateway_connections)', legend: 'connections' },
    ],
  },
  {
    title: 'Barge-in: decision to engine let go (p95)',
    description: 'How long a cancelled reply or clause keeps its engine.',
    unit: 's',
    queries: [{ expr: quantile(0.95, 'parley_stage_cancel_seconds', 'stage'), legend: '{{stage}}' }],
    emptyWhenHealthy: 'only where a reply is interrupted while engines still work on it',
  },
];

const QUEUES: readonly PanelPlan[] = [
  {
    title: 'Offers waiting',
    description: 'Depth of each queue. Prioritised jobs count too.',
    unit: 'short',
    queries: [{ expr: 'max by (queue) (parley_queue_depth)', legend: '{{queue}}' }],
  },
  {
    title: 'Wait in the queues',
    description: 'From the offer of a job to its taking.',
    unit: 's',
    queries: [
      { expr: quantile(0.5, 'parley_queue_hop_seconds', 'queue'), legend: '{{queue}} p50' },
      { expr: quantile(0.99, 'parley_queue_hop_seconds', 'queue'), legend: '{{queue}} p99' },
    ],
  },
  {
    title: 'Claims by result',
    description: 'What became of jobs taken. Anything but run is an offer that came too late or twice.',
    unit: 'cps',
    queries: [{ expr: rate('parley_stage_claims_total', 'stage', 'result'), legend: '{{stage}} {{result}}' }],
  },
  {
    title: 'Steps of the turn machine (p99)',
    description: 'One commit in Redis, round trip included.',
    unit: 's',
    queries: [{ expr: quantile(0.99, 'parley_gateway_commit_seconds'), legend: 'commit' }],
  },
  {
    title: 'User audio into Redis (p99)',
    description: 'From a complete entry of some 40 ms at the gateway to its being in Redis.',
    unit: 's',
    queries: [{ expr: quantile(0.99, 'parley_gateway_audio_in_write_seconds'), legend: 'write' }],
  },
  {
    title: 'Connections to Redis',
    description: 'Lowest over all processes: 0 where one has lost Redis.',
    unit: 'short',
    queries: [{ expr: 'min by (connection) (parley_bus_connected)', legend: '{{connection}}' }],
  },
];

const WORKERS: readonly PanelPlan[] = [
  {
    title: 'Use of the pools',
    description: 'Busy slots by slots. A pool near 1 makes turns wait.',
    unit: 'percentunit',
    queries: [
      {
        expr: 'sum by (stage) (parley_worker_busy) / (sum by (stage) (parley_worker_slots) > 0)',
        legend: '{{stage}}',
      },
    ],
  },
  {
    title: 'Predicted wait for a slot',
    description: 'What the least busy worker of each stage expects of new work.',
    unit: 's',
    queries: [{ expr: 'min by (stage) (parley_worker_predicted_wait_seconds)', legend: '{{stage}}' }],
  },
  {
    title: 'Ready workers',
    description: 'As the gateways see them. A stage without any refuses or delays its turns.',
    unit: 'short',
    queries: [{ expr: 'max by (stage) (parley_pool_ready_workers)', legend: '{{stage}}' }],
  },
  {
    title: 'First result of an engine (p95)',
    description: 'First token by language model, first audio by voice, settled text of a stretch of speech.',
    unit: 's',
    queries: [
      { expr: quantile(0.95, 'parley_llm_first_token_seconds', 'engine'), legend: 'first token, {{engine}}' },
      { expr: quantile(0.95, 'parley_tts_first_audio_seconds', 'engine'), legend: 'first audio, {{engine}}' },
      { expr: quantile(0.95, 'parley_stt_settle_seconds'), legend: 'settled text' },
    ],
  },
  {
    title: 'Hearing: backlog and voice detection (p99)',
    description: 'Audio read and not yet heard, and the time to judge a batch of frames.',
    unit: 's',
    queries: [
      { expr: quantile(0.99, 'parley_stt_backlog_seconds'), legend: 'backlog' },
      { expr: quantile(0.99, 'parley_stt_vad_batch_seconds'), legend: 'voice detection' },
    ],
  },
  {
    title: 'CPU by process',
    description: 'Cores in use, and the time that the event loop was late (p99).',
    unit: 'short',
    queries: [
      { expr: 'sum by (job) (rate(process_cpu_seconds_total[$__rate_interval]))', legend: '{{job}}' },
      { expr: 'max by (job) (nodejs_eventloop_lag_p99_seconds)', legend: '{{job}} loop late' },
    ],
  },
];

const FAILURES: readonly PanelPlan[] = [
  {
    title: 'Refused by gateways',
    description: 'Connections and messages refused, by error code.',
    unit: 'cps',
    queries: [{ expr: rate('parley_gateway_refusals_total', 'code'), legend: '{{code}}' }],
    emptyWhenHealthy: NEEDS_A_FAULT,
  },
  {
    title: 'Holders lost and sessions taken over',
    description: 'Workers found gone from what they held, by stage and reason; sessions that changed their gateway.',
    unit: 'cps',
    queries: [
      { expr: rate('parley_gateway_holders_lost_total', 'stage', 'reason'), legend: '{{stage}} {{reason}}' },
      { expr: rate('parley_gateway_take_overs_total', 'cause'), legend: 'session by {{cause}}' },
    ],
    emptyWhenHealthy: NEEDS_A_FAULT,
  },
  {
    title: 'Fenced and refused writes',
    description:
      'Writes of holders that had been replaced or cancelled. CANCELLED is normal in barge-ins, FENCED is not.',
    unit: 'cps',
    queries: [{ expr: rate('parley_bus_refusals_total', 'script', 'code'), legend: '{{script}} {{code}}' }],
    emptyWhenHealthy: NEEDS_A_FAULT,
  },
  {
    title: 'Engine failures',
    description: 'Failures of engines, and what was handed to the next one.',
    unit: 'cps',
    queries: [
      { expr: rate('parley_stt_engine_failures_total', 'code'), legend: 'stt {{code}}' },
      { expr: rate('parley_llm_handed_on_total', 'from', 'code'), legend: 'llm {{from}} {{code}}' },
      { expr: rate('parley_tts_engine_failures_total', 'engine', 'code'), legend: 'tts {{engine}} {{code}}' },
      {
        expr: 'sum by (stage, outcome) (rate(parley_stage_work_seconds_count{outcome=~".+_.+"}[$__rate_interval]))',
        legend: '{{stage}} {{outcome}}',
      },
    ],
    emptyWhenHealthy: NEEDS_A_FAULT,
  },
  {
    title: 'Bounds reached',
    description: 'Whatever was as full as it may be. reply_ahead is normal in long replies; audio lost is not.',
    unit: 'cps',
    queries: [
      { expr: rate('parley_gateway_bound_hits_total', 'bound'), legend: '{{bound}}' },
      { expr: rate('parley_gateway_audio_lost_seconds_total', 'reason'), legend: 'user audio lost, {{reason}}' },
    ],
    emptyWhenHealthy: 'only where a queue, a buffer or a log is full',
  },
  {
    title: 'Bounds reached without a label',
    description: 'Clients that do not read, sessions left unread, output dropped, events read again.',
    unit: 'cps',
    queries: [
      { expr: rate('parley_gateway_slow_consumers_total'), legend: 'slow clients' },
      { expr: rate('parley_stt_reading_paused_total'), legend: 'listener behind' },
      { expr: rate('parley_audio_out_dropped_total'), legend: 'reply audio dropped' },
      { expr: rate('parley_log_overflows_total'), legend: 'events read again' },
      { expr: rate('parley_log_trimmed_total'), legend: 'log trimmed' },
      { expr: rate('parley_gateway_outbox_failures_total'), legend: 'refused by a queue' },
    ],
  },
];

/** The first page to look at: how long turns take and where, the queues and pools behind them, and what fails. */
export const CONVERSATION_ROWS: Readonly<Record<string, readonly PanelPlan[]>> = {
  Turns: TURNS,
  Queues: QUEUES,
  Workers: WORKERS,
  Failures: FAILURES,
};

/** The dashboard as Grafana imports it. */
export function buildConversation(): Dashboard {
  const builder = new DashboardBuilder('Parley: conversations')
    .uid('parley-conversation')
    .description('How long turns take and where, the queues and pools behind them, and what fails.')
    .tags(['parley'])
    .refresh('10s')
    .time({ from: 'now-30m', to: 'now' })
    .timezone('browser')
    .editable()
    .withVariable(new DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus'));
  let id = 0;
  for (const [title, plans] of Object.entries(CONVERSATION_ROWS)) {
    id += 1;
    builder.withRow(new RowBuilder(title).id(id));
    for (const plan of plans) {
      id += 1;
      builder.withPanel(panel(id, plan));
    }
  }
  return builder.build();
}

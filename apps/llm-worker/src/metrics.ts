import { LATENCY_BUCKETS_SECONDS, type Metrics } from '@parley/runtime';

export type LlmMetrics = ReturnType<typeof llmMetrics>;

/** The llm-worker's own metrics. */
export function llmMetrics(metrics: Metrics) {
  return {
    firstToken: metrics.histogram({
      name: 'parley_llm_first_token_seconds',
      help: 'Time from the request to the first token, by engine.',
      labelNames: ['engine'],
    }),
    firstClause: metrics.histogram({
      name: 'parley_llm_first_clause_seconds',
      help: 'Time from the claim to the first clause that can be spoken.',
      labelNames: ['engine'],
    }),
    replies: metrics.counter({
      name: 'parley_llm_replies_total',
      help: 'Replies completed, by the reason for which they ended.',
      labelNames: ['engine', 'finish'],
    }),
    clauses: metrics.counter({ name: 'parley_llm_clauses_total', help: 'Clauses published.' }),
    resumed: metrics.counter({
      name: 'parley_llm_resumed_total',
      help: 'Replies taken over in the middle, by the way they went on: repeated, prefilled or cut.',
      labelNames: ['way'],
    }),
    droppedTurns: metrics.counter({
      name: 'parley_llm_dropped_turns_total',
      help: 'Turns of conversations left out of requests because the context was full.',
    }),
    tooLong: metrics.counter({
      name: 'parley_llm_too_long_total',
      help: 'Requests whose instructions and question alone exceed the context, by estimate.',
    }),
    toolCalls: metrics.counter({
      name: 'parley_llm_tool_calls_total',
      help: 'Calls of tools by side (server, client) and outcome: ok, failed, timeout, refused.',
      labelNames: ['side', 'outcome'],
    }),
    toolSeconds: metrics.histogram({
      name: 'parley_llm_tool_seconds',
      help: 'Time from the call of a tool to its result.',
      labelNames: ['side'],
      buckets: [...LATENCY_BUCKETS_SECONDS, 20, 40],
    }),
    fillers: metrics.counter({
      name: 'parley_llm_fillers_total',
      help: 'Replies that said a filler because a tool took long.',
    }),
    handedOn: metrics.counter({
      name: 'parley_llm_handed_on_total',
      help: 'Replies handed on to the next endpoint or engine before their first word, by what failed and how.',
      labelNames: ['from', 'code'],
    }),
    endpointHealthy: metrics.gauge({
      name: 'parley_llm_endpoint_healthy',
      help: 'Whether an endpoint is asked (1) or left out until it answers again (0).',
      labelNames: ['endpoint'],
    }),
    tokens: metrics.counter({
      name: 'parley_llm_tokens_total',
      help: 'Tokens as counted by the server, where it tells.',
      labelNames: ['engine', 'kind'],
    }),
  };
}

/** Reasons that engines give are theirs; a label takes only known ones. */
export const finishLabel = (reason: string): string =>
  ['stop', 'length', 'tool_calls', 'content_filter', 'cut'].includes(reason) ? reason : 'other';

import type { Metrics } from '@parley/runtime';

export type WordsJudgeMetrics = ReturnType<typeof wordsJudgeMetrics>;

/** What a worker measures about the language model that it asks for ends of turns. */
export function wordsJudgeMetrics(metrics: Metrics) {
  return {
    wordsScores: metrics.counter({
      name: 'parley_stt_turn_llm_scores_total',
      help: 'Pauses put to the language model for ends of turns: used, late (after the pause), refused (too many at once), unclear or failed.',
      labelNames: ['outcome'],
    }),
    wordsSeconds: metrics.histogram({
      name: 'parley_stt_turn_llm_seconds',
      help: 'From the question whether what was said is a whole turn to the answer of the language model.',
    }),
  };
}

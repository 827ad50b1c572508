import type { Metrics } from '@parley/runtime';

export type SoundJudgeMetrics = ReturnType<typeof soundJudgeMetrics>;

/** What a worker measures about its end-of-turn model. */
export function soundJudgeMetrics(metrics: Metrics) {
  return {
    soundScores: metrics.counter({
      name: 'parley_stt_turn_sound_scores_total',
      help: 'Pauses put to the end-of-turn model: used, late (after the pause), refused (too many at once) or absent (it failed).',
      labelNames: ['outcome'],
    }),
    soundSeconds: metrics.histogram({
      name: 'parley_stt_turn_sound_seconds',
      help: 'From the question whether the sound of a turn is its end to the answer of the model.',
    }),
  };
}

import type { Metrics } from '@parley/runtime';

export type TurnEndMetrics = ReturnType<typeof turnEndMetrics>;

/** What a worker measures about the ends of turns. */
export function turnEndMetrics(metrics: Metrics) {
  return {
    soundScores: metrics.counter({
      name: 'parley_stt_turn_sound_scores_total',
      help: 'Pauses put to the end-of-turn model: used, late, refused (too many at once) or absent (the model failed).',
      labelNames: ['outcome'],
    }),
    soundSeconds: metrics.histogram({
      name: 'parley_stt_turn_sound_seconds',
      help: 'From the question whether the sound of a turn is its end to the answer of the model.',
    }),
    waits: metrics.histogram({
      name: 'parley_stt_turn_wait_seconds',
      help: 'Silence after which turns were ended, in audio, by mode: static, dynamic or manual (input.commit).',
      labelNames: ['mode'],
      buckets: [0.1, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.8, 1, 1.25, 1.5, 1.8, 2.5, 5],
    }),
    turns: metrics.counter({
      name: 'parley_stt_turns_total',
      help: 'Turns ended by reason: silence, commit, length (maxTurnMs) or empty (speech without words).',
      labelNames: ['reason'],
    }),
    eager: metrics.counter({
      name: 'parley_stt_turn_eager_total',
      help: 'Plausible ends of turns by what became of them: ended or resumed.',
      labelNames: ['outcome'],
    }),
  };
}

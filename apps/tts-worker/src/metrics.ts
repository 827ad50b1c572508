import type { Counter, Histogram, Metrics } from '@parley/runtime';

/** What a tts-worker counts beside the loop of its stage. */
export interface SpeechMetrics {
  readonly firstAudio: Histogram<'engine'>;
  readonly realTimeFactor: Histogram<'engine'>;
  readonly audioSeconds: Counter<'engine'>;
  readonly unknownVoices: Counter<'engine'>;
  readonly resumed: Counter<'engine' | 'way'>;
  readonly unspeakable: Counter;
}

export function speechMetrics(metrics: Metrics): SpeechMetrics {
  return {
    firstAudio: metrics.histogram({
      name: 'parley_tts_first_audio_seconds',
      help: 'Time from the start of a clause to the first samples from the engine.',
      labelNames: ['engine'],
    }),
    realTimeFactor: metrics.histogram({
      name: 'parley_tts_real_time_factor',
      help: 'Time taken for a clause by the length of its speech.',
      labelNames: ['engine'],
      buckets: [0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 3],
    }),
    audioSeconds: metrics.counter({
      name: 'parley_tts_audio_seconds_total',
      help: 'Speech published.',
      labelNames: ['engine'],
    }),
    unknownVoices: metrics.counter({
      name: 'parley_tts_unknown_voices_total',
      help: 'Clauses spoken in the default voice because the engine does not have the one asked for.',
      labelNames: ['engine'],
    }),
    resumed: metrics.counter({
      name: 'parley_tts_resumed_total',
      help: 'Half-published clauses gone on with: at the same sample, or at a silence of a new rendering.',
      labelNames: ['engine', 'way'],
    }),
    unspeakable: metrics.counter({
      name: 'parley_tts_unspeakable_total',
      help: 'Clauses of punctuation or emoji alone, passed over in silence.',
    }),
  };
}

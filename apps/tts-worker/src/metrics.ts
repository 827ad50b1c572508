import type { Counter, Gauge, Histogram, Metrics } from '@parley/runtime';

/** What a tts-worker counts beside the loop of its stage. */
export interface SpeechMetrics {
  readonly firstAudio: Histogram<'engine'>;
  readonly realTimeFactor: Histogram<'engine'>;
  readonly audioSeconds: Counter<'engine'>;
  readonly unknownVoices: Counter<'engine'>;
  readonly resumed: Counter<'engine' | 'way'>;
  readonly unspeakable: Counter;
  readonly phraseCache: Counter<'engine' | 'result'>;
  readonly phraseCacheBytes: Gauge;
  readonly phraseCacheEvictions: Counter;
  readonly engineFailures: Counter<'engine' | 'code'>;
  readonly fallbacks: Counter<'engine' | 'when'>;
  readonly skippedEngines: Counter<'engine'>;
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
      help: 'Speech that engines, or their cached phrases, gave; of a clause begun again all of it.',
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
    phraseCache: metrics.counter({
      name: 'parley_tts_phrase_cache_total',
      help: 'Texts looked for among the phrases kept: hit or miss.',
      labelNames: ['engine', 'result'],
    }),
    phraseCacheBytes: metrics.gauge({
      name: 'parley_tts_phrase_cache_bytes',
      help: 'Speech kept of phrases.',
    }),
    phraseCacheEvictions: metrics.counter({
      name: 'parley_tts_phrase_cache_evictions_total',
      help: 'Phrases driven out by newer ones.',
    }),
    engineFailures: metrics.counter({
      name: 'parley_tts_engine_failures_total',
      help: 'Failures of one of several engines, by code.',
      labelNames: ['engine', 'code'],
    }),
    fallbacks: metrics.counter({
      name: 'parley_tts_fallbacks_total',
      help: 'Texts taken over by this engine from one that failed: unheard, or midway.',
      labelNames: ['engine', 'when'],
    }),
    skippedEngines: metrics.counter({
      name: 'parley_tts_skipped_engines_total',
      help: 'Texts for which an engine was passed over because it had failed shortly before.',
      labelNames: ['engine'],
    }),
  };
}

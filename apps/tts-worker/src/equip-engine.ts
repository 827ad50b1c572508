import type { Clock } from '@parley/runtime';
import { withProgressDeadline } from '@parley/stage';
import type { SpeechMetrics } from './metrics.ts';
import { PhraseCache } from './phrase-cache.ts';
import { hasVoice, type SpeechChunk, type SpeechRequest, type Synthesizer } from './synthesizer.ts';

export interface EquipOptions {
  /** After this without a first sample, or without a further one, the engine is given up as hung. */
  readonly firstAudioTimeoutMs: number;
  readonly stallTimeoutMs: number;
  /** Without it every phrase is made anew. */
  readonly cache?: PhraseCache | undefined;
  readonly clock: Clock;
  readonly metrics: SpeechMetrics;
}

/** An engine as clauses use it: watched, measured, asked only for voices it has, and for no phrase twice. */
export function equipEngine(engine: Synthesizer, options: EquipOptions): Synthesizer {
  return {
    get name() {
      return engine.name;
    },
    get deterministic() {
      return engine.deterministic;
    },
    get repeatable() {
      return engine.repeatable;
    },
    get cancels() {
      return engine.cancels;
    },
    get sampleRateHz() {
      return engine.sampleRateHz;
    },
    get voices() {
      return engine.voices;
    },
    get languages() {
      return engine.languages;
    },
    hasVoice: (voice) => hasVoice(engine, voice),
    speak: (request, signal) => speak(engine, request, signal, options),
    warmUp: (signal) => engine.warmUp(signal),
    close: () => engine.close(),
  };
}

async function* speak(
  synthesizer: Synthesizer,
  request: SpeechRequest,
  signal: AbortSignal,
  options: EquipOptions,
): AsyncGenerator<SpeechChunk> {
  signal.throwIfAborted();
  const { metrics } = options;
  const engine = synthesizer.name;
  const cache = synthesizer.repeatable ? options.cache : undefined;
  const asked = { ...request, voice: knownVoice(synthesizer, request.voice, metrics) };
  const key = PhraseCache.key(engine, asked);
  const kept = cache?.get(key);
  if (cache !== undefined) metrics.phraseCache.inc({ engine, result: kept === undefined ? 'miss' : 'hit' });
  if (kept !== undefined) {
    metrics.audioSeconds.inc({ engine }, kept.samples.length / kept.sampleRateHz);
    yield kept;
    return;
  }
  const recorder = cache?.record(key);
  for await (const chunk of measured(synthesizer, asked, signal, options)) {
    recorder?.add(chunk);
    yield chunk;
  }
  recorder?.finish();
  if (cache !== undefined) metrics.phraseCacheBytes.set({}, cache.bytes);
}

/** What the engine makes, with how long it took for it. */
async function* measured(
  synthesizer: Synthesizer,
  request: SpeechRequest,
  signal: AbortSignal,
  { firstAudioTimeoutMs, stallTimeoutMs, clock, metrics }: EquipOptions,
): AsyncGenerator<SpeechChunk> {
  const engine = synthesizer.name;
  const startMs = clock.nowMs();
  let engineMs = 0;
  let seconds = 0;
  const speech = withProgressDeadline((linked) => synthesizer.speak(request, linked), {
    ...{ firstMs: firstAudioTimeoutMs, stallMs: stallTimeoutMs, clock, signal },
  });
  for await (const chunk of speech) {
    engineMs = clock.nowMs() - startMs;
    if (seconds === 0) metrics.firstAudio.observe({ engine }, engineMs / 1_000);
    const chunkSeconds = chunk.samples.length / chunk.sampleRateHz;
    seconds += chunkSeconds;
    metrics.audioSeconds.inc({ engine }, chunkSeconds);
    yield chunk;
  }
  if (seconds > 0) metrics.realTimeFactor.observe({ engine }, engineMs / 1_000 / seconds);
}

/** Workers of one pool may have different engines, so a voice that is not there is no failure. */
function knownVoice(engine: Synthesizer, voice: string, metrics: SpeechMetrics): string {
  if (voice === '' || hasVoice(engine, voice)) return voice;
  metrics.unknownVoices.inc({ engine: engine.name });
  return '';
}

import { concatInt16, createResampler, msToSamples } from '@parley/audio';
import { VoiceError } from '@parley/protocol';
import { type Clock, type Logger, linkSignals } from '@parley/runtime';
import { CircuitBreaker } from './circuit-breaker.ts';
import type { SpeechMetrics } from './metrics.ts';
import { COMPARED_MS, continueSpeech } from './resume.ts';
import { hasVoice, type SpeechChunk, type SpeechRequest, type Synthesizer } from './synthesizer.ts';

export interface FallbackOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: SpeechMetrics;
}

interface Candidate {
  readonly engine: Synthesizer;
  readonly breaker: CircuitBreaker;
}

/**
 * Several engines as one: each text is spoken by the first that works. One that fails before its first sample is replaced
 * unheard, one that fails midway at the nearest silence of the next one's rendering. What failed is left alone for a
 * while; if all have failed, they are tried all the same.
 */
export function withFallback(engines: readonly [Synthesizer, ...Synthesizer[]], options: FallbackOptions): Synthesizer {
  return new FallbackSynthesizer(engines, options);
}

class FallbackSynthesizer implements Synthesizer {
  readonly name: string;
  readonly deterministic = false;
  readonly repeatable = false;
  readonly #candidates: readonly Candidate[];
  readonly #options: FallbackOptions;
  readonly #closed = new AbortController();

  constructor(engines: readonly [Synthesizer, ...Synthesizer[]], options: FallbackOptions) {
    this.name = engines.map(({ name }) => name).join(',');
    this.#candidates = engines.map((engine) => ({ engine, breaker: new CircuitBreaker(options.clock) }));
    this.#options = options;
  }

  get cancels(): Synthesizer['cancels'] {
    return this.#candidates.every(({ engine }) => engine.cancels === 'at_once') ? 'at_once' : 'after_sentence';
  }

  get sampleRateHz(): number | undefined {
    const rates = new Set(this.#candidates.map(({ engine }) => engine.sampleRateHz));
    return rates.size === 1 ? [...rates][0] : undefined;
  }

  get voices(): readonly string[] {
    return [...new Set(this.#candidates.flatMap(({ engine }) => engine.voices))];
  }

  get languages(): readonly string[] {
    return [...new Set(this.#candidates.flatMap(({ engine }) => engine.languages))];
  }

  hasVoice(voice: string): boolean {
    return this.#candidates.some(({ engine }) => hasVoice(engine, voice));
  }

  async *speak(request: SpeechRequest, signal: AbortSignal): AsyncGenerator<SpeechChunk> {
    const spoken = new Spoken();
    let failure: VoiceError | undefined;
    for (const [candidate, round] of this.#inOrder()) {
      signal.throwIfAborted();
      const { engine, breaker } = candidate;
      const when = spoken.samples === 0 ? 'unheard' : 'midway';
      if (failure !== undefined) this.#options.metrics.fallbacks.inc({ engine: engine.name, when });
      try {
        const asked = { ...request, voice: this.#voiceFor(engine, request.voice) };
        for await (const chunk of spoken.goOn(engine, asked, signal)) {
          spoken.add(chunk);
          yield chunk;
        }
        if (spoken.samples === 0) throw new VoiceError('engine_failed', 'the engine gave no audio for the text');
        breaker.succeeded();
        return;
      } catch (error) {
        signal.throwIfAborted();
        failure = this.#failed(candidate, round, error);
      }
    }
    throw failure ?? new VoiceError('engine_failed', 'no engine is there');
  }

  /** Ready as soon as one engine is; the others go on warming up meanwhile. */
  async warmUp(signal: AbortSignal): Promise<void> {
    const warming = this.#candidates.map(async (candidate) => {
      const linked = linkSignals(signal, this.#closed.signal);
      try {
        await candidate.engine.warmUp(linked.signal);
        candidate.breaker.succeeded();
      } catch (error) {
        linked.signal.throwIfAborted();
        throw this.#failed(candidate, candidate.breaker.letThrough(), error);
      } finally {
        linked.release();
      }
    });
    await Promise.any(warming).catch((error: AggregateError) => {
      throw error.errors[0];
    });
  }

  async close(): Promise<void> {
    this.#closed.abort(new Error('the engines are being closed'));
    await Promise.allSettled(this.#candidates.map(({ engine }) => engine.close()));
  }

  /** Those let through first, in their order; then, as a last resort, the others. */
  *#inOrder(): Generator<[Candidate, round: number | undefined]> {
    const passedOver: [Candidate, undefined][] = [];
    for (const candidate of this.#candidates) {
      const round = candidate.breaker.letThrough();
      if (round !== undefined) yield [candidate, round];
      else {
        this.#options.metrics.skippedEngines.inc({ engine: candidate.engine.name });
        passedOver.push([candidate, undefined]);
      }
    }
    yield* passedOver;
  }

  #failed({ engine, breaker }: Candidate, round: number | undefined, error: unknown): VoiceError {
    const { logger, metrics } = this.#options;
    const failure = VoiceError.from(error, 'engine_failed');
    const { code } = failure;
    metrics.engineFailures.inc({ engine: engine.name, code });
    // A rejected text says nothing about the next one.
    if (code === 'engine_rejected') return failure;
    const wasOpen = breaker.isOpen;
    breaker.failed(round);
    if (!wasOpen) logger.warn({ err: failure, code, engine: engine.name }, 'engine is left alone for a while');
    return failure;
  }

  /** A voice that another engine lists is not asked of one that cannot tell what it has. */
  #voiceFor(engine: Synthesizer, voice: string): string {
    if (engine.voices.length > 0) return voice;
    return this.#candidates.some((other) => other.engine.voices.includes(voice)) ? '' : voice;
  }
}

/** What has been said of a text, and by whatever engine the rest comes, how it goes on. */
class Spoken {
  samples = 0;
  #rateHz = 0;
  #tail: Int16Array = new Int16Array(0);

  add({ samples, sampleRateHz }: SpeechChunk): void {
    this.samples += samples.length;
    this.#rateHz = sampleRateHz;
    this.#tail = concatInt16([this.#tail, samples]).slice(-msToSamples(COMPARED_MS, sampleRateHz));
  }

  async *goOn(engine: Synthesizer, request: SpeechRequest, signal: AbortSignal): AsyncGenerator<SpeechChunk> {
    if (this.samples === 0) return yield* engine.speak(request, signal);
    const rateHz = this.#rateHz;
    const heard = { samples: this.samples, tail: this.#tail };
    const rest = continueSpeech(atRate(engine.speak(request, signal), rateHz), heard, { rateHz, deterministic: false });
    for await (const samples of rest) yield { samples, sampleRateHz: rateHz };
  }
}

/** Speech at one rate, whatever the engine's is. */
async function* atRate(speech: AsyncIterable<SpeechChunk>, toHz: number): AsyncGenerator<Int16Array> {
  let resampler: Awaited<ReturnType<typeof createResampler>> | undefined;
  try {
    for await (const { samples, sampleRateHz } of speech) {
      resampler ??= await createResampler({ fromHz: sampleRateHz, toHz });
      yield resampler.push(samples);
    }
    if (resampler !== undefined) yield resampler.flush();
  } finally {
    resampler?.close();
  }
}

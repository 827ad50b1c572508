import { createResampler, int16ToBytes, msToSamples, type Resampler } from '@parley/audio';
import type { Bus } from '@parley/bus';
import { type SpeakInput, SpeakInputSchema, VoiceError } from '@parley/protocol';
import type { Clock, Metrics } from '@parley/runtime';
import { type Stage, type WorkContext, withProgressDeadline } from '@parley/stage';
import { ChunkPacker } from './chunk-packer.ts';
import { type SpeechMetrics, speechMetrics } from './metrics.ts';
import { readPublishedTail } from './published-speech.ts';
import { COMPARED_MS, continueSpeech, type Heard } from './resume.ts';
import { isSpeakable, splitText } from './speakable-text.ts';
import type { SpeechRequest, Synthesizer } from './synthesizer.ts';

/** Longer texts are spoken piece by piece: engines have limits of their own, the lowest known is 4 096. */
const MAX_PIECE_CHARS = 1_000;
/** A clause longer than this is no clause. */
const MAX_CLAUSE_CHARS = 20_000;
/** An engine that goes on for longer has lost its way. */
const MAX_CLAUSE_SECONDS = 30 * 60;

export interface SpeakStageOptions {
  /** Where the speech of an earlier try is read. */
  readonly bus: Pick<Bus, 'audioOut'>;
  readonly synthesizer: Synthesizer;
  readonly slots: number;
  /** After this without a first sample, or without a further one, the engine is given up as hung. */
  readonly firstAudioTimeoutMs: number;
  readonly stallTimeoutMs: number;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

/** Clauses in, speech out: each clause becomes chunks of PCM at the session's rate, published as they are made. */
export function speakStage(options: SpeakStageOptions): Stage<'speak'> {
  const metrics = speechMetrics(options.metrics);
  return {
    queue: 'speak',
    name: 'tts',
    slots: options.slots,
    handle: (work) => speakClause(work, { ...options, metrics }),
  };
}

type ClauseOptions = Omit<SpeakStageOptions, 'metrics'> & { readonly metrics: SpeechMetrics };

async function speakClause(work: WorkContext<'speak'>, options: ClauseOptions): Promise<void> {
  const { synthesizer, metrics } = options;
  const input = readInput(work.input);
  const publisher = new Publisher(work, input.rateHz);
  if (isSpeakable(input.text)) {
    for await (const samples of remainingSpeech(work, input, options)) await publisher.push(samples);
    if (publisher.position === 0) throw new VoiceError('engine_failed', 'the engine gave no audio for the text');
  } else {
    metrics.unspeakable.inc();
  }
  await publisher.finish();
  const publishedSeconds = (publisher.position - work.resumeAt) / input.rateHz;
  metrics.audioSeconds.inc({ engine: synthesizer.name }, publishedSeconds);
}

function readInput(json: string): SpeakInput {
  const input = SpeakInputSchema.safeParse(parseJson(json));
  if (!input.success) throw new VoiceError('internal', 'the input of the clause is malformed');
  if (input.data.text.length <= MAX_CLAUSE_CHARS) return input.data;
  throw new VoiceError('engine_rejected', `a clause has at most ${MAX_CLAUSE_CHARS} characters`);
}

/** Without the parser's error, which quotes the text. */
function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

/** The clause from where an earlier try stopped. */
async function* remainingSpeech(
  work: WorkContext<'speak'>,
  input: SpeakInput,
  options: ClauseOptions,
): AsyncGenerator<Int16Array> {
  const { synthesizer, metrics } = options;
  const speech = renderClause(work, input, options);
  if (work.resumeAt === 0) return yield* speech;
  yield* continueSpeech(speech, await heardSpeech(work, input.rateHz, options), {
    rateHz: input.rateHz,
    deterministic: synthesizer.deterministic,
    onWay: (way) => metrics.resumed.inc({ engine: synthesizer.name, way }),
  });
}

async function heardSpeech(work: WorkContext<'speak'>, rateHz: number, { bus }: ClauseOptions): Promise<Heard> {
  const { session, ref, resumeAt, logger } = work;
  const wanted = { endSample: resumeAt, maxSamples: msToSamples(COMPARED_MS, rateHz) };
  const tail = await readPublishedTail(bus.audioOut, session, ref, wanted).catch((err: unknown) => {
    logger.warn({ err }, 'the speech of the earlier try cannot be read');
    return undefined;
  });
  return { samples: resumeAt, tail };
}

/** The whole clause at the session's rate. */
async function* renderClause(
  work: WorkContext<'speak'>,
  input: SpeakInput,
  options: ClauseOptions,
): AsyncGenerator<Int16Array> {
  const { synthesizer, clock, metrics } = options;
  const engine = synthesizer.name;
  const deadline = {
    firstMs: options.firstAudioTimeoutMs,
    stallMs: options.stallTimeoutMs,
    clock,
    signal: work.signal,
  };
  const request = { ...input, voice: knownVoice(input.voice, options) };
  const startMs = clock.nowMs();
  let engineMs = 0;
  let samplesOut = 0;
  let resampler: Resampler | undefined;
  try {
    for await (const { samples, sampleRateHz } of renderPieces(request, synthesizer, deadline)) {
      if (resampler === undefined) {
        metrics.firstAudio.observe({ engine }, (clock.nowMs() - startMs) / 1_000);
        resampler = await createResampler({ fromHz: sampleRateHz, toHz: input.rateHz });
      }
      if (resampler.fromHz !== sampleRateHz) throw new VoiceError('engine_failed', 'the sample rate changed midway');
      const resampled = resampler.push(samples);
      samplesOut += resampled.length;
      if (samplesOut > MAX_CLAUSE_SECONDS * input.rateHz)
        throw new VoiceError('engine_failed', 'the speech never ends');
      engineMs = clock.nowMs() - startMs;
      yield resampled;
    }
    if (resampler !== undefined) yield resampler.flush();
  } finally {
    resampler?.close();
  }
  if (samplesOut > 0) metrics.realTimeFactor.observe({ engine }, (engineMs * input.rateHz) / 1_000 / samplesOut);
}

async function* renderPieces(
  request: SpeechRequest,
  synthesizer: Synthesizer,
  deadline: Parameters<typeof withProgressDeadline>[1],
) {
  for (const text of splitText(request.text, MAX_PIECE_CHARS)) {
    yield* withProgressDeadline((signal) => synthesizer.speak({ ...request, text }, signal), deadline);
  }
}

/** Workers of one pool may have different engines, so a voice that is not there is no failure. */
function knownVoice(voice: string, { synthesizer, metrics }: ClauseOptions): string {
  if (voice === '' || synthesizer.voices.length === 0 || synthesizer.voices.includes(voice)) return voice;
  metrics.unknownVoices.inc({ engine: synthesizer.name });
  return '';
}

/** Publishes a clause's speech in chunks, each with the sample it starts at. */
class Publisher {
  readonly #work: WorkContext<'speak'>;
  readonly #packer: ChunkPacker;
  #position: number;

  constructor(work: WorkContext<'speak'>, rateHz: number) {
    this.#work = work;
    this.#packer = new ChunkPacker(rateHz);
    this.#position = work.resumeAt;
  }

  /** Sample of the clause up to which its speech is published. */
  get position(): number {
    return this.#position;
  }

  async push(samples: Int16Array): Promise<void> {
    for (const chunk of this.#packer.push(samples)) await this.#publish(chunk, false);
  }

  /** Publishes what is left, and the end. */
  async finish(): Promise<void> {
    await this.#publish(this.#packer.flush(), true);
  }

  async #publish(chunk: Int16Array, last: boolean): Promise<void> {
    const { turn, attempt, clause } = this.#work.ref;
    const startSample = this.#position;
    this.#position += chunk.length;
    const samples = chunk.length;
    await this.#work.append({
      events: [
        ...(samples > 0 ? [{ type: 'audio.chunk', turn, attempt, clause, startSample, samples } as const] : []),
        ...(last ? [{ type: 'audio.done', turn, attempt, clause, samples: this.#position } as const] : []),
      ],
      pcm: { clause, startSample, bytes: int16ToBytes(chunk), last },
      resumeAt: this.#position,
      done: last,
    });
  }
}

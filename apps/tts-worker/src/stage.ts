import { createResampler, int16ToBytes, msToSamples, type Resampler } from '@parley/audio';
import type { Bus } from '@parley/bus';
import { type SpeakInput, SpeakInputSchema, VoiceError } from '@parley/protocol';
import type { Stage, WorkContext } from '@parley/stage';
import { ChunkPacker } from './chunk-packer.ts';
import type { SpeechMetrics } from './metrics.ts';
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
  readonly metrics: SpeechMetrics;
}

/** Clauses in, speech out: each clause becomes chunks of PCM at the session's rate, published as they are made. */
export function speakStage(options: SpeakStageOptions): Stage<'speak'> {
  return {
    queue: 'speak',
    name: 'tts',
    slots: options.slots,
    handle: (work) => speakClause(work, options),
  };
}

async function speakClause(work: WorkContext<'speak'>, options: SpeakStageOptions): Promise<void> {
  const { metrics } = options;
  const input = readInput(work.input);
  const publisher = new Publisher(work, input.rateHz);
  if (isSpeakable(input.text)) {
    for await (const samples of remainingSpeech(work, input, options)) await publisher.push(samples);
    if (publisher.position === 0) throw new VoiceError('engine_failed', 'the engine gave no audio for the text');
  } else {
    metrics.unspeakable.inc();
  }
  await publisher.finish();
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
  options: SpeakStageOptions,
): AsyncGenerator<Int16Array> {
  const { synthesizer, metrics } = options;
  const speech = renderClause(work, input, options);
  if (work.resumeAt === 0) return yield* speech;
  const heard = await heardSpeech(work, input.rateHz, options);
  yield* continueSpeech(speech, heard, {
    rateHz: input.rateHz,
    deterministic: synthesizer.deterministic,
    onWay: (way) => {
      metrics.resumed.inc({ engine: synthesizer.name, way });
      work.logger.info(
        { way, resumeAt: work.resumeAt, compared: heard.tail?.length ?? 0 },
        'going on with a half-published clause',
      );
    },
  });
}

async function heardSpeech(work: WorkContext<'speak'>, rateHz: number, { bus }: SpeakStageOptions): Promise<Heard> {
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
  { synthesizer }: SpeakStageOptions,
): AsyncGenerator<Int16Array> {
  let samplesOut = 0;
  let resampler: Resampler | undefined;
  try {
    for await (const { samples, sampleRateHz } of renderPieces(input, synthesizer, work.signal)) {
      // Between two pieces another engine may have taken over.
      if (resampler !== undefined && resampler.fromHz !== sampleRateHz) {
        yield resampler.flush();
        resampler.close();
        resampler = undefined;
      }
      resampler ??= await createResampler({ fromHz: sampleRateHz, toHz: input.rateHz });
      const resampled = resampler.push(samples);
      samplesOut += resampled.length;
      if (samplesOut > MAX_CLAUSE_SECONDS * input.rateHz)
        throw new VoiceError('engine_failed', 'the speech never ends');
      yield resampled;
    }
    if (resampler !== undefined) yield resampler.flush();
  } finally {
    resampler?.close();
  }
}

async function* renderPieces(request: SpeechRequest, synthesizer: Synthesizer, signal: AbortSignal) {
  for (const text of splitText(request.text, MAX_PIECE_CHARS)) yield* synthesizer.speak({ ...request, text }, signal);
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

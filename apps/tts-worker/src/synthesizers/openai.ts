import { AudioError, PcmByteStream } from '@parley/audio';
import { VoiceError } from '@parley/protocol';
import { createLeanFetch } from '@parley/runtime';
import OpenAI, { APIConnectionError, APIConnectionTimeoutError, APIError } from 'openai';
import { z } from 'zod';
import { type SpeechChunk, type SpeechRequest, type Synthesizer, speakOnce } from '../synthesizer.ts';
import { WavStream } from '../wav-stream.ts';

const OPENAI_BASE_URL = 'https://api.openai.com/v1';
const DEFAULT_MODEL = 'tts-1';
const DEFAULT_VOICE = 'alloy';
/** Names that servers with voices of their own understand too. */
const OPENAI_VOICES = 'alloy ash ballad coral echo fable nova onyx sage shimmer verse'.split(' ');
const VOICES_LIMIT_MS = 2_000;
const MAX_VOICES = 2_000;
/** Rate of `response_format: pcm` where the answer does not name another. */
const PCM_RATE_HZ = 24_000;

/** Kokoro-FastAPI and Orpheus-FastAPI list their voices; of what others answer nothing is taken. */
const VoicesSchema = z.object({
  voices: z.array(z.union([z.string(), z.object({ id: z.string() }).transform(({ id }) => id)])).max(MAX_VOICES),
});

export interface OpenAiSynthesizerOptions {
  readonly baseUrl?: string | undefined;
  readonly apiKey?: string | undefined;
  readonly model?: string | undefined;
  /** Voice where a session names none. */
  readonly voice?: string | undefined;
}

/** Any server with OpenAI's `POST /audio/speech`, PCM or WAV, streamed as it comes. */
export function createOpenAiSynthesizer({ baseUrl, apiKey, model, voice }: OpenAiSynthesizerOptions): Synthesizer {
  const connections = createLeanFetch();
  const client = new OpenAI({
    baseURL: baseUrl || OPENAI_BASE_URL,
    // Local servers want none, the SDK wants some. Nothing is left to be read from the environment behind our back.
    apiKey: apiKey || 'none',
    adminAPIKey: null,
    organization: null,
    project: null,
    // The owner decides about another try, on another worker.
    maxRetries: 0,
    logLevel: 'off',
    fetch: connections.fetch,
  });

  let voices: readonly string[] = [];
  const defaultVoice = (): string => {
    if (voice) return voice;
    const [first = DEFAULT_VOICE] = voices;
    return voices.includes(DEFAULT_VOICE) || voices.includes(`af_${DEFAULT_VOICE}`) ? DEFAULT_VOICE : first;
  };
  const listVoices = async (signal: AbortSignal): Promise<void> => {
    const answer = await client.get('/audio/voices', { signal, timeout: VOICES_LIMIT_MS }).catch(() => undefined);
    voices = VoicesSchema.safeParse(answer).data?.voices ?? [];
  };

  async function* speak(request: SpeechRequest, signal: AbortSignal): AsyncGenerator<SpeechChunk> {
    signal.throwIfAborted();
    try {
      const response = await client.audio.speech.create(
        {
          model: model || DEFAULT_MODEL,
          voice: request.voice || defaultVoice(),
          input: request.text,
          response_format: 'pcm',
          // Not every server knows it.
          ...(request.speed === 1 ? {} : { speed: request.speed }),
        },
        { signal },
      );
      yield* decodeSpeech(response);
    } catch (error) {
      signal.throwIfAborted();
      throw translate(error);
    }
    signal.throwIfAborted();
  }

  const openai: Synthesizer = {
    name: 'openai',
    deterministic: false,
    repeatable: true,
    cancels: 'at_once',
    sampleRateHz: undefined,
    get voices() {
      return voices;
    },
    languages: [],
    // Kokoro mixes voices: `af_bella(2)+af_sky(1)`.
    hasVoice: (name) =>
      voices.length === 0 ||
      name.split(/[+-]/).every((part) => [...voices, ...OPENAI_VOICES].includes(part.replace(/\(.*\)$/, ''))),
    speak,
    async warmUp(signal) {
      await listVoices(signal);
      await speakOnce(openai, signal);
    },
    close: () => connections.close(),
  };
  return openai;
}

async function* decodeSpeech(response: Response): AsyncGenerator<SpeechChunk> {
  const contentType = response.headers.get('content-type') ?? '';
  const { body } = response;
  if (body === null) throw new VoiceError('engine_failed', 'the answer has no body');
  if (/^(text|application\/json|audio\/(?!pcm|l16|x?-?wav|wave|vnd\.wave|basic))/i.test(contentType)) {
    await body.cancel();
    throw new VoiceError('engine_failed', `the server answers ${contentType}, not PCM or WAV`);
  }
  const pcmRateHz = Number(/rate=(\d+)/i.exec(contentType)?.[1] ?? PCM_RATE_HZ);
  let decoder: SpeechDecoder | undefined;
  let start: Uint8Array = new Uint8Array(0);
  for await (const bytes of body) {
    if (decoder === undefined) {
      start = Buffer.concat([start, bytes]);
      if (start.byteLength < 4) continue;
      decoder = startsWithRiff(start) ? new WavStream() : new PcmDecoder(pcmRateHz);
    }
    const chunk = decoder.push(start.byteLength > 0 ? start : bytes);
    start = new Uint8Array(0);
    if (chunk !== undefined && chunk.samples.length > 0) yield chunk;
  }
  decoder?.end();
}

interface SpeechDecoder {
  push(bytes: Uint8Array): SpeechChunk | undefined;
  end(): void;
}

class PcmDecoder implements SpeechDecoder {
  readonly #stream = new PcmByteStream();
  readonly #sampleRateHz: number;

  constructor(sampleRateHz: number) {
    this.#sampleRateHz = sampleRateHz;
  }

  push(bytes: Uint8Array): SpeechChunk {
    return { samples: this.#stream.push(bytes), sampleRateHz: this.#sampleRateHz };
  }

  end(): void {
    this.#stream.end();
  }
}

const startsWithRiff = (bytes: Uint8Array): boolean => Buffer.from(bytes.subarray(0, 4)).toString('latin1') === 'RIFF';

/** The server's own words are left out: they may quote what was to be said. */
function translate(error: unknown): VoiceError {
  if (error instanceof VoiceError) return error;
  if (error instanceof APIConnectionTimeoutError) return new VoiceError('engine_timeout', 'no answer from the server');
  if (error instanceof APIConnectionError) {
    return new VoiceError('engine_failed', 'the server cannot be reached', { cause: error.cause });
  }
  if (error instanceof APIError && error.status !== undefined) {
    const isPassing = error.status >= 500 || error.status === 408 || error.status === 409 || error.status === 429;
    return new VoiceError(isPassing ? 'engine_failed' : 'engine_rejected', `the server answers ${error.status}`);
  }
  if (error instanceof AudioError) return new VoiceError('engine_failed', error.message, { cause: error });
  return new VoiceError('engine_failed', 'the server broke off its answer', { cause: error });
}

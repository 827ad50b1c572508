import { msToSamples, SPEECH_SAMPLE_RATE_HZ, writeWav } from '@parley/audio';
import { VoiceError } from '@parley/protocol';
import { APIConnectionError, APIConnectionTimeoutError, APIError, toFile } from 'openai';
import { z } from 'zod';
import { openAiClient } from '../openai-client.ts';
import { plainText } from '../plain-text.ts';
import type { Recognizer, RecognizerOptions, SpokenWord } from '../recognizer.ts';
import { parseHotwords } from './hotwords.ts';
import { type HeardSegment, SegmentwiseStream } from './segmentwise-stream.ts';
import { WHISPER_LANGUAGES } from './sherpa-languages.ts';

const DEFAULT_MODEL = 'whisper-1';
const DEFAULT_SLOTS = 32;
/** The server hears a segment anew for every partial: not more often than this. */
const SHORTEST_PARTIAL_MS = 1_000;
/** Servers refuse what is shorter than 0.1 s, and understand little below this: silence fills it up. */
const SHORTEST_SAMPLES = msToSamples(500, SPEECH_SAMPLE_RATE_HZ);
/** A server may load its model for the first request. */
const WARM_UP_LIMIT_MS = 60_000;

const AnswerSchema = z.object({
  text: z.string(),
  words: z.array(z.object({ word: z.string(), start: z.number(), end: z.number() })).optional(),
});

/** Any server with OpenAI's `POST /audio/transcriptions`: each segment is sent as a WAV file when it has ended. */
export async function createRecognizer(options: RecognizerOptions): Promise<Recognizer> {
  const { baseUrl, apiKey, slots, stallTimeoutMs, partialMs = 0 } = options;
  if (baseUrl === undefined && apiKey === undefined) {
    throw new VoiceError('engine_missing', 'openai needs PARLEY_STT_BASE_URL or PARLEY_STT_API_KEY');
  }
  const model = options.model || DEFAULT_MODEL;
  const client = openAiClient(baseUrl, apiKey);
  const [language = ''] = (options.language ?? '').toLowerCase().split('-');
  const prompt = parseHotwords(options.hotwords).join(', ');
  /** Newer models of OpenAI do not know when a word was said. */
  let tellsWords = !/transcribe/.test(model) || /whisper/.test(model);

  const request = async (samples: Int16Array, signal: AbortSignal, timeoutMs: number): Promise<HeardSegment> => {
    const padded = new Int16Array(Math.max(samples.length, SHORTEST_SAMPLES));
    padded.set(samples);
    const file = await toFile(writeWav(padded, SPEECH_SAMPLE_RATE_HZ), 'segment.wav', { type: 'audio/wav' });
    const answer: unknown = await client.audio.transcriptions.create(
      {
        file,
        model,
        ...(language === '' ? {} : { language }),
        ...(prompt === '' ? {} : { prompt }),
        ...(tellsWords
          ? { response_format: 'verbose_json', timestamp_granularities: ['word'] }
          : { response_format: 'json' }),
      },
      { signal, timeout: timeoutMs },
    );
    const { success, data } = AnswerSchema.safeParse(answer);
    if (!success) throw new VoiceError('engine_failed', 'the server answers without a text');
    const words = data.words?.map((word) => spokenWord(word, samples.length));
    return { text: plainText(data.text), words };
  };

  const hear = async (samples: Int16Array, signal: AbortSignal, timeoutMs = stallTimeoutMs): Promise<HeardSegment> => {
    try {
      return await request(samples, signal, timeoutMs);
    } catch (error) {
      const isRefused = error instanceof APIError && (error.status === 400 || error.status === 422);
      if (!isRefused || !tellsWords) throw translate(error);
    }
    // The server may know the plain form only.
    tellsWords = false;
    try {
      return await request(samples, signal, timeoutMs);
    } catch (error) {
      // It was about something else.
      tellsWords = true;
      throw translate(error);
    }
  };

  await hear(new Int16Array(SHORTEST_SAMPLES), new AbortController().signal, WARM_UP_LIMIT_MS);
  let isClosed = false;
  const streams = new Set<SegmentwiseStream>();
  return {
    name: 'openai',
    languages: language === '' ? languagesOf(model) : [language],
    slots: slots === 0 ? DEFAULT_SLOTS : slots,
    deterministic: false,
    cancels: 'at_once',
    async open() {
      if (isClosed) throw new VoiceError('engine_failed', 'openai is not running');
      const stream: SegmentwiseStream = new SegmentwiseStream({
        hear,
        partialMs: partialMs === 0 ? 0 : Math.max(SHORTEST_PARTIAL_MS, partialMs),
        onClosed: () => void streams.delete(stream),
      });
      streams.add(stream);
      return stream;
    },
    async close() {
      isClosed = true;
      for (const stream of [...streams]) stream.fail(new VoiceError('engine_failed', 'openai was stopped'));
    },
  };
}

function languagesOf(model: string): readonly string[] {
  if (/\.en\b/.test(model)) return ['en'];
  return /whisper|transcribe/.test(model) ? WHISPER_LANGUAGES : [];
}

function spokenWord({ word, start, end }: { word: string; start: number; end: number }, samples: number): SpokenWord {
  const sampleAt = (seconds: number): number =>
    Math.min(samples, Math.max(0, Math.round(seconds * SPEECH_SAMPLE_RATE_HZ)));
  const startSample = sampleAt(start);
  return { word: word.trim(), startSample, endSample: Math.max(startSample, sampleAt(end)) };
}

/** The server's own words are left out: they may quote what was said. */
function translate(error: unknown): VoiceError {
  if (error instanceof VoiceError) return error;
  if (error instanceof APIConnectionTimeoutError) return new VoiceError('engine_timeout', 'no answer from the server');
  if (error instanceof APIConnectionError) {
    return new VoiceError('engine_failed', 'the server cannot be reached', { cause: error.cause });
  }
  if (error instanceof APIError && error.status !== undefined) {
    const isPassing = error.status >= 500 || [408, 409, 425, 429].includes(error.status);
    return new VoiceError(isPassing ? 'engine_failed' : 'engine_rejected', `the server answers ${error.status}`);
  }
  return new VoiceError('engine_failed', 'the server broke off its answer');
}

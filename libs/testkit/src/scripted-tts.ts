import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { int16ToBytes, resample, writeWav } from '@parley/audio';
import { countAnswer, readJson, ScriptedServer, sendJson } from './scripted-server.ts';

/** A speech request as the server saw it. */
export interface TtsRequest {
  readonly model: string;
  readonly input: string;
  readonly voice?: string;
  readonly speed?: number;
  readonly response_format?: string;
  readonly [field: string]: unknown;
}

/**
 * Whose ways the server has:
 * - `openai`: PCM at 24 kHz, and no list of voices.
 * - `kokoro` (Kokoro-FastAPI): PCM at 24 kHz in chunks; knows its models and voices, lists them as objects, refuses others.
 * - `orpheus` (Orpheus-FastAPI): whatever is asked for, one whole WAV when all of it has been made; knows no speed, takes
 *   any model and voice, lists its voices as strings.
 * - `xtts` (openedai-speech): PCM with its rate in the content type, 22 050 Hz for `tts-1` (Piper) and 24 000 Hz for
 *   `tts-1-hd` (XTTS), whose unknown voices it refuses; no list of voices.
 * - `streamed-wav`: WAV whose header leaves the length open, sent as it is made.
 */
export type TtsDialect = 'openai' | 'kokoro' | 'orpheus' | 'xtts' | 'streamed-wav';

export interface TtsBehaviour {
  /** Of what kind the server is; `openai` when not given. */
  readonly dialect?: TtsDialect;
  /** Wait before the first byte. */
  readonly firstByteMs?: number;
  /** Time to make a second of speech, as a share of that second; 0, at once, when not given. */
  readonly realTimeFactor?: number;
  /** Seconds of speech a character of text takes; 0.06 when not given. */
  readonly secondsPerCharacter?: number;
  /** Pitch of a text's tone; from a hash of the text when not given, so that every clause has its own. */
  readonly toneHz?: (text: string) => number;
  /** Hangs up after this many bytes. */
  readonly failAfterBytes?: number | undefined;
  /** Goes silent after this many bytes, the connection open. */
  readonly hangAfterBytes?: number | undefined;
  /** Answers with this status and an error body. */
  readonly status?: number | undefined;
}

export interface ScriptedTts {
  /** For `PARLEY_TTS_BASE_URL`, `/v1` included. */
  readonly url: string;
  readonly requests: readonly TtsRequest[];
  /** Value of each request's `Authorization` header. */
  readonly authorizations: readonly (string | undefined)[];
  /** Answers that the client closed before their end, with the time (`performance.now()`). */
  readonly abortedAtMs: readonly number[];
  /** Answers being streamed now. */
  readonly active: number;
  /** Changes the behaviour of requests to come; what is not named stays. */
  setBehaviour(change: TtsBehaviour): void;
  close(): Promise<void>;
}

/** Rate of the `pcm` format of OpenAI's speech endpoint. */
export const SCRIPTED_TTS_RATE_HZ = 24_000;
/** Voices of the servers that list theirs, as far as tests need them. */
const VOICES = { kokoro: ['af_alloy', 'af_bella', 'af_heart', 'bm_george'], orpheus: ['tara', 'leah', 'leo', 'zoe'] };
const KOKORO_MODELS = ['kokoro', 'tts-1', 'tts-1-hd'];
/** OpenAI's names that Kokoro-FastAPI takes for voices of its own. */
const KOKORO_ALIASES = ['alloy', 'ash', 'coral', 'echo', 'fable', 'nova', 'onyx', 'sage', 'shimmer'];
const XTTS_VOICES = ['alloy', 'echo', 'fable', 'onyx', 'nova', 'shimmer'];
const PIPER_RATE_HZ = 22_050;
/** Size of a WAV whose end is not known when it begins. */
const OPEN_SIZE = 0xffff_ffff;
const WAV_SIZE_OFFSETS = [4, 40];
/** Bytes written at a time: odd, so that samples are cut in two. */
const WRITE_BYTES = 4_801;

/** Starts a server that speaks OpenAI's `/v1/audio/speech` (PCM) with set delays and failures, on a free port. */
export async function startScriptedTts(behaviour: TtsBehaviour = {}): Promise<ScriptedTts> {
  const tts = new TtsServer(behaviour);
  await tts.listen('/v1');
  return tts;
}

/**
 * The samples that the server gives for a text: a tone that depends on the text alone, faded at both ends. A listener
 * can tell clauses apart by pitch and finds every sample predictable.
 */
export function scriptedSpeech(
  text: string,
  behaviour: Pick<TtsBehaviour, 'toneHz' | 'secondsPerCharacter'> = {},
): Int16Array {
  const seconds = text.trim().length * (behaviour.secondsPerCharacter ?? 0.06);
  const samples = new Int16Array(Math.round(seconds * SCRIPTED_TTS_RATE_HZ));
  const toneHz = behaviour.toneHz?.(text) ?? toneOf(text);
  const fade = Math.min(240, Math.floor(samples.length / 2));
  for (let index = 0; index < samples.length; index += 1) {
    const gain = Math.min(1, (index + 1) / fade, (samples.length - index) / fade);
    samples[index] = Math.round(9_000 * gain * Math.sin((2 * Math.PI * toneHz * index) / SCRIPTED_TTS_RATE_HZ));
  }
  return samples;
}

/** 200 to 1 999 Hz. */
function toneOf(text: string): number {
  return 200 + (createHash('sha256').update(text.trim()).digest().readUInt32LE(0) % 1_800);
}

class TtsServer extends ScriptedServer<TtsBehaviour> implements ScriptedTts {
  readonly requests: TtsRequest[] = [];
  readonly authorizations: (string | undefined)[] = [];

  protected async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refuse = (status: number, message: string): void => {
      request.resume();
      sendJson(response, status, { error: { message, type: 'scripted', code: null } });
    };
    const behaviour = this.behaviour;
    if (behaviour.status !== undefined) return refuse(behaviour.status, `scripted ${behaviour.status}`);
    const { dialect = 'openai' } = behaviour;
    if (request.method === 'GET' && request.url === '/v1/audio/voices') {
      if (dialect === 'kokoro') {
        return sendJson(response, 200, { voices: VOICES.kokoro.map((voice) => ({ id: voice, name: voice })) });
      }
      if (dialect === 'orpheus') return sendJson(response, 200, { status: 'ok', voices: VOICES.orpheus });
      return sendJson(response, 404, { detail: 'Not Found' });
    }
    if (request.method === 'GET' && request.url === '/v1/models') {
      return sendJson(response, 200, { object: 'list', data: [{ id: 'scripted-voice', object: 'model' }] });
    }
    if (request.method !== 'POST' || request.url !== '/v1/audio/speech') return refuse(404, 'no such path');
    const body = await readJson<TtsRequest>(request);
    this.requests.push(body);
    this.authorizations.push(request.headers.authorization);
    if (typeof body.input !== 'string' || body.input.trim() === '') return refuse(400, 'input is empty');
    const refusal = refusalOf(dialect, body);
    if (refusal !== undefined) return sendJson(response, 400, refusal);
    await this.#stream(await renderAnswer(dialect, body, behaviour), behaviour, response);
  }

  async #stream(
    { bytes, bytesPerMs, contentType, isWhole }: Answer,
    behaviour: TtsBehaviour,
    response: ServerResponse,
  ): Promise<void> {
    const { realTimeFactor = 0, failAfterBytes, hangAfterBytes } = behaviour;
    const answer = countAnswer(this, response);
    const makeMs = (count: number): number => (count / bytesPerMs) * realTimeFactor;
    if (isWhole) await this.timers.sleep(makeMs(bytes.length));
    if (answer.isOver) return;
    const length = isWhole ? { 'content-length': bytes.length } : {};
    response.writeHead(200, { 'content-type': contentType, ...length });
    response.flushHeaders();
    await this.timers.sleep(behaviour.firstByteMs ?? 0);
    const startedMs = performance.now() - (isWhole ? makeMs(bytes.length) : 0);
    const end = Math.min(bytes.length, failAfterBytes ?? bytes.length, hangAfterBytes ?? bytes.length);
    for (let at = 0; at < end; at += WRITE_BYTES) {
      const chunk = bytes.subarray(at, Math.min(end, at + WRITE_BYTES));
      // A chunk is there when its last sample has been made.
      await this.timers.sleep(startedMs + makeMs(at + chunk.length) - performance.now());
      if (answer.isOver) return;
      response.write(chunk);
    }
    if (end === hangAfterBytes && end < bytes.length) return;
    answer.isOver = true;
    if (end === failAfterBytes && end < bytes.length) response.destroy();
    else response.end();
  }
}

interface Answer {
  readonly bytes: Uint8Array;
  readonly bytesPerMs: number;
  readonly contentType: string;
  /** Sent when all of it has been made, with its length. */
  readonly isWhole: boolean;
}

/** What such a server says about a request that it does not take; undefined where it takes it. */
function refusalOf(
  dialect: TtsDialect,
  { model, voice = '', response_format: format }: TtsRequest,
): object | undefined {
  if (dialect === 'kokoro') {
    if (!KOKORO_MODELS.includes(model)) {
      return {
        detail: { error: 'invalid_model', message: `Unsupported model: ${model}`, type: 'invalid_request_error' },
      };
    }
    const parts = voice.split(/[+-]/).map((part) => part.replace(/\(.*\)$/, ''));
    const unknown = parts.find((part) => ![...VOICES.kokoro, ...KOKORO_ALIASES].includes(part));
    if (unknown !== undefined) {
      const message = `Voice '${unknown}' not found. Available voices: ${VOICES.kokoro.join(', ')}`;
      return { detail: { error: 'validation_error', message, type: 'invalid_request_error' } };
    }
  }
  if (dialect === 'xtts' && model === 'tts-1-hd' && !XTTS_VOICES.includes(voice)) {
    return { error: { message: `Error loading voice: ${voice}, KeyError`, type: 'BadRequestError', param: 'voice' } };
  }
  if (dialect === 'orpheus' || dialect === 'streamed-wav' || format === 'pcm') return undefined;
  return { error: { message: 'only pcm is scripted', type: 'scripted', code: null } };
}

async function renderAnswer(dialect: TtsDialect, body: TtsRequest, behaviour: TtsBehaviour): Promise<Answer> {
  const speech = scriptedSpeech(body.input, behaviour);
  const rateHz = dialect === 'xtts' && body.model === 'tts-1' ? PIPER_RATE_HZ : SCRIPTED_TTS_RATE_HZ;
  const bytesPerMs = (rateHz * 2) / 1_000;
  switch (dialect) {
    case 'openai':
    case 'kokoro':
      return { bytes: int16ToBytes(speech), bytesPerMs, contentType: 'audio/pcm', isWhole: false };
    case 'xtts': {
      const bytes = int16ToBytes(await resample(speech, SCRIPTED_TTS_RATE_HZ, rateHz));
      return { bytes, bytesPerMs, contentType: `audio/pcm;rate=${rateHz}`, isWhole: false };
    }
    case 'orpheus':
      return { bytes: writeWav(speech, rateHz), bytesPerMs, contentType: 'audio/wav', isWhole: true };
    case 'streamed-wav': {
      const wav = Buffer.from(writeWav(speech, rateHz));
      for (const offset of WAV_SIZE_OFFSETS) wav.writeUInt32LE(OPEN_SIZE, offset);
      return { bytes: wav, bytesPerMs, contentType: 'audio/x-wav', isWhole: false };
    }
    default:
      return dialect satisfies never;
  }
}

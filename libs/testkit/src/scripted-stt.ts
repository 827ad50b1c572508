import type { IncomingMessage, ServerResponse } from 'node:http';
import { readWav } from '@parley/audio';
import { hearKnownSpeech } from './known-speech.ts';
import { countAnswer, ScriptedServer, sendJson } from './scripted-server.ts';

/** A transcription request as the server saw it. */
export interface SttRequest {
  readonly model: string;
  readonly samples: Int16Array;
  readonly language?: string;
  readonly prompt?: string;
  readonly responseFormat: string;
  readonly granularities: readonly string[];
  readonly fileName: string;
  readonly fileType: string;
  readonly authorization?: string;
}

export interface SttBehaviour {
  /** Wait before the answer. */
  readonly delayMs?: number;
  /** Answers with this status and an error body. */
  readonly status?: number | undefined;
  /** Hangs up instead of answering: before the first byte, or in the middle of the answer. */
  readonly hangUp?: 'before' | 'midway' | undefined;
  /** Never answers. */
  readonly hang?: boolean;
  /** Knows no `verbose_json`, as OpenAI's newer models. */
  readonly plainOnly?: boolean;
}

export interface ScriptedStt {
  /** For `PARLEY_STT_BASE_URL`, `/v1` included. */
  readonly url: string;
  readonly requests: readonly SttRequest[];
  /** Requests that the client closed before their answer, with the time (`performance.now()`). */
  readonly abortedAtMs: readonly number[];
  /** Requests being answered now. */
  readonly active: number;
  /** Changes the behaviour of requests to come; what is not named stays. */
  setBehaviour(change: SttBehaviour): void;
  close(): Promise<void>;
}

const RATE_HZ = 16_000;
const FORMATS = ['json', 'text', 'srt', 'verbose_json', 'vtt'];
const SHORTEST_SECONDS = 0.1;

/**
 * Starts a server that speaks OpenAI's `/v1/audio/transcriptions` with set delays and failures, on a free port. It
 * understands the recordings of `fixtures/speech`, and nothing else.
 */
export async function startScriptedStt(behaviour: SttBehaviour = {}): Promise<ScriptedStt> {
  const stt = new SttServer(behaviour);
  await stt.listen('/v1');
  return stt;
}

/** What OpenAI says about a request that it does not take. */
class Refusal extends Error {
  readonly param: string | null;

  constructor(message: string, param: string | null = null) {
    super(message);
    this.param = param;
  }
}

class SttServer extends ScriptedServer<SttBehaviour> implements ScriptedStt {
  readonly requests: SttRequest[] = [];

  protected async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const behaviour = this.behaviour;
    const answer = countAnswer(this, response);
    const refuse = (status: number, message: string, param: string | null = null): void => {
      answer.isOver = true;
      request.resume();
      sendJson(response, status, { error: { message, type: 'invalid_request_error', param, code: null } });
    };
    if (behaviour.status !== undefined) return refuse(behaviour.status, `scripted ${behaviour.status}`);
    if (request.method !== 'POST' || request.url !== '/v1/audio/transcriptions') return refuse(404, 'no such path');
    let heard: SttRequest;
    try {
      heard = await readRequest(request, behaviour);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return refuse(400, error.message, error.param);
    }
    this.requests.push(heard);
    if (behaviour.hang) return;
    await this.timers.sleep(behaviour.delayMs ?? 0);
    if (answer.isOver) return;
    answer.isOver = true;
    if (behaviour.hangUp === 'before') return void response.destroy();
    const body = render(heard);
    const contentType = heard.responseFormat === 'text' ? 'text/plain; charset=utf-8' : 'application/json';
    response.writeHead(200, { 'content-type': contentType, 'content-length': Buffer.byteLength(body) });
    if (behaviour.hangUp !== 'midway') return void response.end(body);
    response.write(body.slice(0, Math.floor(body.length / 2)), () => response.destroy());
  }
}

/** Reads the form as OpenAI does; throws a `Refusal` where OpenAI would not take it. */
async function readRequest(request: IncomingMessage, behaviour: SttBehaviour): Promise<SttRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const headers = { 'content-type': request.headers['content-type'] ?? '' };
  const form = await new Response(Buffer.concat(chunks), { headers }).formData().catch(() => {
    throw new Refusal('Could not parse multipart form');
  });
  const field = (name: string): string | undefined => {
    const value = form.get(name);
    return typeof value === 'string' ? value : undefined;
  };
  const file = form.get('file');
  if (file === null || typeof file === 'string') throw new Refusal('file: field required', 'file');
  const model = field('model') ?? '';
  if (model === '') throw new Refusal('you must provide a model parameter');
  const responseFormat = field('response_format') ?? 'json';
  if (!FORMATS.includes(responseFormat)) throw new Refusal('unknown response_format', 'response_format');
  if (behaviour.plainOnly && responseFormat !== 'json' && responseFormat !== 'text') {
    const reason = `response_format '${responseFormat}' is not compatible with model '${model}'. Use 'json' or 'text'`;
    throw new Refusal(`${reason} instead.`, 'response_format');
  }
  const granularities = form.getAll('timestamp_granularities[]').map(String);
  if (granularities.length > 0 && responseFormat !== 'verbose_json') {
    throw new Refusal('timestamp_granularities needs verbose_json', 'timestamp_granularities');
  }
  const language = field('language');
  if (language !== undefined && !/^[a-z]{2,3}$/.test(language)) {
    throw new Refusal(`Language parameter must be specified in ISO-639-1 or ISO-639-3 format.`, 'language');
  }
  const prompt = field('prompt');
  return {
    ...{ model, responseFormat, granularities, fileName: file.name, fileType: file.type },
    samples: await readAudio(file),
    ...(language === undefined ? {} : { language }),
    ...(prompt === undefined ? {} : { prompt }),
    ...(request.headers.authorization === undefined ? {} : { authorization: request.headers.authorization }),
  };
}

async function readAudio(file: Blob): Promise<Int16Array> {
  let wav: ReturnType<typeof readWav>;
  try {
    wav = readWav(new Uint8Array(await file.arrayBuffer()));
  } catch {
    throw new Refusal('Audio file might be corrupted or unsupported', 'file');
  }
  if (wav.samples.length / wav.sampleRateHz < SHORTEST_SECONDS) {
    throw new Refusal('Audio file is too short. Minimum audio length is 0.1 seconds.', 'file');
  }
  if (wav.sampleRateHz !== RATE_HZ) throw new Refusal('only 16 kHz is scripted', 'file');
  return wav.samples;
}

function render({ samples, responseFormat, granularities }: SttRequest): string {
  const words = hearKnownSpeech(samples);
  const text = words.map(({ word }) => word).join(' ');
  const seconds = samples.length / RATE_HZ;
  const usage = { type: 'duration', seconds: Math.ceil(seconds) };
  if (responseFormat === 'text') return `${text}\n`;
  if (responseFormat !== 'verbose_json') return JSON.stringify({ text, usage });
  const segment = { id: 0, seek: 0, start: 0, end: seconds, text: ` ${text}`, tokens: [], temperature: 0 };
  const certainty = { avg_logprob: -0.2, compression_ratio: 1.2, no_speech_prob: text === '' ? 0.9 : 0.01 };
  const timed = words.map(({ word, startSample, endSample }) => ({
    word,
    start: Math.round((startSample / RATE_HZ) * 100) / 100,
    end: Math.round((endSample / RATE_HZ) * 100) / 100,
  }));
  return JSON.stringify({
    ...{ task: 'transcribe', language: 'english', duration: seconds, text, usage },
    ...(granularities.includes('word') ? { words: timed } : {}),
    ...(granularities.length === 0 || granularities.includes('segment')
      ? { segments: text === '' ? [] : [{ ...segment, ...certainty }] }
      : {}),
  });
}

import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { listenOnFreePort, readJson, sendJson, TimerSet } from './scripted-server.ts';

/** A speech request as the server saw it. */
export interface TtsRequest {
  readonly model: string;
  readonly input: string;
  readonly voice?: string;
  readonly speed?: number;
  readonly response_format?: string;
  readonly [field: string]: unknown;
}

export interface TtsBehaviour {
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
/** Bytes written at a time: odd, so that samples are cut in two. */
const WRITE_BYTES = 4_801;

/** Starts a server that speaks OpenAI's `/v1/audio/speech` (PCM) with set delays and failures, on a free port. */
export async function startScriptedTts(behaviour: TtsBehaviour = {}): Promise<ScriptedTts> {
  const tts = new TtsServer(behaviour);
  await tts.listen();
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

class TtsServer implements ScriptedTts {
  readonly requests: TtsRequest[] = [];
  readonly authorizations: (string | undefined)[] = [];
  readonly abortedAtMs: number[] = [];
  active = 0;
  url = '';
  #behaviour: TtsBehaviour;
  readonly #timers = new TimerSet();
  readonly #server: Server;

  constructor(behaviour: TtsBehaviour) {
    this.#behaviour = behaviour;
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
  }

  async listen(): Promise<void> {
    this.url = `${await listenOnFreePort(this.#server)}/v1`;
  }

  setBehaviour(change: TtsBehaviour): void {
    this.#behaviour = { ...this.#behaviour, ...change };
  }

  async close(): Promise<void> {
    this.#timers.clear();
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refuse = (status: number, message: string): void => {
      request.resume();
      sendJson(response, status, { error: { message, type: 'scripted', code: null } });
    };
    const behaviour = this.#behaviour;
    if (behaviour.status !== undefined) return refuse(behaviour.status, `scripted ${behaviour.status}`);
    if (request.method === 'GET' && request.url === '/v1/models') {
      return sendJson(response, 200, { object: 'list', data: [{ id: 'scripted-voice', object: 'model' }] });
    }
    if (request.method !== 'POST' || request.url !== '/v1/audio/speech') return refuse(404, 'no such path');
    const body = await readJson<TtsRequest>(request);
    this.requests.push(body);
    this.authorizations.push(request.headers.authorization);
    if (typeof body.input !== 'string' || body.input.trim() === '') return refuse(400, 'input is empty');
    if (body.response_format !== 'pcm') return refuse(400, 'only pcm is scripted');
    await this.#stream(body, behaviour, response);
  }

  async #stream(body: TtsRequest, behaviour: TtsBehaviour, response: ServerResponse): Promise<void> {
    const samples = scriptedSpeech(body.input, behaviour);
    const bytes = new Uint8Array(samples.buffer);
    const bytesPerMs = (SCRIPTED_TTS_RATE_HZ * 2) / 1_000;
    const { realTimeFactor = 0, failAfterBytes, hangAfterBytes } = behaviour;
    let isOver = false;
    this.active += 1;
    response.on('close', () => {
      this.active -= 1;
      if (!isOver) this.abortedAtMs.push(performance.now());
      isOver = true;
    });
    response.writeHead(200, { 'content-type': 'audio/pcm' });
    response.flushHeaders();
    await this.#timers.sleep(behaviour.firstByteMs ?? 0);
    const startedMs = performance.now();
    const end = Math.min(bytes.length, failAfterBytes ?? bytes.length, hangAfterBytes ?? bytes.length);
    for (let at = 0; at < end; at += WRITE_BYTES) {
      const chunk = bytes.subarray(at, Math.min(end, at + WRITE_BYTES));
      // A chunk is there when its last sample has been made.
      await this.#timers.sleep(startedMs + ((at + chunk.length) / bytesPerMs) * realTimeFactor - performance.now());
      if (isOver) return;
      response.write(chunk);
    }
    if (end === hangAfterBytes && end < bytes.length) return;
    isOver = true;
    if (end === failAfterBytes && end < bytes.length) response.destroy();
    else response.end();
  }
}

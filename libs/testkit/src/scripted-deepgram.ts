import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import { hearKnownSpeech, type KnownWord } from './known-speech.ts';
import { listenOnFreePort, TimerSet } from './scripted-server.ts';

export interface DeepgramBehaviour {
  /** Key that is taken; any when not given. */
  readonly key?: string;
  /** Refuses the upgrade with this status. */
  readonly status?: number | undefined;
  /** Wait before every answer. */
  readonly delayMs?: number;
  /** Closes with code 1011 after so many bytes of audio on a connection. */
  readonly failAfterBytes?: number | undefined;
  /** Breaks the connection without a word after so many bytes. */
  readonly hangUpAfterBytes?: number | undefined;
  /** Takes audio and says nothing. */
  readonly hang?: boolean;
  /** Does not answer a Finalize when all audio has been settled already. */
  readonly silentFinalize?: boolean;
  /** Settles by itself after so much audio; 3 000 ms when not given. */
  readonly finalEveryMs?: number;
  /** Closes a connection on which neither audio nor keep-alives come for so long; 10 000 when not given. */
  readonly idleTimeoutMs?: number;
}

/** A connection as the server saw it. */
export interface DeepgramConnection {
  /** The query, lists with commas between. */
  readonly query: Readonly<Record<string, string>>;
  readonly authorization: string | undefined;
  readonly audioBytes: number;
  /** Types of the JSON messages, in order. */
  readonly messages: readonly string[];
  /** The client's close code, once it has gone. */
  readonly closedWith: number | undefined;
  /** When it was gone (`performance.now()`). */
  readonly closedAtMs: number | undefined;
}

export interface ScriptedDeepgram {
  /** For `PARLEY_STT_DEEPGRAM_URL`. */
  readonly url: string;
  readonly connections: readonly DeepgramConnection[];
  /** Connections open now. */
  readonly active: number;
  /** Changes the behaviour from now on; what is not named stays. */
  setBehaviour(change: DeepgramBehaviour): void;
  /** Breaks all connections. */
  hangUp(): void;
  close(): Promise<void>;
}

const RATE_HZ = 16_000;
const BYTES_PER_SAMPLE = 2;
/** Audio between two interim results. */
const INTERIM_SAMPLES = RATE_HZ / 2;
const BOOLEANS = ['interim_results', 'punctuate', 'smart_format', 'vad_events', 'multichannel', 'diarize'];

/**
 * Starts a server that speaks Deepgram's `/v1/listen` WebSocket with set delays and failures, on a free port. It
 * understands the recordings of `fixtures/speech`, and nothing else.
 */
export async function startScriptedDeepgram(behaviour: DeepgramBehaviour = {}): Promise<ScriptedDeepgram> {
  const deepgram = new DeepgramServer(behaviour);
  await deepgram.listen();
  return deepgram;
}

class DeepgramServer implements ScriptedDeepgram {
  readonly connections: Connection[] = [];
  url = '';
  #behaviour: DeepgramBehaviour;
  readonly #timers = new TimerSet();
  readonly #server: Server;
  readonly #sockets = new WebSocketServer({ noServer: true });

  constructor(behaviour: DeepgramBehaviour) {
    this.#behaviour = behaviour;
    this.#server = createServer((_, response) => response.writeHead(404).end());
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
  }

  async listen(): Promise<void> {
    this.url = (await listenOnFreePort(this.#server)).replace('http:', 'ws:');
  }

  get active(): number {
    return this.connections.filter(({ closedWith }) => closedWith === undefined).length;
  }

  setBehaviour(change: DeepgramBehaviour): void {
    this.#behaviour = { ...this.#behaviour, ...change };
  }

  hangUp(): void {
    for (const socket of this.#sockets.clients) socket.terminate();
  }

  async close(): Promise<void> {
    this.#timers.clear();
    this.hangUp();
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { key, status } = this.#behaviour;
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://deepgram');
    const refuse = (code: number, errCode: string, message: string): void => {
      const body = JSON.stringify({ err_code: errCode, err_msg: message, request_id: crypto.randomUUID() });
      socket.end(
        `HTTP/1.1 ${code} Refused\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n` +
          `connection: close\r\n\r\n${body}`,
      );
    };
    const { authorization } = request.headers;
    if (status !== undefined) return refuse(status, 'SCRIPTED', `scripted ${status}`);
    if (pathname !== '/v1/listen') return refuse(404, 'NOT_FOUND', 'no such path');
    const [, token] = /^(?:Token|Bearer) (.+)$/i.exec(authorization ?? '') ?? [];
    if (token === undefined || (key !== undefined && token !== key)) {
      return refuse(401, 'INVALID_AUTH', 'Invalid credentials.');
    }
    const fault = faultOf(searchParams);
    if (fault !== undefined) return refuse(400, 'INVALID_QUERY_PARAMETER', fault);
    const query: Record<string, string> = {};
    for (const name of new Set(searchParams.keys())) query[name] = searchParams.getAll(name).join(',');
    this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
      const connection = new Connection(webSocket, query, authorization, () => this.#behaviour, this.#timers);
      this.connections.push(connection);
    });
  }
}

function faultOf(query: URLSearchParams): string | undefined {
  if (!query.get('model')) return 'model is missing';
  if (query.get('encoding') !== 'linear16') return 'only linear16 is scripted';
  if (query.get('sample_rate') !== String(RATE_HZ)) return 'only 16000 Hz is scripted';
  const fault = BOOLEANS.find((name) => query.has(name) && !['true', 'false'].includes(query.get(name) ?? ''));
  if (fault !== undefined) return `${fault} is no boolean`;
  if (/^nova-3/.test(query.get('model') ?? '') && query.has('keywords')) {
    return 'Keywords are not supported for Nova-3. Please use `keyterm` instead.';
  }
  return query.has('utterance_end_ms') && query.get('interim_results') !== 'true'
    ? 'utterance_end_ms needs interim_results'
    : undefined;
}

class Connection implements DeepgramConnection {
  readonly query: Readonly<Record<string, string>>;
  readonly authorization: string | undefined;
  readonly messages: string[] = [];
  audioBytes = 0;
  closedWith: number | undefined;
  closedAtMs: number | undefined;
  readonly #requestId = crypto.randomUUID();
  readonly #socket: WebSocket;
  readonly #behaviour: () => DeepgramBehaviour;
  readonly #timers: TimerSet;
  #audio: Buffer = Buffer.alloc(0);
  /** Up to here everything is settled, and up to here an interim result has been sent. */
  #settledSample = 0;
  #interimSample = 0;
  #idle: NodeJS.Timeout | undefined;
  /** Answers go out in order. */
  #answering: Promise<void> = Promise.resolve();

  constructor(
    socket: WebSocket,
    query: Readonly<Record<string, string>>,
    authorization: string | undefined,
    behaviour: () => DeepgramBehaviour,
    timers: TimerSet,
  ) {
    this.#socket = socket;
    this.query = query;
    this.authorization = authorization;
    this.#behaviour = behaviour;
    this.#timers = timers;
    socket.on('message', (data, isBinary) => this.#receive(data, isBinary));
    socket.on('error', () => undefined);
    socket.on('close', (code) => {
      clearTimeout(this.#idle);
      this.closedWith = code;
      this.closedAtMs = performance.now();
    });
    this.#wait();
  }

  get #samples(): number {
    return Math.floor(this.#audio.length / BYTES_PER_SAMPLE);
  }

  #receive(data: RawData, isBinary: boolean): void {
    this.#wait();
    // JSON in a binary frame is noise like any other audio.
    if (isBinary) return this.#hear(data as Buffer);
    let type: unknown;
    try {
      type = (JSON.parse(String(data)) as { type?: unknown }).type;
    } catch {
      return this.#socket.close(1008, 'DATA-0000');
    }
    this.messages.push(String(type));
    switch (type) {
      case 'KeepAlive':
        return;
      case 'Finalize': {
        const { silentFinalize } = this.#behaviour();
        if (silentFinalize && this.#settledSample === this.#samples) return;
        return this.#settle({ from_finalize: true });
      }
      case 'CloseStream':
        if (this.#settledSample < this.#samples) this.#settle({});
        this.#answer(() => this.#metadata());
        return this.#then(() => this.#socket.close(1000));
      default:
        this.#socket.close(1008, 'DATA-0000');
    }
  }

  #hear(bytes: Buffer): void {
    this.#audio = Buffer.concat([this.#audio, bytes]);
    this.audioBytes += bytes.length;
    const { failAfterBytes, hangUpAfterBytes, finalEveryMs = 3_000 } = this.#behaviour();
    if (hangUpAfterBytes !== undefined && this.audioBytes >= hangUpAfterBytes) return this.#socket.terminate();
    if (failAfterBytes !== undefined && this.audioBytes >= failAfterBytes) return this.#socket.close(1011, 'NET-0000');
    if (this.#samples - this.#settledSample >= (finalEveryMs * RATE_HZ) / 1_000) return this.#settle({});
    const isDue = this.#samples - Math.max(this.#interimSample, this.#settledSample) >= INTERIM_SAMPLES;
    if (this.query.interim_results !== 'true' || !isDue) return;
    this.#interimSample = this.#samples;
    const results = this.#results(this.#samples, { is_final: false, speech_final: false });
    this.#answer(() => results);
  }

  /** Settles up to the end of the last word; with everything that is there where the client asked for it. */
  #settle(flags: { readonly from_finalize?: boolean }): void {
    const words = this.#heard(this.#samples);
    const isAsked = flags.from_finalize === true;
    // A word may have begun that is not over.
    const end = isAsked ? this.#samples : (words.at(-1)?.endSample ?? this.#samples - RATE_HZ);
    const results = this.#results(end, { is_final: true, speech_final: isAsked, ...flags });
    this.#settledSample = Math.max(this.#settledSample, end);
    this.#answer(() => results);
  }

  #heard(end: number): KnownWord[] {
    const samples = new Int16Array(new Uint8Array(this.#audio.subarray(0, end * BYTES_PER_SAMPLE)).buffer);
    return hearKnownSpeech(samples).filter(({ startSample }) => startSample >= this.#settledSample);
  }

  #results(end: number, flags: object): object {
    const start = this.#settledSample;
    const words = this.#heard(end).map(({ word, startSample, endSample }) => ({
      ...{ word, punctuated_word: word, confidence: 0.98 },
      ...{ start: startSample / RATE_HZ, end: endSample / RATE_HZ },
    }));
    const transcript = words.map(({ word }) => word).join(' ');
    return {
      type: 'Results',
      channel_index: [0, 1],
      duration: Math.max(0, end - start) / RATE_HZ,
      start: start / RATE_HZ,
      ...flags,
      channel: { alternatives: [{ transcript, confidence: words.length > 0 ? 0.98 : 0, words }] },
      metadata: {
        request_id: this.#requestId,
        model_info: { name: 'scripted', version: '2026-01-01.0', arch: this.query.model },
        model_uuid: '00000000-0000-4000-8000-000000000000',
      },
    };
  }

  #metadata(): object {
    return {
      type: 'Metadata',
      transaction_key: 'deprecated',
      request_id: this.#requestId,
      sha256: '0'.repeat(64),
      created: new Date().toISOString(),
      duration: this.#samples / RATE_HZ,
      channels: 1,
    };
  }

  #answer(message: () => object): void {
    if (this.#behaviour().hang) return;
    this.#then(() => {
      if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(JSON.stringify(message()));
    });
  }

  #then(act: () => void): void {
    this.#answering = this.#answering.then(() => this.#timers.sleep(this.#behaviour().delayMs ?? 0)).then(act);
  }

  #wait(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#socket.close(1011, 'NET-0001'), this.#behaviour().idleTimeoutMs ?? 10_000);
  }
}

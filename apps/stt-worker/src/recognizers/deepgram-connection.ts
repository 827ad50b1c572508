import { DeepgramClient, type listen } from '@deepgram/sdk';
import { SPEECH_SAMPLE_RATE_HZ } from '@parley/audio';
import { VoiceError } from '@parley/protocol';

type Socket = Awaited<ReturnType<DeepgramClient['listen']['v1']['connect']>>;
export type DeepgramResults = listen.ListenV1Results;

/** Where a server with Deepgram's protocol is, and what it is asked for. */
export interface DeepgramTarget {
  readonly url: string | undefined;
  readonly apiKey: string | undefined;
  readonly model: string;
  readonly language: string;
  readonly hotwords: readonly string[];
}

export interface DeepgramHandlers {
  onOpen(): void;
  onResults(results: DeepgramResults): void;
  /** Told once, when the connection cannot be made or is lost; never after `close`. */
  onLost(error: VoiceError): void;
}

const CONNECT_LIMIT_SECONDS = 5;
/** The server closes a connection on which nothing comes for 10 s. */
const KEEP_ALIVE_INTERVAL_MS = 4_000;
/** How long the server may take to close after it has been asked to. */
const CLOSE_LIMIT_MS = 1_500;

/**
 * One connection to `/v1/listen`: `connecting`, then `open`, and `ended` for good when it is lost or closed. The SDK's own
 * reconnecting is left off, for it waits seconds and knows nothing of the audio that has to be sent again.
 */
export class DeepgramConnection {
  readonly #handlers: DeepgramHandlers;
  readonly #gone = Promise.withResolvers<void>();
  #socket: Socket | undefined;
  #phase: 'connecting' | 'open' | 'ended' = 'connecting';
  #keepAlive: NodeJS.Timeout | undefined;
  #isSilent = true;
  #error: Error | undefined;

  constructor(target: DeepgramTarget, handlers: DeepgramHandlers) {
    this.#handlers = handlers;
    this.#connect(target).catch((error: Error) => this.#lose(error));
  }

  get isOpen(): boolean {
    return this.#phase === 'open';
  }

  send(samples: Int16Array): void {
    this.#isSilent = false;
    this.#use((socket) => socket.sendMedia(samples));
  }

  /** Asks for everything that has been sent to be settled now. */
  finalize(): void {
    this.#isSilent = false;
    this.#use((socket) => socket.sendFinalize({ type: 'Finalize' }));
  }

  /** Says goodbye; resolves when the server has closed, or has taken too long to. */
  async close(): Promise<void> {
    if (this.#phase === 'ended') return this.#gone.promise;
    const wasOpen = this.#phase === 'open';
    this.#end();
    const socket = this.#socket;
    if (wasOpen) {
      this.#use((open) => open.sendCloseStream({ type: 'CloseStream' }));
      const timer = setTimeout(() => this.#gone.resolve(), CLOSE_LIMIT_MS);
      await this.#gone.promise.finally(() => clearTimeout(timer));
    }
    this.#gone.resolve();
    socket?.close();
  }

  async #connect({ url, apiKey, model, language, hotwords }: DeepgramTarget): Promise<void> {
    const client = new DeepgramClient({
      // Nothing is left to be read from the environment behind our back; a server of one's own may want none.
      apiKey: apiKey || 'none',
      ...(url === undefined ? {} : { baseUrl: webSocketBase(url) }),
    });
    const socket = await client.listen.v1.connect({
      ...{ model, language, encoding: 'linear16', sample_rate: SPEECH_SAMPLE_RATE_HZ, channels: 1 },
      ...{ interim_results: 'true', punctuate: 'true' },
      // Where speech ends is decided here, for all engines alike.
      endpointing: 'false',
      ...(hotwords.length === 0 ? {} : { [/^nova-3/.test(model) ? 'keyterm' : 'keywords']: [...hotwords] }),
      reconnectAttempts: 0,
      shouldReconnect: () => false,
      connectionTimeoutInSeconds: CONNECT_LIMIT_SECONDS,
    });
    if (this.#phase === 'ended') return;
    this.#socket = socket;
    socket.on('open', () => this.#opened());
    socket.on('message', (message) => {
      if (this.#phase === 'open' && message.type === 'Results') this.#handlers.onResults(message);
    });
    socket.on('error', (error) => {
      this.#error = error;
      this.#lose(error);
    });
    socket.on('close', (event) => {
      this.#gone.resolve();
      // Of a refused connection the end is told before its reason.
      setImmediate(() =>
        this.#lose(this.#error ?? new Error(`closed with ${event.code} ${event.reason ?? ''}`.trim())),
      );
    });
    socket.connect();
  }

  #opened(): void {
    if (this.#phase !== 'connecting') return;
    this.#phase = 'open';
    this.#keepAlive = setInterval(() => {
      if (this.#isSilent) this.#use((socket) => socket.sendKeepAlive({ type: 'KeepAlive' }));
      this.#isSilent = true;
    }, KEEP_ALIVE_INTERVAL_MS);
    this.#keepAlive.unref();
    this.#handlers.onOpen();
  }

  /** The SDK throws where the socket has just ended; its end is told by itself. */
  #use(send: (socket: Socket) => void): void {
    try {
      if (this.#socket !== undefined) send(this.#socket);
    } catch (error) {
      this.#lose(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #lose(error: Error): void {
    if (this.#phase === 'ended') return;
    this.#end();
    this.#gone.resolve();
    this.#socket?.close();
    this.#handlers.onLost(translate(error));
  }

  #end(): void {
    this.#phase = 'ended';
    clearInterval(this.#keepAlive);
  }
}

/** The SDK adds the path, and leaves the scheme as it is. */
function webSocketBase(url: string): string {
  return url.replace(/^http/, 'ws').replace(/\/(v1(\/listen)?)?\/?$/, '');
}

function translate(error: Error): VoiceError {
  const [, status] = /server response: (\d{3})/.exec(error.message) ?? [];
  if (status === undefined) {
    const code = error.message === 'TIMEOUT' ? 'engine_timeout' : 'engine_failed';
    return new VoiceError(code, 'the connection to the server was lost', { cause: error });
  }
  const isPassing = Number(status) >= 500 || status === '408' || status === '429';
  return new VoiceError(isPassing ? 'engine_failed' : 'engine_rejected', `the server answers ${status}`);
}

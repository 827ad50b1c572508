import { SPEECH_SAMPLE_RATE_HZ, samplesToMs } from '@parley/audio';
import { VoiceError } from '@parley/protocol';
import { backoff } from '@parley/runtime';
import type { OnWords, RecognitionStream, Recognizer } from '../recognizer.ts';
import { type EngineHost, startProcess, startThread } from './engine-host.ts';
import type { FromThread, ToThread } from './thread-messages.ts';

export interface EngineThreadsOptions {
  readonly name: string;
  readonly languages: readonly string[];
  readonly slots: number;
  readonly cancels: 'at_once' | 'after_segment';
  readonly threads: number;
  /** Processes instead of threads, for engines whose native code may end its process. */
  readonly isolated?: boolean;
  /** The thread's module, and what it is told. */
  readonly entry: URL;
  readonly workerData: unknown;
  /** After so long with work and without a sign of life a thread counts as hung, and is replaced. */
  readonly stallTimeoutMs: number;
  onTrouble(error: Error): void;
}

const START_LIMIT_MS = 30_000;
const WATCH_INTERVAL_MS = 500;

/**
 * A recogniser whose engine runs in worker threads, or in processes of its own, so that the event loop never waits for a
 * decode. A thread that fails or hangs takes its own streams with it, with a coded error for each, and is replaced.
 */
export class EngineThreads implements Recognizer {
  readonly name: string;
  readonly languages: readonly string[];
  readonly slots: number;
  readonly deterministic = true;
  readonly cancels: 'at_once' | 'after_segment';
  readonly #options: EngineThreadsOptions;
  readonly #threads: EngineThread[] = [];
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #restarts = backoff({ initialMs: 100, maxMs: 5_000 });
  #closed = false;

  private constructor(options: EngineThreadsOptions) {
    this.name = options.name;
    this.languages = options.languages;
    this.slots = options.slots;
    this.cancels = options.cancels;
    this.#options = options;
  }

  /** Starts all threads; resolves when each has loaded and warmed up its model. */
  static async start(options: EngineThreadsOptions): Promise<EngineThreads> {
    const engine = new EngineThreads(options);
    try {
      await Promise.all(Array.from({ length: options.threads }, () => engine.#spawn()));
    } catch (error) {
      await engine.close();
      throw error;
    }
    const watch = setInterval(() => engine.#replaceHung(), WATCH_INTERVAL_MS);
    watch.unref();
    engine.#timers.add(watch);
    return engine;
  }

  async open(): Promise<RecognitionStream> {
    const [thread] = this.#threads.toSorted((a, b) => a.streamCount - b.streamCount);
    if (this.#closed || thread === undefined) throw new VoiceError('engine_failed', `${this.name} is not running`);
    return thread.open();
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    await Promise.all(this.#threads.splice(0).map((thread) => thread.stop()));
  }

  async #spawn(): Promise<void> {
    const { name, isolated = false } = this.#options;
    const host = isolated ? startProcess(this.#options) : startThread(this.#options);
    const thread = new EngineThread(host, name);
    thread.onEnd((error) => {
      const index = this.#threads.indexOf(thread);
      if (index >= 0) this.#threads.splice(index, 1);
      if (this.#closed || !thread.wasReady) return;
      this.#options.onTrouble(error);
      this.#respawn();
    });
    await thread.ready(START_LIMIT_MS);
    if (this.#closed) await thread.stop();
    else this.#threads.push(thread);
  }

  #respawn(): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (this.#closed) return;
      this.#spawn().then(
        () => this.#restarts.reset(),
        (error: Error) => {
          this.#options.onTrouble(error);
          this.#respawn();
        },
      );
    }, this.#restarts.next());
    this.#timers.add(timer);
  }

  #replaceHung(): void {
    const nowMs = performance.now();
    for (const thread of [...this.#threads]) {
      if (!thread.isBusy || nowMs - thread.lastSignMs < this.#options.stallTimeoutMs) continue;
      thread.fail(new VoiceError('engine_timeout', `${this.name} gave no sign of life`));
    }
  }
}

/**
 * One thread as the main thread sees it: `loading` until its `ready`, then `running`, and `ended` for good by a crash, an
 * exit, a stall or `stop`.
 */
class EngineThread {
  readonly #host: EngineHost;
  readonly #name: string;
  readonly #streams = new Map<number, ThreadStream>();
  readonly #loaded = Promise.withResolvers<void>();
  #onEnd: (error: Error) => void = () => undefined;
  #phase: 'loading' | 'running' | 'ended' = 'loading';
  #nextStream = 1;
  wasReady = false;
  /** When the thread was last heard of, or was given work while it had none. */
  lastSignMs = performance.now();

  constructor(host: EngineHost, name: string) {
    this.#host = host;
    this.#name = name;
    this.#loaded.promise.catch(() => undefined);
    host.onMessage((message) => this.#receive(message));
    host.onEnd((error) => this.fail(error));
  }

  get streamCount(): number {
    return this.#streams.size;
  }

  get isBusy(): boolean {
    for (const stream of this.#streams.values()) if (stream.isBusy) return true;
    return false;
  }

  onEnd(handler: (error: Error) => void): void {
    this.#onEnd = handler;
  }

  async ready(limitMs: number): Promise<void> {
    const timer = setTimeout(
      () => this.fail(new VoiceError('engine_timeout', `${this.#name} did not load in ${limitMs} ms`)),
      limitMs,
    );
    await this.#loaded.promise.finally(() => clearTimeout(timer));
  }

  open(): RecognitionStream {
    const id = this.#nextStream++;
    const stream = new ThreadStream(
      (message) => this.#send({ ...message, stream: id } as ToThread),
      () => void this.#streams.delete(id),
    );
    this.#streams.set(id, stream);
    return stream;
  }

  /** Ends the thread and fails what it was doing. Idempotent. */
  fail(error: VoiceError): void {
    if (this.#phase === 'ended') return;
    this.#phase = 'ended';
    // A thread inside a native call ends only when that returns; nobody waits for it.
    void this.#host.terminate();
    this.#loaded.reject(error);
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    for (const stream of streams) stream.fail(error);
    this.#onEnd(error);
  }

  async stop(): Promise<void> {
    this.#onEnd = () => undefined;
    this.fail(new VoiceError('engine_failed', `${this.#name} was stopped`));
    await this.#host.terminate();
  }

  #send(message: ToThread): void {
    if (this.#phase === 'ended') return;
    if (!this.isBusy) this.lastSignMs = performance.now();
    this.#host.post(message);
  }

  #receive(message: FromThread): void {
    this.lastSignMs = performance.now();
    switch (message.type) {
      case 'ready':
        this.#phase = 'running';
        this.wasReady = true;
        return this.#loaded.resolve();
      case 'unusable':
        return this.fail(new VoiceError(message.code, message.message));
      case 'decoded':
        return this.#streams.get(message.stream)?.decoded(message.samples);
      case 'partial':
        return this.#streams.get(message.stream)?.partial(message.segment, message.text);
      case 'settled':
        return this.#streams.get(message.stream)?.settled(message);
      case 'failed': {
        const stream = this.#streams.get(message.stream);
        this.#streams.delete(message.stream);
        return stream?.fail(new VoiceError('engine_failed', message.message));
      }
      default:
        return message satisfies never;
    }
  }
}

type WithoutStream<T> = T extends unknown ? Omit<T, 'stream'> : never;

class ThreadStream implements RecognitionStream {
  readonly #send: (message: WithoutStream<ToThread>) => void;
  readonly #release: () => void;
  readonly #settles = new Map<number, PromiseWithResolvers<string> & { readonly onWords: OnWords | undefined }>();
  #onPartial: (text: string) => void = () => undefined;
  #onFailure: (error: Error) => void = () => undefined;
  #segment = 0;
  #acceptedSamples = 0;
  #decodedSamples = 0;
  #failure: VoiceError | undefined;

  constructor(send: (message: WithoutStream<ToThread>) => void, release: () => void) {
    this.#send = send;
    this.#release = release;
  }

  get backlogMs(): number {
    return samplesToMs(this.#acceptedSamples - this.#decodedSamples, SPEECH_SAMPLE_RATE_HZ);
  }

  get isBusy(): boolean {
    return this.#settles.size > 0 || this.#acceptedSamples > this.#decodedSamples;
  }

  accept(samples: Int16Array): void {
    if (this.#failure !== undefined || samples.length === 0) return;
    // Only a buffer that is used by nobody else can be handed over.
    const own = samples.byteLength === samples.buffer.byteLength ? samples : samples.slice();
    const { length } = own;
    this.#send({ type: 'accept', samples: own });
    this.#acceptedSamples += length;
  }

  onPartial(handler: (text: string) => void): void {
    this.#onPartial = handler;
  }

  onFailure(handler: (error: Error) => void): void {
    this.#onFailure = handler;
  }

  settle(onWords?: OnWords): Promise<string> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const settle = Promise.withResolvers<string>();
    this.#send({ type: 'settle' });
    this.#settles.set(this.#segment++, { ...settle, onWords });
    return settle.promise;
  }

  abandon(): void {
    if (this.#failure !== undefined) return;
    this.#send({ type: 'abandon' });
    this.#segment += 1;
  }

  close(): void {
    this.#onPartial = () => undefined;
    this.#onFailure = () => undefined;
    if (this.#failure === undefined) this.#send({ type: 'close' });
    this.#release();
    this.fail(new VoiceError('engine_failed', 'the stream was closed'));
  }

  decoded(samples: number): void {
    this.#decodedSamples += samples;
  }

  partial(segment: number, text: string): void {
    if (segment === this.#segment) this.#onPartial(text);
  }

  settled({ segment, text, words }: Extract<FromThread, { type: 'settled' }>): void {
    const settle = this.#settles.get(segment);
    this.#settles.delete(segment);
    if (words !== undefined) settle?.onWords?.(words);
    settle?.resolve(text);
  }

  fail(error: VoiceError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    if (this.#settles.size === 0) this.#onFailure(error);
    for (const settle of this.#settles.values()) settle.reject(error);
    this.#settles.clear();
    this.#acceptedSamples = this.#decodedSamples;
  }
}

import { type ChildProcess, fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { VoiceError } from '@parley/protocol';
import { isSpeakable, plainPunctuation, splitIntoBreaths } from '../speakable-text.ts';
import type { SpeechChunk, SpeechRequest, Synthesizer } from '../synthesizer.ts';
import type { SherpaAnswer, SherpaProcessOptions, SherpaRequest } from './sherpa-messages.ts';
import { detectSherpaModel, type SherpaModel, type SherpaModelOptions } from './sherpa-model.ts';
import { languagesOf, speakerNames } from './sherpa-voices.ts';

export interface SherpaOptions extends Omit<SherpaModelOptions, 'modelDir'> {
  readonly modelDir?: string | undefined;
  /** Name or number of the voice where a session names none. */
  readonly voice?: string | undefined;
  readonly provider?: string;
  /** Threads of a text's computation; 0 for a share of the cores. */
  readonly threads?: number;
  /** Texts spoken at a time. */
  readonly slots?: number;
}

/** Beyond this, more texts at a time only wait for each other. */
const MAX_POOL_THREADS = 128;
/** What is kept of what the library prints while it loads. */
const MAX_COMPLAINT_CHARS = 1_000;
const WARM_UP_TEXT = 'Ready, when you are.';

/**
 * Any voice of sherpa-onnx's `OfflineTts`: VITS and Piper, Kokoro, Kitten, Matcha. It runs in a process of its own, for
 * the library prints what it cannot pronounce to standard error, which is a log, and for its size of thread pool; and
 * whatever happens there, the worker lives on. That process is started at the first text and again after its end.
 */
export function createSherpa(options: SherpaOptions): Synthesizer {
  return new Sherpa(options);
}

class Sherpa implements Synthesizer {
  readonly name = 'sherpa';
  readonly repeatable = true;
  readonly cancels = 'after_sentence';
  readonly #options: SherpaOptions;
  #model: SherpaModel | undefined;
  #process: SherpaProcess | undefined;
  #voices: readonly string[] = [];
  #sampleRateHz: number | undefined;
  #deterministic = false;

  constructor(options: SherpaOptions) {
    this.#options = options;
  }

  /** Found out at the warm-up: voices with noise of their own sound a little different every time. */
  get deterministic(): boolean {
    return this.#deterministic;
  }

  get sampleRateHz(): number | undefined {
    return this.#sampleRateHz;
  }

  get voices(): readonly string[] {
    return this.#voices;
  }

  get languages(): readonly string[] {
    return this.#model === undefined ? [] : languagesOf(this.#model, this.#voices);
  }

  hasVoice(voice: string): boolean {
    return this.#speakerOf(voice) !== undefined;
  }

  async *speak(request: SpeechRequest, signal: AbortSignal): AsyncGenerator<SpeechChunk> {
    signal.throwIfAborted();
    const pieces = splitIntoBreaths(plainPunctuation(request.text)).filter(isSpeakable);
    const child = await unlessAborted(this.#running(), signal);
    const speaker = this.#speakerOf(request.voice) ?? this.#speakerOf(this.#options.voice ?? '') ?? 0;
    const speech = child.speak({ pieces, speaker, speed: request.speed });
    let isSilent = true;
    try {
      for (;;) {
        const samples = await unlessAborted(speech.next(), signal);
        if (samples === undefined) break;
        isSilent &&= samples.length === 0;
        if (samples.length > 0) yield { samples, sampleRateHz: child.sampleRateHz };
      }
    } finally {
      speech.cancel();
    }
    if (isSilent) throw new VoiceError('engine_rejected', 'the model has no word of the text');
  }

  async warmUp(signal: AbortSignal): Promise<void> {
    const first = await this.#render(signal);
    this.#deterministic = Buffer.compare(first, await this.#render(signal)) === 0;
  }

  async close(): Promise<void> {
    await this.#process?.stop();
  }

  async #render(signal: AbortSignal): Promise<Buffer> {
    const chunks: Buffer[] = [];
    const request = { text: WARM_UP_TEXT, voice: '', speed: 1, language: '' };
    for await (const { samples } of this.speak(request, signal)) {
      chunks.push(Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength));
    }
    return Buffer.concat(chunks);
  }

  #speakerOf(voice: string): number | undefined {
    const byName = this.#voices.indexOf(voice);
    if (byName >= 0) return byName;
    const number = /^\d+$/.test(voice) ? Number(voice) : -1;
    return number >= 0 && number < this.#voices.length ? number : undefined;
  }

  async #running(): Promise<SherpaProcess> {
    if (this.#process === undefined || this.#process.hasEnded) {
      const { modelDir, provider = 'cpu', threads = 0, slots = 1 } = this.#options;
      if (modelDir === undefined) {
        throw new VoiceError('engine_missing', 'sherpa needs a voice: set PARLEY_TTS_MODEL_DIR to its folder');
      }
      this.#model = detectSherpaModel({ ...this.#options, modelDir });
      const { model, ruleFsts } = this.#model;
      const numThreads = threads > 0 ? threads : Math.max(1, Math.floor(availableParallelism() / 2));
      this.#process = new SherpaProcess({ model, ruleFsts, provider, numThreads }, slots);
    }
    const child = this.#process;
    const { speakers } = await child.loaded;
    this.#sampleRateHz = child.sampleRateHz;
    this.#voices = speakerNames(this.#model as SherpaModel, speakers);
    return child;
  }
}

/** Speech that is being made, as it comes. */
interface RunningSpeech {
  /** The next samples; undefined at the end. */
  next(): Promise<Int16Array | undefined>;
  /** No more is wanted. Idempotent, and nothing happens after the end. */
  cancel(): void;
}

/** What has come of one request. Its size is bounded by that of the text. */
class Inbox {
  readonly #samples: Int16Array[] = [];
  #end: { readonly failure?: VoiceError } | undefined;
  #wake: (() => void) | undefined;

  push(samples: Int16Array): void {
    this.#samples.push(samples);
    this.#wake?.();
  }

  end(failure?: VoiceError): void {
    this.#end ??= failure === undefined ? {} : { failure };
    this.#wake?.();
  }

  get hasEnded(): boolean {
    return this.#end !== undefined;
  }

  async next(): Promise<Int16Array | undefined> {
    for (;;) {
      const samples = this.#samples.shift();
      if (samples !== undefined) return samples;
      if (this.#end?.failure !== undefined) throw this.#end.failure;
      if (this.#end !== undefined) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

interface LoadedModel {
  readonly speakers: number;
}

class SherpaProcess {
  readonly loaded: Promise<LoadedModel>;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  readonly #inboxes = new Map<number, Inbox>();
  sampleRateHz = 0;
  hasEnded = false;
  #lastId = 0;

  constructor(options: SherpaProcessOptions, slots: number) {
    let resolve: (model: LoadedModel) => void = () => undefined;
    let reject: (failure: VoiceError) => void = () => undefined;
    this.loaded = new Promise((...settle) => {
      [resolve, reject] = settle;
    });
    this.loaded.catch(() => undefined);
    this.#child = fork(new URL('./sherpa-process.ts', import.meta.url), [JSON.stringify(options)], {
      execArgv: [],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      // biome-ignore lint/style/noProcessEnv: handed on as it is, and read nowhere else.
      env: { ...process.env, UV_THREADPOOL_SIZE: String(Math.min(MAX_POOL_THREADS, slots + 2)) },
    });
    this.#ended = new Promise((resolveEnded) => {
      const end = (cause?: Error): void => {
        this.hasEnded = true;
        const failure = new VoiceError('engine_failed', 'the process of sherpa has ended', { cause });
        reject(new VoiceError('engine_failed', `sherpa ended while it was loading: ${complaints}`, { cause }));
        for (const inbox of this.#inboxes.values()) inbox.end(failure);
        this.#inboxes.clear();
        resolveEnded();
      };
      this.#child.once('exit', () => end());
      this.#child.once('error', end);
    });
    // Once it speaks, its standard error quotes what is said, and is read by nobody.
    let complaints = '';
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      if (this.sampleRateHz === 0) complaints = (complaints + text).slice(-MAX_COMPLAINT_CHARS);
    });
    this.#child.on('message', (answer: SherpaAnswer) => {
      switch (answer.type) {
        case 'loaded':
          this.sampleRateHz = answer.sampleRateHz;
          return resolve({ speakers: answer.speakers });
        case 'unusable':
          return reject(new VoiceError(answer.code, `${answer.message} ${complaints}`.trim()));
        case 'samples':
          return this.#inboxes.get(answer.id)?.push(answer.samples);
        case 'ended': {
          const inbox = this.#inboxes.get(answer.id);
          this.#inboxes.delete(answer.id);
          return inbox?.end(answer.failure === undefined ? undefined : new VoiceError('engine_failed', answer.failure));
        }
        default:
          return answer satisfies never;
      }
    });
  }

  speak(request: Omit<SherpaRequest & { readonly type: 'speak' }, 'type' | 'id'>): RunningSpeech {
    this.#lastId += 1;
    const id = this.#lastId;
    const inbox = new Inbox();
    this.#inboxes.set(id, inbox);
    this.#send({ type: 'speak', id, ...request });
    return {
      next: () => inbox.next(),
      cancel: () => {
        if (inbox.hasEnded) return;
        inbox.end();
        this.#send({ type: 'cancel', id });
      },
    };
  }

  /** Ends it, whatever it is doing. */
  async stop(): Promise<void> {
    if (!this.hasEnded) this.#child.kill('SIGKILL');
    await this.#ended;
  }

  #send(request: SherpaRequest): void {
    if (this.#child.connected) this.#child.send(request, () => undefined);
    else if (request.type === 'speak') {
      this.#inboxes.get(request.id)?.end(new VoiceError('engine_failed', 'the process of sherpa has ended'));
      this.#inboxes.delete(request.id);
    }
  }
}

async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let onAbort: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
  });
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

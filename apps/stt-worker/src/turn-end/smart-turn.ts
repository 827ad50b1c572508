import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { VoiceError } from '@parley/protocol';
import { backoff, type Clock, type Logger } from '@parley/runtime';
import { SMART_TURN_SAMPLES } from './smart-turn-features.ts';
import type { SmartTurnAnswer, SmartTurnQuestion, SmartTurnThreadData } from './smart-turn-thread.ts';
import type { SoundJudge } from './sound-judge.ts';
import type { SoundJudgeMetrics } from './sound-judge-metrics.ts';

const MODEL_FILE = /^smart-turn-.*\.onnx$/;
const ENTRY = new URL('./smart-turn-thread.ts', import.meta.url);
const LOAD_LIMIT_MS = 30_000;
/** One answer takes some 30 to 60 ms: whoever would have to wait behind more than these gets none. */
const MAX_WAITING = 4;
/** A thread that has not answered for so long is replaced. */
const STALL_LIMIT_MS = 5_000;

export interface SmartTurnOptions {
  /** Folder with `smart-turn-….onnx`. */
  readonly modelDir: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: SoundJudgeMetrics;
  /** The thread's module; another one in tests. */
  readonly entry?: URL;
}

interface Question {
  readonly pcm: Int16Array;
  readonly askedMs: number;
  readonly answer: PromiseWithResolvers<number | undefined>;
  readonly signal: AbortSignal;
}

/**
 * Smart Turn v3 in a thread of its own, since an inference blocks the thread that asks for it. It is an adviser: when it is
 * slow, overloaded or gone, turns end by text and habit, and a metric counts how often.
 */
export class SmartTurn implements SoundJudge {
  readonly maxSamples = SMART_TURN_SAMPLES;
  readonly #options: SmartTurnOptions;
  readonly #modelPath: string;
  readonly #waiting: Question[] = [];
  readonly #restarts = backoff({ initialMs: 500, maxMs: 60_000 });
  #worker: Worker | undefined;
  /** The question that the thread works on. */
  #asked: Question | undefined;
  #cancelStall: () => void = () => undefined;
  #cancelRestart: () => void = () => undefined;
  #closed = false;

  private constructor(options: SmartTurnOptions, modelPath: string) {
    this.#options = options;
    this.#modelPath = modelPath;
  }

  /** Resolves when the model is loaded and warm; throws `engine_missing` or `engine_failed`. */
  static async load(options: SmartTurnOptions): Promise<SmartTurn> {
    const { modelDir } = options;
    const files = await readdir(modelDir).catch((cause) => {
      throw new VoiceError('engine_missing', `${modelDir} cannot be read`, { cause });
    });
    const file = files.find((name) => MODEL_FILE.test(name));
    if (file === undefined) throw new VoiceError('engine_missing', `${modelDir} holds no smart-turn-….onnx`);
    const judge = new SmartTurn(options, join(modelDir, file));
    await judge.#start();
    return judge;
  }

  score(pcm: Int16Array, signal: AbortSignal): Promise<number | undefined> {
    const { clock, metrics } = this.#options;
    if (this.#worker === undefined || this.#waiting.length >= MAX_WAITING) {
      metrics.soundScores.inc({ outcome: this.#worker === undefined ? 'absent' : 'refused' });
      return Promise.resolve(undefined);
    }
    const answer = Promise.withResolvers<number | undefined>();
    const question: Question = { pcm, askedMs: clock.nowMs(), answer, signal };
    const onAbort = (): void => this.#withdraw(question);
    signal.addEventListener('abort', onAbort, { once: true });
    this.#waiting.push(question);
    this.#pump();
    return answer.promise.finally(() => signal.removeEventListener('abort', onAbort));
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelRestart();
    await this.#stop();
  }

  async #start(): Promise<void> {
    const { clock, entry = ENTRY } = this.#options;
    const workerData: SmartTurnThreadData = { modelPath: this.#modelPath };
    const worker = new Worker(entry, { workerData });
    const ready = Promise.withResolvers<void>();
    const fail = (message: string, cause?: unknown): void => {
      ready.reject(new VoiceError('engine_failed', message, { cause }));
      if (this.#worker === worker) this.#replace(message);
    };
    worker.on('message', (answer: SmartTurnAnswer) => {
      if (answer.type === 'ready') ready.resolve();
      else if (answer.type === 'unusable') fail(answer.message);
      else if (this.#worker === worker) this.#answered(answer.probability);
    });
    worker.on('error', (cause) => fail('the end-of-turn model failed', cause));
    worker.on('exit', () => fail('the thread of the end-of-turn model ended'));
    const cancel = clock.setTimeout(() => fail('the end-of-turn model did not load in time'), LOAD_LIMIT_MS);
    try {
      await ready.promise;
    } catch (error) {
      void worker.terminate();
      throw error;
    } finally {
      cancel();
    }
    if (this.#closed) return void (await worker.terminate());
    this.#worker = worker;
  }

  /** Nobody wants to know any more: what the thread has not begun with is not computed. */
  #withdraw(question: Question): void {
    question.answer.resolve(undefined);
    const place = this.#waiting.indexOf(question);
    if (place < 0) return;
    this.#waiting.splice(place, 1);
    this.#options.metrics.soundScores.inc({ outcome: 'late' });
  }

  #pump(): void {
    if (this.#asked !== undefined) return;
    const { clock } = this.#options;
    const next = this.#waiting.shift();
    if (next === undefined) return;
    this.#asked = next;
    this.#cancelStall = clock.setTimeout(() => this.#replace('the end-of-turn model hangs'), STALL_LIMIT_MS);
    const { pcm } = next;
    // Only a buffer that is used by nobody else can be handed over.
    const own = pcm.byteLength === pcm.buffer.byteLength ? pcm : pcm.slice();
    this.#worker?.postMessage({ pcm: own } satisfies SmartTurnQuestion, [own.buffer as ArrayBuffer]);
  }

  #answered(probability: number): void {
    const { clock, metrics } = this.#options;
    const asked = this.#asked;
    this.#asked = undefined;
    this.#cancelStall();
    this.#restarts.reset();
    if (asked !== undefined) {
      metrics.soundSeconds.observe((clock.nowMs() - asked.askedMs) / 1_000);
      metrics.soundScores.inc({ outcome: asked.signal.aborted ? 'late' : 'used' });
      asked.answer.resolve(probability);
    }
    this.#pump();
  }

  /** Goes on without the thread, and tries another one in a while. */
  #replace(why: string): void {
    const { clock, logger } = this.#options;
    void this.#stop();
    if (this.#closed) return;
    logger.warn({ why }, 'ends of turns are told without their sound for a while');
    this.#cancelRestart = clock.setTimeout(() => {
      this.#start().catch((error: Error) => this.#replace(error.message));
    }, this.#restarts.next());
  }

  async #stop(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    this.#cancelStall();
    for (const { answer } of [this.#asked, ...this.#waiting.splice(0)].filter((question) => question !== undefined)) {
      this.#options.metrics.soundScores.inc({ outcome: 'absent' });
      answer.resolve(undefined);
    }
    this.#asked = undefined;
    await worker?.terminate();
  }
}

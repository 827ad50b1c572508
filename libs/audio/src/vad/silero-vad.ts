import { createRequire } from 'node:module';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { AudioError, AudioErrorCode } from '../audio-error.ts';
import { INT16_SCALE } from '../pcm.ts';

/** The model takes 16 kHz only, in frames of 512 samples: 32 ms. */
export const VAD_SAMPLE_RATE_HZ = 16_000;
export const VAD_FRAME_SAMPLES = 512;

/** Samples of the frame before, which the model wants in front of each frame. */
const CONTEXT_SAMPLES = 64;
const INPUT_SAMPLES = CONTEXT_SAMPLES + VAD_FRAME_SAMPLES;
/** The recurrent state has the shape [2, batch, 128]. */
const STATE_LAYERS = 2;
const STATE_UNITS = 128;

declare const vadState: unique symbol;

/** What the model remembers of one session. Opaque, about 1.3 kB; belongs to the caller and is moved on by `run`. */
export interface VadState {
  readonly [vadState]: true;
}

/** One frame of one session. */
export interface VadFrame {
  readonly state: VadState;
  /** Exactly `VAD_FRAME_SAMPLES` of 16 kHz PCM16, following the session's frame before. */
  readonly pcm: Int16Array;
}

export interface SileroVadOptions {
  /** The ONNX file; by default Silero VAD v6 as it comes with `@ricky0123/vad-web`. */
  readonly modelPath?: string;
  /** Frames in one inference. More are done one inference after another. */
  readonly maxBatch?: number;
}

const DEFAULT_MAX_BATCH = 64;
const SAMPLE_RATE = new Tensor('int64', BigInt64Array.of(BigInt(VAD_SAMPLE_RATE_HZ)), []);

interface Memory {
  readonly recurrent: Float32Array;
  readonly context: Float32Array;
}

/**
 * Silero VAD for all sessions of a process, whose frames it scores in batches.
 *
 * onnxruntime computes on the calling thread, so each inference blocks the event loop for its duration: 0.15 ms for 1
 * frame, 0.55 ms for 8, 1.9 ms for 32, 3.8 ms for 64 (0.06 ms a frame from 16 on). Between two inferences of a larger
 * batch the loop gets a turn.
 */
export class SileroVad {
  readonly #session: InferenceSession;
  readonly #maxBatch: number;
  /** What the model is given, filled anew for each inference. */
  readonly #input: Float32Array;
  readonly #recurrent: Float32Array;
  readonly #memories = new WeakMap<VadState, Memory>();
  /** Runs wait for each other: a session's frames must reach the model in order. */
  #idle: Promise<unknown> = Promise.resolve();
  #closed = false;

  private constructor(session: InferenceSession, maxBatch: number) {
    this.#session = session;
    this.#maxBatch = maxBatch;
    this.#input = new Float32Array(maxBatch * INPUT_SAMPLES);
    this.#recurrent = new Float32Array(maxBatch * STATE_LAYERS * STATE_UNITS);
  }

  /** Loads the model and runs it once to warm it up. Throws `vad_unavailable`. */
  static async load({ modelPath, maxBatch = DEFAULT_MAX_BATCH }: SileroVadOptions = {}): Promise<SileroVad> {
    if (!Number.isInteger(maxBatch) || maxBatch < 1) {
      throw new AudioError(AudioErrorCode.BadFormat, `a batch holds a whole number of frames, not ${maxBatch}`);
    }
    try {
      const session = await InferenceSession.create(modelPath ?? defaultModelPath(), {
        intraOpNumThreads: 1,
        interOpNumThreads: 1,
        logSeverityLevel: 3,
      });
      const vad = new SileroVad(session, maxBatch);
      await vad.run([{ state: vad.createState(), pcm: new Int16Array(VAD_FRAME_SAMPLES) }]);
      return vad;
    } catch (cause) {
      throw unavailable('the voice activity model cannot be loaded', cause);
    }
  }

  /** The state of a session of which nothing was heard. */
  createState(): VadState {
    const state = Object.freeze({}) as VadState;
    this.#memories.set(state, {
      recurrent: new Float32Array(STATE_LAYERS * STATE_UNITS),
      context: new Float32Array(CONTEXT_SAMPLES),
    });
    return state;
  }

  /**
   * Speech probabilities, in the order of the batch, from 0 to 1. A session may be there more than once, its frames in
   * order. Calls queue up behind each other; await one before the next, or the queue has no bound.
   */
  run(batch: readonly VadFrame[]): Promise<number[]> {
    for (const { pcm } of batch) {
      if (pcm.length !== VAD_FRAME_SAMPLES) {
        const message = `a frame must have ${VAD_FRAME_SAMPLES} samples, not ${pcm.length}`;
        return Promise.reject(new AudioError(AudioErrorCode.BadFormat, message));
      }
    }
    const result = this.#idle.then(() => this.#runAll(batch));
    this.#idle = result.catch(() => undefined);
    return result;
  }

  /** Takes note of a frame that is known to be silence without asking the model: keeps the state in step with the audio. */
  skip({ state, pcm }: VadFrame): void {
    keepContext(this.#memoryOf(state), pcm);
  }

  /** Frees the model after the runs under way; later ones fail with `vad_unavailable`. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#idle;
    await this.#session.release();
  }

  async #runAll(batch: readonly VadFrame[]): Promise<number[]> {
    if (this.#closed) throw unavailable('the voice activity model is closed');
    const probabilities = new Array<number>(batch.length);
    for (const indexes of this.#rounds(batch)) {
      const frames = indexes.map((index) => batch[index]).filter((frame) => frame !== undefined);
      const scores = await this.#infer(frames);
      indexes.forEach((index, row) => {
        probabilities[index] = scores[row] ?? 0;
      });
    }
    return probabilities;
  }

  /** The batch as inferences of at most `maxBatch` frames, no session twice in one. */
  #rounds(batch: readonly VadFrame[]): number[][] {
    const rounds: number[][] = [];
    const lastRound = new Map<VadState, number>();
    let firstOpen = 0;
    batch.forEach(({ state }, index) => {
      let round = Math.max(firstOpen, (lastRound.get(state) ?? -1) + 1);
      while ((rounds[round]?.length ?? 0) >= this.#maxBatch) round++;
      rounds[round] ??= [];
      rounds[round]?.push(index);
      lastRound.set(state, round);
      while ((rounds[firstOpen]?.length ?? 0) >= this.#maxBatch) firstOpen++;
    });
    return rounds;
  }

  async #infer(frames: readonly VadFrame[]): Promise<Float32Array> {
    const rows = frames.length;
    const input = this.#input.subarray(0, rows * INPUT_SAMPLES);
    const recurrent = this.#recurrent.subarray(0, STATE_LAYERS * rows * STATE_UNITS);
    const memories = frames.map(({ state }) => this.#memoryOf(state));
    frames.forEach(({ pcm }, row) => {
      const memory = memories[row];
      if (memory === undefined) return;
      const start = row * INPUT_SAMPLES;
      input.set(memory.context, start);
      for (let i = 0; i < VAD_FRAME_SAMPLES; i++) input[start + CONTEXT_SAMPLES + i] = (pcm[i] ?? 0) / INT16_SCALE;
      for (let layer = 0; layer < STATE_LAYERS; layer++) {
        const units = memory.recurrent.subarray(layer * STATE_UNITS, (layer + 1) * STATE_UNITS);
        recurrent.set(units, (layer * rows + row) * STATE_UNITS);
      }
    });
    const { output, stateN } = await this.#session.run({
      input: new Tensor('float32', input, [rows, INPUT_SAMPLES]),
      state: new Tensor('float32', recurrent, [STATE_LAYERS, rows, STATE_UNITS]),
      sr: SAMPLE_RATE,
    });
    if (output === undefined || stateN === undefined) {
      throw unavailable('the model does not answer as Silero VAD v5 and v6 do');
    }
    const moved = stateN.data as Float32Array;
    frames.forEach(({ pcm }, row) => {
      const memory = memories[row];
      if (memory === undefined) return;
      for (let layer = 0; layer < STATE_LAYERS; layer++) {
        const start = (layer * rows + row) * STATE_UNITS;
        memory.recurrent.set(moved.subarray(start, start + STATE_UNITS), layer * STATE_UNITS);
      }
      keepContext(memory, pcm);
    });
    return output.data as Float32Array;
  }

  #memoryOf(state: VadState): Memory {
    const memory = this.#memories.get(state);
    if (memory === undefined) throw new AudioError(AudioErrorCode.BadFormat, 'the state is of another SileroVad');
    return memory;
  }
}

function keepContext({ context }: Memory, pcm: Int16Array): void {
  for (let i = 0; i < CONTEXT_SAMPLES; i++) {
    context[i] = (pcm[pcm.length - CONTEXT_SAMPLES + i] ?? 0) / INT16_SCALE;
  }
}

function defaultModelPath(): string {
  const require = createRequire(import.meta.url);
  return require.resolve('@ricky0123/vad-web/dist/silero_vad_v6.onnx');
}

function unavailable(message: string, cause?: unknown): AudioError {
  return new AudioError(AudioErrorCode.VadUnavailable, message, { cause });
}

import { type Clock, systemClock } from '@parley/client';
import { INPUT_RATE_HZ } from '@parley/protocol';
import type { Recording } from './recording.ts';

const FRAME_MS = 20;
const FRAME_SAMPLES = (FRAME_MS * INPUT_RATE_HZ) / 1_000;

/** A recording that has been spoken, or is being. */
export class Utterance {
  readonly recording: Recording;
  /** Number of its first sample in the session. */
  readonly startSample: number;
  /** When each of its frames was sent. */
  readonly #frameTimesMs: number[] = [];

  constructor(recording: Recording, startSample: number) {
    this.recording = recording;
    this.startSample = startSample;
  }

  get isSpoken(): boolean {
    return this.#frameTimesMs.length * FRAME_SAMPLES >= this.recording.samples.length;
  }

  /** When a sample of the recording was sent; undefined while it has not been. */
  sentAtMs(sample: number | undefined): number | undefined {
    return sample === undefined ? undefined : this.#frameTimesMs[Math.floor(sample / FRAME_SAMPLES)];
  }

  /** The next frame, filled up with silence at the end. */
  takeFrame(nowMs: number): Int16Array {
    const offset = this.#frameTimesMs.length * FRAME_SAMPLES;
    const frame = new Int16Array(FRAME_SAMPLES);
    frame.set(this.recording.samples.subarray(offset, offset + FRAME_SAMPLES));
    this.#frameTimesMs.push(nowMs);
    return frame;
  }
}

/**
 * A microphone that is left on: a frame of 20 ms each 20 ms, speech where there is some and silence elsewhere. It keeps
 * to the clock, so that a late timer delays one frame and not all that follow.
 */
export class Microphone {
  readonly #send: (frame: Int16Array) => void;
  readonly #clock: Clock;
  #startedAtMs = 0;
  #frames = 0;
  #utterance: Utterance | undefined;
  #waiting: { readonly recording: Recording; begun(utterance: Utterance): void }[] = [];
  #cancelTimer: (() => void) | undefined;

  constructor(send: (frame: Int16Array) => void, clock: Clock = systemClock) {
    this.#send = send;
    this.#clock = clock;
  }

  /** When the first sample was sent. */
  get startedAtMs(): number {
    return this.#startedAtMs;
  }

  /** Switches on; the first frame is sent before this returns. */
  start(): void {
    this.#startedAtMs = this.#clock.nowMs();
    this.#tick();
  }

  stop(): void {
    this.#cancelTimer?.();
  }

  /** Speaks a recording, after what is being spoken. Resolves when its first frame is on its way. */
  speak(recording: Recording): Promise<Utterance> {
    return new Promise((begun) => this.#waiting.push({ recording, begun }));
  }

  #tick(): void {
    const nowMs = this.#clock.nowMs();
    const due = Math.floor((nowMs - this.#startedAtMs) / FRAME_MS) + 1;
    for (; this.#frames < due; this.#frames++) this.#send(this.#nextFrame(nowMs));
    const nextMs = this.#startedAtMs + this.#frames * FRAME_MS;
    this.#cancelTimer = this.#clock.setTimeout(() => this.#tick(), Math.max(0, nextMs - this.#clock.nowMs()));
  }

  #nextFrame(nowMs: number): Int16Array {
    if (!this.#utterance || this.#utterance.isSpoken) {
      const next = this.#waiting.shift();
      this.#utterance = next && new Utterance(next.recording, this.#frames * FRAME_SAMPLES);
      if (next && this.#utterance) next.begun(this.#utterance);
    }
    return this.#utterance?.takeFrame(nowMs) ?? new Int16Array(FRAME_SAMPLES);
  }
}

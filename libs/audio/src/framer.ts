import { AudioError, AudioErrorCode } from './audio-error.ts';

/** A slice of audio and its place: `startSample` counts from the first sample of the stream. */
export interface Frame {
  readonly pcm: Int16Array;
  readonly startSample: number;
}

export interface FramerOptions {
  readonly frameSamples: number;
  /** Number of the first sample that will be pushed. */
  readonly startSample?: number;
}

/** Chunks of any size in, frames of one size out, numbered without a gap. Holds less than one frame. */
export class Framer {
  readonly #held: Int16Array;
  #heldSamples = 0;
  #startSample: number;

  constructor({ frameSamples, startSample = 0 }: FramerOptions) {
    if (!Number.isInteger(frameSamples) || frameSamples < 1) {
      throw new AudioError(
        AudioErrorCode.BadFormat,
        `a frame must have a whole number of samples, not ${frameSamples}`,
      );
    }
    this.#held = new Int16Array(frameSamples);
    this.#startSample = startSample;
  }

  /** Samples that wait for the rest of their frame. */
  get heldSamples(): number {
    return this.#heldSamples;
  }

  /** Number of the next sample to push. */
  get nextSample(): number {
    return this.#startSample + this.#heldSamples;
  }

  /** The frames that are complete now. They are copies: the caller may reuse the chunk's memory. */
  push(chunk: Int16Array): Frame[] {
    const frames: Frame[] = [];
    const frameSamples = this.#held.length;
    let offset = 0;
    while (offset < chunk.length) {
      const taken = Math.min(frameSamples - this.#heldSamples, chunk.length - offset);
      this.#held.set(chunk.subarray(offset, offset + taken), this.#heldSamples);
      this.#heldSamples += taken;
      offset += taken;
      if (this.#heldSamples === frameSamples) frames.push(this.#take(frameSamples));
    }
    return frames;
  }

  /** The begun frame: as short as it is, or filled up with silence. The numbering goes on after its real samples. */
  flush({ padded = false }: { padded?: boolean } = {}): Frame | undefined {
    if (this.#heldSamples === 0) return undefined;
    if (padded) this.#held.fill(0, this.#heldSamples);
    return this.#take(padded ? this.#held.length : this.#heldSamples);
  }

  /** Drops the begun frame and goes on at another position, as after a gap in the stream. */
  restart(startSample: number): void {
    this.#heldSamples = 0;
    this.#startSample = startSample;
  }

  #take(samples: number): Frame {
    const frame = { pcm: this.#held.slice(0, samples), startSample: this.#startSample };
    this.#startSample += this.#heldSamples;
    this.#heldSamples = 0;
    return frame;
  }
}

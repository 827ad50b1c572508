/** User audio and the number of its first sample. */
export interface NumberedAudio {
  readonly startSample: number;
  readonly pcm: Int16Array;
}

/**
 * User audio that the server has not settled yet, numbered from the session's first sample and kept for a resume. Holds
 * at most `maxSamples`; beyond that the oldest is dropped, which costs something only if a resume asks for it.
 */
export class UplinkBuffer {
  readonly #maxSamples: number;
  #chunks: NumberedAudio[] = [];
  #firstSample = 0;
  #nextSample = 0;

  constructor(maxSamples: number) {
    this.#maxSamples = maxSamples;
  }

  /** Number of the oldest sample that is kept; equal to `nextSample` when nothing is. */
  get firstSample(): number {
    return this.#firstSample;
  }

  /** Number that the next sample will have. */
  get nextSample(): number {
    return this.#nextSample;
  }

  /** Numbers a copy of the samples and keeps it. */
  push(samples: Int16Array): NumberedAudio {
    const chunk = { startSample: this.#nextSample, pcm: samples.slice() };
    this.#chunks.push(chunk);
    this.#nextSample += samples.length;
    this.release(this.#nextSample - this.#maxSamples);
    return chunk;
  }

  /** Forgets what is before this sample. */
  release(sample: number): void {
    const upTo = Math.min(sample, this.#nextSample);
    if (upTo <= this.#firstSample) return;
    this.#firstSample = upTo;
    const kept = this.#chunks.findIndex((chunk) => chunk.startSample + chunk.pcm.length > upTo);
    this.#chunks.splice(0, kept < 0 ? this.#chunks.length : kept);
  }

  /** What is kept from this sample on, in order; the first piece is cut to begin there. */
  from(sample: number): NumberedAudio[] {
    const start = Math.max(sample, this.#firstSample);
    return this.#chunks.flatMap((chunk) => {
      const cut = start - chunk.startSample;
      if (cut <= 0) return [chunk];
      return cut < chunk.pcm.length ? [{ startSample: start, pcm: chunk.pcm.subarray(cut) }] : [];
    });
  }
}

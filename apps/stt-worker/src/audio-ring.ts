/** Recent audio of a session by sample number. Bounded: `append` says when it would hold more than it may. */
export class AudioRing {
  readonly #maxSamples: number;
  #buffer: Int16Array;
  /** Index in the buffer of the oldest sample, and its number. */
  #offset = 0;
  #startSample: number;
  #length = 0;

  constructor(startSample: number, maxSamples: number) {
    this.#startSample = startSample;
    this.#maxSamples = maxSamples;
    this.#buffer = new Int16Array(Math.min(maxSamples, 16_384));
  }

  get startSample(): number {
    return this.#startSample;
  }

  /** The sample after the newest. */
  get endSample(): number {
    return this.#startSample + this.#length;
  }

  /** Adds what follows the newest sample; refuses, keeping nothing of it, when it does not fit. */
  append(samples: Int16Array): 'added' | 'full' {
    if (this.#length + samples.length > this.#maxSamples) return 'full';
    this.#makeRoom(samples.length);
    this.#buffer.set(samples, this.#offset + this.#length);
    this.#length += samples.length;
    return 'added';
  }

  /** A copy of the samples from one number up to another; what is not there is left out. */
  slice(fromSample: number, toSample: number): Int16Array {
    const from = Math.max(0, fromSample - this.#startSample);
    const to = Math.min(this.#length, toSample - this.#startSample);
    return this.#buffer.slice(this.#offset + from, this.#offset + Math.max(from, to));
  }

  dropBefore(sample: number): void {
    const dropped = Math.min(this.#length, Math.max(0, sample - this.#startSample));
    this.#offset += dropped;
    this.#startSample += dropped;
    this.#length -= dropped;
  }

  /** Forgets everything and goes on at another position, as after a gap. */
  restart(startSample: number): void {
    this.#offset = 0;
    this.#length = 0;
    this.#startSample = startSample;
  }

  #makeRoom(samples: number): void {
    if (this.#offset + this.#length + samples <= this.#buffer.length) return;
    const needed = this.#length + samples;
    let capacity = this.#buffer.length;
    while (capacity < needed * 1.5) capacity *= 2;
    const roomy = capacity === this.#buffer.length ? this.#buffer : new Int16Array(capacity);
    roomy.set(this.#buffer.subarray(this.#offset, this.#offset + this.#length));
    this.#buffer = roomy;
    this.#offset = 0;
  }
}

/** The last samples of a session, by their numbers: what an end-of-turn model listens to. Takes its memory once. */
export class RecentAudio {
  readonly #samples: Int16Array;
  #startSample = 0;
  #endSample = 0;

  constructor(maxSamples: number) {
    this.#samples = new Int16Array(maxSamples);
  }

  /** Puts samples where they belong, also over what is there already. After a gap only what follows it is kept. */
  put(startSample: number, pcm: Int16Array): void {
    if (startSample > this.#endSample || startSample < this.#startSample) this.#startSample = startSample;
    const size = this.#samples.length;
    const tail = pcm.subarray(Math.max(0, pcm.length - size));
    const tailSample = startSample + pcm.length - tail.length;
    const at = tailSample % size;
    const first = tail.subarray(0, size - at);
    this.#samples.set(first, at);
    this.#samples.set(tail.subarray(first.length), 0);
    this.#endSample = startSample + pcm.length;
    this.#startSample = Math.max(this.#startSample, this.#endSample - size);
  }

  /** A copy of the samples from one number to another; undefined where they are not all there. */
  slice(fromSample: number, toSample: number): Int16Array | undefined {
    if (fromSample < this.#startSample || toSample > this.#endSample || toSample < fromSample) return undefined;
    const size = this.#samples.length;
    const copy = new Int16Array(toSample - fromSample);
    const at = fromSample % size;
    const first = this.#samples.subarray(at, Math.min(size, at + copy.length));
    copy.set(first);
    copy.set(this.#samples.subarray(0, copy.length - first.length), first.length);
    return copy;
  }
}

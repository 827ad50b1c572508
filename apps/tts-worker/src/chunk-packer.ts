import { concatInt16, msToSamples } from '@parley/audio';

/** The first chunk is as short as is worth sending, so that it is heard early. */
const FIRST_MS = 40;
/** Later ones wait for more, up to this, so that an engine in step with real time does not make a flood of entries. */
const LATER_MS = 160;
/** No chunk is longer, however much there is: a cancel takes effect between two of them. */
const LONGEST_MS = 400;

/** Speech of any pieces → chunks worth an entry in the log: the first soon, each at most 400 ms. */
export class ChunkPacker {
  readonly #rateHz: number;
  #shortestMs = FIRST_MS;
  #pending: Int16Array<ArrayBufferLike> = new Int16Array(0);

  constructor(rateHz: number) {
    this.#rateHz = rateHz;
  }

  /** The chunks that are ready. */
  *push(samples: Int16Array): Generator<Int16Array> {
    this.#pending = this.#pending.length === 0 ? samples : concatInt16([this.#pending, samples]);
    while (this.#pending.length >= this.#samples(this.#shortestMs)) {
      const longest = this.#samples(this.#shortestMs === FIRST_MS ? 2 * FIRST_MS : LONGEST_MS);
      this.#shortestMs = Math.min(2 * this.#shortestMs, LATER_MS);
      yield this.#take(longest);
    }
  }

  /** What is left at the end: shorter than a chunk, perhaps empty. */
  flush(): Int16Array {
    return this.#take(this.#pending.length);
  }

  #take(length: number): Int16Array {
    const taken = this.#pending.subarray(0, length);
    this.#pending = this.#pending.subarray(length);
    return taken;
  }

  #samples(ms: number): number {
    return msToSamples(ms, this.#rateHz);
  }
}

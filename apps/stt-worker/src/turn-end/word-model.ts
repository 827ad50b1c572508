import { readFileSync } from 'node:fs';
import { featuresOf, hashOf, type ModelText } from './word-features.ts';

/** What has been learnt of one language. */
export interface LearntWeights {
  /** Hashes of the features that have a weight, ascending. */
  readonly hashes: Uint32Array;
  /** Their weights, in units of `scale`. */
  readonly weights: Int8Array;
  readonly scale: number;
  readonly bias: number;
}

const MAGIC = 0x31_4d_57_50;
const HEADER_BYTES = 16;
const HASH_BYTES = 4;

/**
 * Tells by the words of a turn whether it is whole, as the turns it has learnt from were: a logistic regression over what
 * `featuresOf` sees, calibrated on pauses that somebody made.
 */
export class WordModel {
  readonly #learnt: LearntWeights;

  constructor(learnt: LearntWeights) {
    this.#learnt = learnt;
  }

  static read(file: URL): WordModel {
    return new WordModel(decodeWeights(readFileSync(file)));
  }

  /** Log-odds that a turn of these words is whole, where somebody has paused. */
  logOdds(text: ModelText): number {
    const { bias, scale } = this.#learnt;
    const sum = featuresOf(text).reduce((total, feature) => total + this.#weightOf(hashOf(feature)), 0);
    return bias + scale * sum;
  }

  #weightOf(hash: number): number {
    const { hashes, weights } = this.#learnt;
    let [from, to] = [0, hashes.length];
    while (from < to) {
      const middle = (from + to) >>> 1;
      if ((hashes[middle] ?? 0) < hash) from = middle + 1;
      else to = middle;
    }
    return hashes[from] === hash ? (weights[from] ?? 0) : 0;
  }
}

/** The file of a model: magic number, number of features, scale, bias, the hashes, the weights; little-endian. */
export function encodeWeights({ hashes, weights, scale, bias }: LearntWeights): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + hashes.length * (HASH_BYTES + 1));
  bytes.writeUInt32LE(MAGIC, 0);
  bytes.writeUInt32LE(hashes.length, 4);
  bytes.writeFloatLE(scale, 8);
  bytes.writeFloatLE(bias, 12);
  for (const [index, hash] of hashes.entries()) bytes.writeUInt32LE(hash, HEADER_BYTES + index * HASH_BYTES);
  bytes.set(weights, HEADER_BYTES + hashes.length * HASH_BYTES);
  return bytes;
}

/** Throws where the bytes are not such a file. */
export function decodeWeights(bytes: Buffer): LearntWeights {
  const count = bytes.length >= HEADER_BYTES && bytes.readUInt32LE(0) === MAGIC ? bytes.readUInt32LE(4) : undefined;
  if (count === undefined || bytes.length !== HEADER_BYTES + count * (HASH_BYTES + 1)) {
    throw new Error('this is no file of a word model');
  }
  const hashes = new Uint32Array(count);
  for (let index = 0; index < count; index++) hashes[index] = bytes.readUInt32LE(HEADER_BYTES + index * HASH_BYTES);
  const weights = Int8Array.from(bytes.subarray(HEADER_BYTES + count * HASH_BYTES));
  return { hashes, weights, scale: bytes.readFloatLE(8), bias: bytes.readFloatLE(12) };
}

import { probabilityOf } from '../src/log-odds.ts';
import type { LearntWeights } from '../src/turn-end/word-model.ts';
import type { Example } from './examples.ts';

/** A feature that fewer examples have is chance. */
const LEAST_EXAMPLES = 3;
const EPOCHS = 6;
const RATE = 0.3;
/** Pulls weights to nought. */
const DECAY = 1e-4;
const FIRST_SQUARES = 1e-2;
/** Weights are kept in a byte each; small ones, of which there are very many, are left out. */
const MOST = 127;
const LEAST = 4;
const PLATT_ROUNDS = 3_000;
const PLATT_RATE = 0.1;

/** Weights by feature. */
export interface Regression {
  readonly index: ReadonlyMap<number, number>;
  readonly weights: Float32Array;
  readonly bias: number;
}

/**
 * Logistic regression by stochastic gradient descent with AdaGrad's step sizes (Duchi, Hazan, Singer 2011). The same examples
 * give the same weights.
 */
export function regress(examples: readonly Example[]): Regression {
  const index = frequentFeatures(examples);
  const known = examples.map(({ features }) => placesOf(features, index));
  const weights = new Float32Array(index.size);
  const squares = new Float32Array(index.size).fill(FIRST_SQUARES);
  let [bias, biasSquares] = [0, FIRST_SQUARES];
  const random = seeded();
  const order = Uint32Array.from(examples, (_, at) => at);
  for (let epoch = 0; epoch < EPOCHS; epoch++) {
    shuffle(order, random);
    for (const at of order) {
      const { isEnd, weight } = examples[at] as Example;
      const places = known[at] as Uint32Array;
      let sum = bias;
      for (const place of places) sum += weights[place] as number;
      const error = weight * (probabilityOf(sum) - Number(isEnd));
      for (const place of places) {
        const gradient = error + DECAY * (weights[place] as number);
        squares[place] = (squares[place] as number) + gradient ** 2;
        weights[place] = (weights[place] as number) - (RATE * gradient) / Math.sqrt(squares[place] as number);
      }
      biasSquares += error ** 2;
      bias -= (RATE * error) / Math.sqrt(biasSquares);
    }
  }
  return { index, weights, bias };
}

/** Log-odds, not yet calibrated. */
export function scoreOf(features: Uint32Array, { index, weights, bias }: Regression): number {
  return placesOf(features, index).reduce((sum, place) => sum + (weights[place] as number), bias);
}

/** A scored example of which the truth is known. */
export interface Scored {
  readonly logOdds: number;
  readonly isEnd: boolean;
  readonly weight: number;
}

/** Slope and offset that make log-odds those of what came true (Platt 1999). */
export function calibrate(scored: readonly Scored[]): { slope: number; offset: number } {
  let [slope, offset] = [1, 0];
  for (let round = 0; round < PLATT_ROUNDS; round++) {
    let [bySlope, byOffset] = [0, 0];
    for (const { logOdds, isEnd } of scored) {
      const error = probabilityOf(slope * logOdds + offset) - Number(isEnd);
      bySlope += error * logOdds;
      byOffset += error;
    }
    slope -= (PLATT_RATE * bySlope) / scored.length;
    offset -= (PLATT_RATE * byOffset) / scored.length;
  }
  return { slope, offset };
}

/** How often an end is scored above what is none (area under the ROC curve). */
export function rankedRight(scored: readonly Scored[]): number {
  let [others, ends, right] = [0, 0, 0];
  for (const { isEnd, weight } of scored.toSorted((a, b) => a.logOdds - b.logOdds)) {
    if (isEnd) {
      right += weight * others;
      ends += weight;
    } else others += weight;
  }
  return right / (ends * others);
}

/** What is kept of a regression in a file. */
export function packed({ index, weights, bias }: Regression, slope: number, offset: number): LearntWeights {
  const most = weights.reduce((max, weight) => Math.max(max, Math.abs(weight)), 0);
  const step = most / MOST;
  const kept = [...index]
    .map(([hash, place]) => ({ hash, weight: Math.round((weights[place] as number) / step) }))
    .filter(({ weight }) => Math.abs(weight) >= LEAST)
    .toSorted((a, b) => a.hash - b.hash);
  return {
    hashes: Uint32Array.from(kept, ({ hash }) => hash),
    weights: Int8Array.from(kept, ({ weight }) => weight),
    scale: slope * step,
    bias: slope * bias + offset,
  };
}

function frequentFeatures(examples: readonly Example[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const { features } of examples) for (const hash of features) counts.set(hash, (counts.get(hash) ?? 0) + 1);
  const index = new Map<number, number>();
  for (const [hash, count] of counts) if (count >= LEAST_EXAMPLES) index.set(hash, index.size);
  return index;
}

const placesOf = (features: Uint32Array, index: ReadonlyMap<number, number>): Uint32Array =>
  Uint32Array.from([...features].flatMap((hash) => index.get(hash) ?? []));

/** Numbers in [0, 1) that are the same in every run (Numerical Recipes' linear congruence). */
function seeded(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function shuffle(order: Uint32Array, random: () => number): void {
  for (let last = order.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [order[last], order[other]] = [order[other] as number, order[last] as number];
  }
}

import { readFileSync } from 'node:fs';
import { readWav } from '@parley/audio';
import { describe, expect, test } from 'vitest';
import { SMART_TURN_FRAMES, SMART_TURN_SAMPLES, SmartTurnFeatures } from './smart-turn-features.ts';

const VECTORS = new URL('../../../../libs/testkit/fixtures/models/smart-turn-v3/vectors/', import.meta.url);

interface Vectors {
  readonly tolerance: { readonly features: number };
  readonly vectors: readonly {
    readonly file: string;
    readonly mel: {
      readonly min: number;
      readonly max: number;
      readonly mean: number;
      readonly band0Last8: readonly number[];
      readonly band40From700: readonly number[];
    };
    readonly melFile?: string;
  }[];
}

const { tolerance, vectors } = JSON.parse(readFileSync(new URL('vectors.json', VECTORS), 'utf8')) as Vectors;
const features = new SmartTurnFeatures();
const featuresOf = (file: string): Float32Array =>
  features.compute(readWav(readFileSync(new URL(file, VECTORS))).samples);

/** Largest difference between two rows of numbers. */
const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((worst, value, i) => Math.max(worst, Math.abs(value - (b[i] ?? Number.NaN))), 0);

describe('the features', () => {
  test.each(vectors)('of $file are those of the reference', ({ file, mel }) => {
    const values = featuresOf(file);
    expect(distance(values.subarray(SMART_TURN_FRAMES - 8, SMART_TURN_FRAMES), mel.band0Last8)).toBeLessThan(
      tolerance.features,
    );
    const band40 = 40 * SMART_TURN_FRAMES;
    expect(distance(values.subarray(band40 + 700, band40 + 708), mel.band40From700)).toBeLessThan(tolerance.features);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const [min, max] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
    expect(distance([min, max, mean], [mel.min, mel.max, mel.mean])).toBeLessThan(tolerance.features);
  });

  test.each(vectors.filter(({ melFile }) => melFile !== undefined))('of $file are so in every number', (vector) => {
    const bytes = readFileSync(new URL(vector.melFile ?? '', VECTORS));
    const expected = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
    const values = featuresOf(vector.file);
    expect(values).toHaveLength(expected.length);
    expect(distance(values, expected)).toBeLessThan(tolerance.features);
  });

  test('do not depend on what was computed before, nor on more than the last eight seconds', () => {
    const tone = (length: number): Int16Array => Int16Array.from({ length }, (_, i) => 9_000 * Math.sin(i * i * 1e-6));
    const long = tone(SMART_TURN_SAMPLES + 12_345);
    const cut = features.compute(long.subarray(12_345)).slice();
    features.compute(new Int16Array(100));
    expect(features.compute(long)).toEqual(cut);
  });

  test.each([0, 1, 199, 200, 201, 399, 400, 401, 560, 16_000])('of %i samples are finite', (length) => {
    const values = features.compute(Int16Array.from({ length }, (_, i) => 5_000 * Math.sin(i / 5)));
    expect(values.every(Number.isFinite)).toBe(true);
    // Equal frames are copied: it makes no difference where they are computed.
    const again = new SmartTurnFeatures().compute(
      Int16Array.from({ length: SMART_TURN_SAMPLES }, (_, i) => {
        const at = i - (SMART_TURN_SAMPLES - length);
        return at < 0 ? 0 : 5_000 * Math.sin(at / 5);
      }),
    );
    expect(distance(values, again)).toBeLessThan(tolerance.features);
  });
});

/** One step of the transform: each of `stride` transforms of `length` becomes `radix` shorter ones. */
interface Stage {
  readonly radix: number;
  readonly length: number;
  readonly stride: number;
  readonly step: Step;
  readonly cos: Float64Array;
  readonly sin: Float64Array;
  readonly twiddleCos: Float64Array;
  readonly twiddleSin: Float64Array;
}

interface Complex {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

type Step = (stage: Stage, from: Complex, to: Complex) => void;

/**
 * Power spectra of real frames of an even length whose prime factors are small, 400 for instance, which libraries for powers
 * of two cannot do. The frame is taken as half as many complex numbers and transformed by a Stockham FFT of mixed radix.
 * All memory is taken once; `powers` holds the last result.
 */
export class PowerSpectrum {
  /** |X|² of the bins 0 to half the length. */
  readonly powers: Float64Array;
  readonly #half: number;
  readonly #stages: readonly Stage[];
  readonly #cos: Float64Array;
  readonly #sin: Float64Array;
  #now: Complex;
  #next: Complex;

  constructor(length: number) {
    const half = length / 2;
    if (!Number.isInteger(half) || half < 1) throw new RangeError('the length of a frame must be even');
    this.#half = half;
    this.#stages = stagesOf(half);
    this.powers = new Float64Array(half + 1);
    this.#now = { re: new Float64Array(half), im: new Float64Array(half) };
    this.#next = { re: new Float64Array(half), im: new Float64Array(half) };
    this.#cos = Float64Array.from({ length: half + 1 }, (_, k) => Math.cos((2 * Math.PI * k) / length));
    this.#sin = Float64Array.from({ length: half + 1 }, (_, k) => -Math.sin((2 * Math.PI * k) / length));
  }

  /** Fills `powers` from the frame that begins at `offset`, each sample times its weight in `window`. */
  compute(samples: Float32Array | Float64Array, offset: number, window: Float64Array): void {
    const half = this.#half;
    const { re, im } = this.#now;
    for (let i = 0; i < half; i++) {
      re[i] = (samples[offset + 2 * i] ?? 0) * at(window, 2 * i);
      im[i] = (samples[offset + 2 * i + 1] ?? 0) * at(window, 2 * i + 1);
    }
    for (const stage of this.#stages) {
      stage.step(stage, this.#now, this.#next);
      [this.#now, this.#next] = [this.#next, this.#now];
    }
    this.#unpack();
  }

  /** The spectrum of the real frame from that of its even samples as real and its odd ones as imaginary parts. */
  #unpack(): void {
    const half = this.#half;
    const { re: allRe, im: allIm } = this.#now;
    for (let k = 0; k <= half; k++) {
      const here = k === half ? 0 : k;
      const there = k === 0 ? 0 : half - k;
      const evenRe = (at(allRe, here) + at(allRe, there)) / 2;
      const evenIm = (at(allIm, here) - at(allIm, there)) / 2;
      const oddRe = (at(allIm, here) + at(allIm, there)) / 2;
      const oddIm = (at(allRe, there) - at(allRe, here)) / 2;
      const c = at(this.#cos, k);
      const s = at(this.#sin, k);
      const re = evenRe + oddRe * c - oddIm * s;
      const im = evenIm + oddRe * s + oddIm * c;
      this.powers[k] = re * re + im * im;
    }
  }
}

/** Indexes here are within bounds by construction. */
const at = (values: Float64Array, index: number): number => values[index] as number;

/** Any radix, as the definition says. Those that frames of speech have are written out below, in a third of the time. */
const splitByAny: Step = ({ radix, length, stride, cos, sin, twiddleCos, twiddleSin }, { re, im }, to) => {
  const part = length / radix;
  for (let p = 0; p < part; p++) {
    for (let q = 0; q < stride; q++) {
      const from = q + stride * p;
      for (let j = 0; j < radix; j++) {
        let sumRe = 0;
        let sumIm = 0;
        for (let k = 0; k < radix; k++) {
          const index = from + stride * part * k;
          const c = at(cos, j * radix + k);
          const s = at(sin, j * radix + k);
          sumRe += at(re, index) * c - at(im, index) * s;
          sumIm += at(re, index) * s + at(im, index) * c;
        }
        const c = at(twiddleCos, p * radix + j);
        const s = at(twiddleSin, p * radix + j);
        const index = q + stride * (radix * p + j);
        to.re[index] = sumRe * c - sumIm * s;
        to.im[index] = sumRe * s + sumIm * c;
      }
    }
  }
};

const splitBy2: Step = ({ length, stride, twiddleCos, twiddleSin }, { re, im }, { re: toRe, im: toIm }) => {
  const far = (length / 2) * stride;
  for (let p = 0; p < length / 2; p++) {
    const c = at(twiddleCos, 2 * p + 1);
    const s = at(twiddleSin, 2 * p + 1);
    for (let q = 0; q < stride; q++) {
      const from = q + stride * p;
      const re0 = at(re, from);
      const im0 = at(im, from);
      const re1 = at(re, from + far);
      const im1 = at(im, from + far);
      const to = q + 2 * stride * p;
      toRe[to] = re0 + re1;
      toIm[to] = im0 + im1;
      toRe[to + stride] = (re0 - re1) * c - (im0 - im1) * s;
      toIm[to + stride] = (re0 - re1) * s + (im0 - im1) * c;
    }
  }
};

const splitBy4: Step = ({ length, stride, twiddleCos, twiddleSin }, { re, im }, { re: toRe, im: toIm }) => {
  const far = (length / 4) * stride;
  for (let p = 0; p < length / 4; p++) {
    const c1 = at(twiddleCos, 4 * p + 1);
    const s1 = at(twiddleSin, 4 * p + 1);
    const c2 = at(twiddleCos, 4 * p + 2);
    const s2 = at(twiddleSin, 4 * p + 2);
    const c3 = at(twiddleCos, 4 * p + 3);
    const s3 = at(twiddleSin, 4 * p + 3);
    for (let q = 0; q < stride; q++) {
      const from = q + stride * p;
      const evenRe = at(re, from) + at(re, from + 2 * far);
      const evenIm = at(im, from) + at(im, from + 2 * far);
      const evenDiffRe = at(re, from) - at(re, from + 2 * far);
      const evenDiffIm = at(im, from) - at(im, from + 2 * far);
      const oddRe = at(re, from + far) + at(re, from + 3 * far);
      const oddIm = at(im, from + far) + at(im, from + 3 * far);
      const oddDiffRe = at(re, from + far) - at(re, from + 3 * far);
      const oddDiffIm = at(im, from + far) - at(im, from + 3 * far);
      const to = q + 4 * stride * p;
      toRe[to] = evenRe + oddRe;
      toIm[to] = evenIm + oddIm;
      const re1 = evenDiffRe + oddDiffIm;
      const im1 = evenDiffIm - oddDiffRe;
      toRe[to + stride] = re1 * c1 - im1 * s1;
      toIm[to + stride] = re1 * s1 + im1 * c1;
      const re2 = evenRe - oddRe;
      const im2 = evenIm - oddIm;
      toRe[to + 2 * stride] = re2 * c2 - im2 * s2;
      toIm[to + 2 * stride] = re2 * s2 + im2 * c2;
      const re3 = evenDiffRe - oddDiffIm;
      const im3 = evenDiffIm + oddDiffRe;
      toRe[to + 3 * stride] = re3 * c3 - im3 * s3;
      toIm[to + 3 * stride] = re3 * s3 + im3 * c3;
    }
  }
};

const COS_72 = Math.cos((2 * Math.PI) / 5);
const SIN_72 = Math.sin((2 * Math.PI) / 5);
const COS_144 = Math.cos((4 * Math.PI) / 5);
const SIN_144 = Math.sin((4 * Math.PI) / 5);

const splitBy5: Step = ({ length, stride, twiddleCos, twiddleSin }, { re, im }, { re: toRe, im: toIm }) => {
  const far = (length / 5) * stride;
  for (let p = 0; p < length / 5; p++) {
    for (let q = 0; q < stride; q++) {
      const from = q + stride * p;
      const re0 = at(re, from);
      const im0 = at(im, from);
      const outerRe = at(re, from + far) + at(re, from + 4 * far);
      const outerIm = at(im, from + far) + at(im, from + 4 * far);
      const outerDiffRe = at(re, from + far) - at(re, from + 4 * far);
      const outerDiffIm = at(im, from + far) - at(im, from + 4 * far);
      const innerRe = at(re, from + 2 * far) + at(re, from + 3 * far);
      const innerIm = at(im, from + 2 * far) + at(im, from + 3 * far);
      const innerDiffRe = at(re, from + 2 * far) - at(re, from + 3 * far);
      const innerDiffIm = at(im, from + 2 * far) - at(im, from + 3 * far);
      const first = q + 5 * stride * p;
      toRe[first] = re0 + outerRe + innerRe;
      toIm[first] = im0 + outerIm + innerIm;
      const evenRe1 = re0 + COS_72 * outerRe + COS_144 * innerRe;
      const evenIm1 = im0 + COS_72 * outerIm + COS_144 * innerIm;
      const oddRe1 = SIN_72 * outerDiffRe + SIN_144 * innerDiffRe;
      const oddIm1 = SIN_72 * outerDiffIm + SIN_144 * innerDiffIm;
      const evenRe2 = re0 + COS_144 * outerRe + COS_72 * innerRe;
      const evenIm2 = im0 + COS_144 * outerIm + COS_72 * innerIm;
      const oddRe2 = SIN_144 * outerDiffRe - SIN_72 * innerDiffRe;
      const oddIm2 = SIN_144 * outerDiffIm - SIN_72 * innerDiffIm;
      const row = 5 * p;
      const c1 = at(twiddleCos, row + 1);
      const s1 = at(twiddleSin, row + 1);
      toRe[first + stride] = (evenRe1 + oddIm1) * c1 - (evenIm1 - oddRe1) * s1;
      toIm[first + stride] = (evenRe1 + oddIm1) * s1 + (evenIm1 - oddRe1) * c1;
      const c2 = at(twiddleCos, row + 2);
      const s2 = at(twiddleSin, row + 2);
      toRe[first + 2 * stride] = (evenRe2 + oddIm2) * c2 - (evenIm2 - oddRe2) * s2;
      toIm[first + 2 * stride] = (evenRe2 + oddIm2) * s2 + (evenIm2 - oddRe2) * c2;
      const c3 = at(twiddleCos, row + 3);
      const s3 = at(twiddleSin, row + 3);
      toRe[first + 3 * stride] = (evenRe2 - oddIm2) * c3 - (evenIm2 + oddRe2) * s3;
      toIm[first + 3 * stride] = (evenRe2 - oddIm2) * s3 + (evenIm2 + oddRe2) * c3;
      const c4 = at(twiddleCos, row + 4);
      const s4 = at(twiddleSin, row + 4);
      toRe[first + 4 * stride] = (evenRe1 - oddIm1) * c4 - (evenIm1 + oddRe1) * s4;
      toIm[first + 4 * stride] = (evenRe1 - oddIm1) * s4 + (evenIm1 + oddRe1) * c4;
    }
  }
};

const STEPS: ReadonlyMap<number, Step> = new Map([
  [4, splitBy4],
  [2, splitBy2],
  [3, splitByAny],
  [5, splitBy5],
]);

function stagesOf(length: number): Stage[] {
  const stages: Stage[] = [];
  let rest = length;
  for (let stride = 1; rest > 1; ) {
    const radix = [...STEPS.keys()].find((candidate) => rest % candidate === 0) ?? rest;
    const step = STEPS.get(radix) ?? splitByAny;
    const dft = rotations(radix, radix, radix);
    const twiddle = rotations(rest / radix, radix, rest);
    stages.push({ radix, length: rest, stride, step, ...dft, twiddleCos: twiddle.cos, twiddleSin: twiddle.sin });
    rest /= radix;
    stride *= radix;
  }
  return stages;
}

/** e^(-2πi·row·column/circle) for all rows and columns. */
function rotations(rows: number, columns: number, circle: number): { cos: Float64Array; sin: Float64Array } {
  const angle = (index: number): number => (-2 * Math.PI * Math.floor(index / columns) * (index % columns)) / circle;
  return {
    cos: Float64Array.from({ length: rows * columns }, (_, index) => Math.cos(angle(index))),
    sin: Float64Array.from({ length: rows * columns }, (_, index) => Math.sin(angle(index))),
  };
}

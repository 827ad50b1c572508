/** One step of the transform: each of `stride` transforms of `length` becomes `radix` shorter ones. */
interface Stage {
  readonly radix: number;
  readonly length: number;
  readonly stride: number;
  readonly cos: Float64Array;
  readonly sin: Float64Array;
  readonly twiddleCos: Float64Array;
  readonly twiddleSin: Float64Array;
}

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
  #re: Float64Array;
  #im: Float64Array;
  #nextRe: Float64Array;
  #nextIm: Float64Array;

  constructor(length: number) {
    const half = length / 2;
    if (!Number.isInteger(half) || half < 1) throw new RangeError('the length of a frame must be even');
    this.#half = half;
    this.#stages = stagesOf(half);
    this.powers = new Float64Array(half + 1);
    [this.#re, this.#im, this.#nextRe, this.#nextIm] = [0, 1, 2, 3].map(() => new Float64Array(half)) as Buffers;
    this.#cos = Float64Array.from({ length: half + 1 }, (_, k) => Math.cos((2 * Math.PI * k) / length));
    this.#sin = Float64Array.from({ length: half + 1 }, (_, k) => -Math.sin((2 * Math.PI * k) / length));
  }

  /** Fills `powers` from the frame that begins at `offset`, each sample times its weight in `window`. */
  compute(samples: Float32Array | Float64Array, offset: number, window: Float64Array): void {
    const half = this.#half;
    const re = this.#re;
    const im = this.#im;
    for (let i = 0; i < half; i++) {
      re[i] = at(samples, offset + 2 * i) * at(window, 2 * i);
      im[i] = at(samples, offset + 2 * i + 1) * at(window, 2 * i + 1);
    }
    for (const stage of this.#stages) this.#split(stage);
    this.#unpack();
  }

  #split({ radix, length, stride, cos, sin, twiddleCos, twiddleSin }: Stage): void {
    const [re, im, nextRe, nextIm] = [this.#re, this.#im, this.#nextRe, this.#nextIm];
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
          const to = q + stride * (radix * p + j);
          nextRe[to] = sumRe * c - sumIm * s;
          nextIm[to] = sumRe * s + sumIm * c;
        }
      }
    }
    [this.#re, this.#im, this.#nextRe, this.#nextIm] = [nextRe, nextIm, re, im];
  }

  /** The spectrum of the real frame from that of its even samples as real and its odd ones as imaginary parts. */
  #unpack(): void {
    const half = this.#half;
    for (let k = 0; k <= half; k++) {
      const here = k % half;
      const there = (half - k) % half;
      const evenRe = (at(this.#re, here) + at(this.#re, there)) / 2;
      const evenIm = (at(this.#im, here) - at(this.#im, there)) / 2;
      const oddRe = (at(this.#im, here) + at(this.#im, there)) / 2;
      const oddIm = (at(this.#re, there) - at(this.#re, here)) / 2;
      const c = at(this.#cos, k);
      const s = at(this.#sin, k);
      const re = evenRe + oddRe * c - oddIm * s;
      const im = evenIm + oddRe * s + oddIm * c;
      this.powers[k] = re * re + im * im;
    }
  }
}

type Buffers = [Float64Array, Float64Array, Float64Array, Float64Array];

/** Indexes here are within bounds by construction. */
const at = (values: Float32Array | Float64Array, index: number): number => values[index] as number;

function stagesOf(length: number): Stage[] {
  const stages: Stage[] = [];
  let rest = length;
  for (let stride = 1; rest > 1; ) {
    const radix = [4, 2, 3, 5].find((candidate) => rest % candidate === 0) ?? rest;
    const dft = rotations(radix, radix, radix);
    const twiddle = rotations(rest / radix, radix, rest);
    stages.push({ radix, length: rest, stride, ...dft, twiddleCos: twiddle.cos, twiddleSin: twiddle.sin });
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

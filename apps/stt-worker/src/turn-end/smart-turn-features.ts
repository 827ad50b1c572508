import { INT16_SCALE, SPEECH_SAMPLE_RATE_HZ } from '@parley/audio';
import { PowerSpectrum } from './power-spectrum.ts';

/** The model hears the last eight seconds of a turn. */
export const SMART_TURN_SAMPLES = 8 * SPEECH_SAMPLE_RATE_HZ;
export const SMART_TURN_BANDS = 80;
export const SMART_TURN_FRAMES = 800;

const WINDOW_SAMPLES = 400;
const HOP_SAMPLES = 160;
const PADDING_SAMPLES = WINDOW_SAMPLES / 2;
const MAX_HZ = SPEECH_SAMPLE_RATE_HZ / 2;
const BIN_HZ = SPEECH_SAMPLE_RATE_HZ / WINDOW_SAMPLES;
const VARIANCE_FLOOR = 1e-7;
const ENERGY_FLOOR = 1e-10;
/** Decades below the loudest that still count. */
const RANGE = 8;

/**
 * The input of Smart Turn v3: Whisper's log-mel features of a window of eight seconds, row by row (band, then frame). The
 * numbers are those of the reference extractor to within 1e-5, and so depend on the order of its steps: normalisation over
 * the whole window, the silence in front included, before the spectrum. All memory is taken once, 2.6 MB.
 */
export class SmartTurnFeatures {
  /** Result of the last `compute`. */
  readonly values = new Float32Array(SMART_TURN_BANDS * SMART_TURN_FRAMES);
  readonly #padded = new Float32Array(SMART_TURN_SAMPLES + 2 * PADDING_SAMPLES);
  readonly #logs = new Float64Array(SMART_TURN_BANDS * SMART_TURN_FRAMES);
  readonly #spectrum = new PowerSpectrum(WINDOW_SAMPLES);
  readonly #window = Float64Array.from(
    { length: WINDOW_SAMPLES },
    (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / WINDOW_SAMPLES),
  );
  readonly #filters = melFilters();

  /** Of 16 kHz PCM: the last eight seconds of it, with silence in front where it is shorter. */
  compute(pcm: Int16Array): Float32Array {
    const samples = pcm.length > SMART_TURN_SAMPLES ? pcm.subarray(pcm.length - SMART_TURN_SAMPLES) : pcm;
    this.#normalise(samples);
    const top = this.#logMel(SMART_TURN_SAMPLES - samples.length);
    const least = top - RANGE;
    for (let i = 0; i < this.#logs.length; i++) this.values[i] = (Math.max(this.#logs[i] ?? 0, least) + 4) / 4;
    return this.values;
  }

  #normalise(samples: Int16Array): void {
    // Exact, as sums of whole numbers.
    let sum = 0;
    let squares = 0;
    for (let i = 0; i < samples.length; i++) {
      const sample = samples[i] ?? 0;
      sum += sample;
      squares += sample * sample;
    }
    const silentSamples = SMART_TURN_SAMPLES - samples.length;
    const mean = sum / INT16_SCALE / SMART_TURN_SAMPLES;
    const variance = squares / INT16_SCALE ** 2 / SMART_TURN_SAMPLES - mean * mean;
    const scale = 1 / Math.sqrt(variance + VARIANCE_FLOOR);
    const padded = this.#padded;
    const first = PADDING_SAMPLES + silentSamples;
    padded.fill(-mean * scale, PADDING_SAMPLES, first);
    for (let i = 0; i < samples.length; i++) padded[first + i] = ((samples[i] ?? 0) / INT16_SCALE - mean) * scale;
    const last = PADDING_SAMPLES + SMART_TURN_SAMPLES - 1;
    for (let i = 1; i <= PADDING_SAMPLES; i++) {
      padded[PADDING_SAMPLES - i] = padded[PADDING_SAMPLES + i] ?? 0;
      padded[last + i] = padded[last - i] ?? 0;
    }
  }

  /** Fills the logarithms and gives the largest. The frames that lie wholly in the silence in front are all equal. */
  #logMel(silentSamples: number): number {
    const silentFrames = Math.max(0, Math.floor((silentSamples - WINDOW_SAMPLES + PADDING_SAMPLES) / HOP_SAMPLES) + 1);
    let top = Number.NEGATIVE_INFINITY;
    for (let frame = 0; frame < SMART_TURN_FRAMES; frame++) {
      if (frame > 0 && frame < silentFrames) {
        for (let at = frame; at < this.#logs.length; at += SMART_TURN_FRAMES) this.#logs[at] = this.#logs[at - 1] ?? 0;
        continue;
      }
      this.#spectrum.compute(this.#padded, frame * HOP_SAMPLES, this.#window);
      for (let band = 0; band < SMART_TURN_BANDS; band++) {
        const log = Math.log10(Math.max(ENERGY_FLOOR, this.#energy(band)));
        this.#logs[band * SMART_TURN_FRAMES + frame] = log;
        if (log > top) top = log;
      }
    }
    return top;
  }

  #energy(band: number): number {
    const filter = this.#filters[band];
    if (filter === undefined) return 0;
    const { firstBin, weights } = filter;
    const { powers } = this.#spectrum;
    let energy = 0;
    for (let i = 0; i < weights.length; i++) energy += (weights[i] ?? 0) * (powers[firstBin + i] ?? 0);
    return energy;
  }
}

interface MelFilter {
  readonly firstBin: number;
  readonly weights: Float64Array;
}

/** Triangles over edges that are equally spaced on the Slaney scale, each of the same area; only bins above zero. */
function melFilters(): MelFilter[] {
  const topMel = hzToMel(MAX_HZ);
  const edges = Array.from({ length: SMART_TURN_BANDS + 2 }, (_, i) => melToHz((topMel * i) / (SMART_TURN_BANDS + 1)));
  return Array.from({ length: SMART_TURN_BANDS }, (_, band) => {
    const [left = 0, centre = 0, right = 0] = edges.slice(band, band + 3);
    const weightAt = (hz: number): number =>
      Math.max(0, Math.min((hz - left) / (centre - left), (right - hz) / (right - centre))) * (2 / (right - left));
    const firstBin = Math.ceil(left / BIN_HZ);
    const lastBin = Math.min(WINDOW_SAMPLES / 2, Math.floor(right / BIN_HZ));
    const weights = Float64Array.from({ length: lastBin - firstBin + 1 }, (_, i) => weightAt((firstBin + i) * BIN_HZ));
    return { firstBin, weights };
  });
}

const LINEAR_HZ = 1_000;
const LINEAR_MELS = 15;
const STEP = Math.log(6.4) / 27;

const hzToMel = (hz: number): number =>
  hz < LINEAR_HZ ? (3 * hz) / 200 : LINEAR_MELS + Math.log(hz / LINEAR_HZ) / STEP;
const melToHz = (mel: number): number =>
  mel < LINEAR_MELS ? (200 * mel) / 3 : LINEAR_HZ * Math.exp((mel - LINEAR_MELS) * STEP);

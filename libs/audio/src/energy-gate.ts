import { msToSamples, SPEECH_SAMPLE_RATE_HZ } from './format.ts';
import { rmsDbfs } from './level.ts';

export interface EnergyGateSettings {
  /** Below this nothing can be speech: the quietest speech that matters is well above. */
  readonly absoluteFloorDbfs: number;
  /** A frame passes when it is this much above the background. */
  readonly marginDb: number;
  /** The background is never taken to be louder than this, so that long loud speech cannot shut the gate. */
  readonly maxBackgroundDbfs: number;
  /** How fast the idea of the background follows a louder one. A softer one is followed at once. */
  readonly riseDbPerSecond: number;
  /** The gate stays open this long after the last frame that passed on its own: weak ends of words. */
  readonly holdMs: number;
  readonly sampleRateHz: number;
}

export const DEFAULT_ENERGY_GATE: EnergyGateSettings = {
  absoluteFloorDbfs: -72,
  marginDb: 4,
  maxBackgroundDbfs: -50,
  riseDbPerSecond: 3,
  holdMs: 500,
  sampleRateHz: SPEECH_SAMPLE_RATE_HZ,
};

/**
 * Tells clear silence from what a voice activity model must look at, for a hundredth of the model's cost. It errs towards
 * letting frames pass: what it holds back is at or below the background, or below anything audible.
 */
export class EnergyGate {
  readonly #settings: EnergyGateSettings;
  #backgroundDbfs: number;
  #holdSamples: number;

  /**
   * `backgroundDbfs` is what is known of the background already. The gate is open at first, since it may begin in the middle
   * of a word: for the hold time, or `openMs` where it is known to be a silence, which the model is to hear a little of.
   */
  constructor(
    settings: Partial<EnergyGateSettings> = {},
    {
      backgroundDbfs,
      openMs,
    }: { readonly backgroundDbfs?: number | undefined; readonly openMs?: number | undefined } = {},
  ) {
    this.#settings = { ...DEFAULT_ENERGY_GATE, ...settings };
    this.#backgroundDbfs = Math.max(backgroundDbfs ?? Number.NEGATIVE_INFINITY, this.#settings.absoluteFloorDbfs);
    this.#holdSamples = msToSamples(openMs ?? this.#settings.holdMs, this.#settings.sampleRateHz);
  }

  /** The level that the gate takes for silence at present. */
  get backgroundDbfs(): number {
    return this.#backgroundDbfs;
  }

  /** Whether the model has to look at this frame; `false` stands for a speech probability of 0. */
  passes(frame: Int16Array): boolean {
    const { absoluteFloorDbfs, marginDb, holdMs, sampleRateHz } = this.#settings;
    const levelDbfs = rmsDbfs(frame);
    // Where nothing is above the floor but speech, all of it passes.
    const isNoisy = this.#backgroundDbfs > absoluteFloorDbfs;
    const isLoud = levelDbfs > (isNoisy ? this.#backgroundDbfs + marginDb : absoluteFloorDbfs);
    this.#follow(levelDbfs, frame.length);
    if (isLoud) this.#holdSamples = msToSamples(holdMs, sampleRateHz);
    else this.#holdSamples = Math.max(0, this.#holdSamples - frame.length);
    return isLoud || this.#holdSamples > 0;
  }

  /** Keeps the gate open for another hold time: to be called while the model hears speech, however faint. */
  hold(): void {
    this.#holdSamples = msToSamples(this.#settings.holdMs, this.#settings.sampleRateHz);
  }

  #follow(levelDbfs: number, samples: number): void {
    const { absoluteFloorDbfs, maxBackgroundDbfs, riseDbPerSecond, sampleRateHz } = this.#settings;
    const risenDbfs = this.#backgroundDbfs + (riseDbPerSecond * samples) / sampleRateHz;
    const followedDbfs = Math.min(levelDbfs, risenDbfs);
    this.#backgroundDbfs = Math.max(absoluteFloorDbfs, Math.min(maxBackgroundDbfs, followedDbfs));
  }
}

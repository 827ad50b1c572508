import { rmsDbfs } from '@parley/audio';
import type { VadFrame, VadState } from '@parley/audio/vad';
import type { VoiceDetector } from './voice-detector.ts';

/** Speech is this much louder than the quietest of the last frames, and louder than the floor. */
const MARGIN_DB = 12;
const FLOOR_DBFS = -50;
/** How fast the background follows a louder one, per frame of 32 ms. */
const RISE_DB = 0.1;

/** Takes everything that is clearly louder than the background for speech: for machines without the model's runtime. */
export class EnergyDetector implements VoiceDetector {
  readonly #backgrounds = new WeakMap<VadState, number>();

  createState(): VadState {
    return Object.freeze({}) as VadState;
  }

  async run(batch: readonly VadFrame[]): Promise<number[]> {
    return batch.map(({ state, pcm }) => {
      const levelDbfs = rmsDbfs(pcm);
      const backgroundDbfs = Math.min(levelDbfs, (this.#backgrounds.get(state) ?? FLOOR_DBFS) + RISE_DB);
      this.#backgrounds.set(state, Math.max(backgroundDbfs, FLOOR_DBFS - MARGIN_DB));
      return levelDbfs > FLOOR_DBFS && levelDbfs > backgroundDbfs + MARGIN_DB ? 1 : 0;
    });
  }

  skip(): void {
    // Nothing is remembered of silence.
  }

  async close(): Promise<void> {
    // Nothing is held.
  }
}

import type { VadFrame, VadState } from '@parley/audio/vad';

/** Tells speech from everything else, for all sessions of a worker. The state of a session is its caller's. */
export interface VoiceDetector {
  createState(): VadState;
  /** Probabilities in the order of the batch. A session may be there several times, its frames in order. */
  run(batch: readonly VadFrame[]): Promise<number[]>;
  /** Takes note of a frame known to be silent. */
  skip(frame: VadFrame): void;
  close(): Promise<void>;
}

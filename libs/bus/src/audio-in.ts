import type { SessionId } from '@parley/protocol';

/** User audio of a session: 16 kHz mono PCM16, numbered by sample. */
export interface AudioIn {
  /**
   * Adds audio that ends before `endSample`, and drops what is more than `capSamples` older. `duplicate` means that
   * Redis already has that sample.
   */
  add(session: SessionId, endSample: number, pcm: Uint8Array, capSamples: number): Promise<'added' | 'duplicate'>;
  /** One blocking reader for all sessions that a worker hears. `gapSamples` is what is missing before the frames. */
  reader(
    workerId: string,
    onFrames: (session: SessionId, frames: AudioFrame[], gapSamples: number) => void,
  ): AudioReader;
}

export interface AudioFrame {
  readonly startSample: number;
  readonly pcm: Uint8Array;
}

export interface AudioReader {
  /** Reads a session from a sample on, at once; a second call moves the position. */
  add(session: SessionId, fromSample: number): void;
  /** No frame of the session is delivered after this returns. */
  remove(session: SessionId): void;
  readonly size: number;
  close(): Promise<void>;
}

/** Tells from the sound of a turn whether its speaker has finished. One judge serves all sessions of a worker. */
export interface SoundJudge {
  /** How much of a turn it listens to at most, from its end backwards. */
  readonly maxSamples: number;
  /**
   * Probability that the turn ends where this 16 kHz PCM does, after a short silence; undefined when that cannot be told, or
   * when the signal aborts before: nobody wants to know any more. Never rejects. The samples are the judge's from now on.
   */
  score(pcm: Int16Array, signal: AbortSignal): Promise<number | undefined>;
  close(): Promise<void>;
}

/** Tells from what was said whether it is a whole turn. Slower than rules and word models, and meant to know more. */
export interface WordsJudge {
  /**
   * Probability that a turn of this text is over, where its speaker has paused; undefined when that cannot be told, or when
   * the signal aborts before. Never rejects.
   */
  score(text: string, language: string, signal: AbortSignal): Promise<number | undefined>;
}

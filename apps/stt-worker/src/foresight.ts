/**
 * Words so likely to be whole are told as a plausible end before the pause is one: an answer to them is on its way when it
 * is. Where they are less so the wait is so long that there is time enough.
 */
export const FORESEEN_PROBABILITY = 0.8;
/** So often in an utterance: each time may be for nothing. */
const MAX_FORESEEN = 2;

/** Which plausible ends have been told of speech that had only just fallen silent. Pure; of one session. */
export class Foresight {
  #utterance: number | undefined;
  #count = 0;
  /** The text that was told and has not been taken back. */
  #told: string | undefined;
  /** What was understood of the segment when it was last looked at. */
  #seen = '';

  /**
   * Whether this is worth looking at: what is understood of a segment in a silence, at its first look or changed since, for
   * some recognisers have the last word only a moment later.
   */
  isNew(text: string, isFirstLook: boolean): boolean {
    const isNew = text !== '' && (isFirstLook || text !== this.#seen);
    this.#seen = text;
    return isNew;
  }

  /** Takes note of the text of an utterance if it is to be told as a plausible end, and says whether it is. */
  tells(utterance: number, text: string, probability: number, leastProbability: number): boolean {
    const count = this.#utterance === utterance ? this.#count : 0;
    if (count >= MAX_FORESEEN || probability < Math.max(FORESEEN_PROBABILITY, leastProbability)) return false;
    this.#utterance = utterance;
    this.#count = count + 1;
    this.#told = text;
    return true;
  }

  /** What has been told of this utterance and still stands; it does not afterwards. */
  take(utterance: number): string | undefined {
    const told = this.#utterance === utterance ? this.#told : undefined;
    this.#told = undefined;
    return told;
  }
}

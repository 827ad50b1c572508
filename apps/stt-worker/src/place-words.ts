import { MAX_SPOKEN_WORDS } from '@parley/protocol';
import type { SpokenWord } from './recognizer.ts';

/**
 * The words of a segment as a session's log has them: counted from the session's first sample, in order, none outside of
 * the stretch that the segment covers, and not too many. Undefined where the engine tells none.
 */
export function placeWords(
  words: readonly SpokenWord[],
  fromSample: number,
  toSample: number,
): SpokenWord[] | undefined {
  if (words.length === 0) return undefined;
  let atSample = fromSample;
  return words.slice(0, MAX_SPOKEN_WORDS).map(({ word, startSample, endSample, confidence }) => {
    const place = (sample: number): number =>
      Math.min(toSample, Math.max(atSample, fromSample + (Math.round(sample) || 0)));
    atSample = place(startSample);
    const placed = { word, startSample: atSample, endSample: place(endSample) };
    return confidence === undefined || Number.isNaN(confidence)
      ? placed
      : { ...placed, confidence: Math.min(1, Math.max(0, confidence)) };
  });
}

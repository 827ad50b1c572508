import { sentenceCompleteness } from '../src/turn-end/sentence-completeness.ts';
import { featuresOf, hashOf, modelText } from '../src/turn-end/word-features.ts';

/** Words up to some place in a turn, and whether the turn ended there. */
export interface Example {
  readonly features: Uint32Array;
  readonly isEnd: boolean;
  /** How much it counts. */
  readonly weight: number;
  /** Somebody paused here. */
  readonly isPause: boolean;
  /** Examples of one turn have the same. */
  readonly turn: number;
}

/** A stretch of a turn up to a pause, or up to where one may well be. */
export interface Stretch {
  readonly words: readonly string[];
  /** How much it counts that the turn went on afterwards. */
  readonly weight: number;
}

/** Between two words of a stretch hardly anybody pauses; that nothing ends there is known all the same. */
const BETWEEN_WORDS = 0.04;

/** Words without punctuation, which most recognisers do not write. */
export const plainWords = (text: string): string[] =>
  text
    .replace(/[^\p{L}\p{M}\p{N}'’\s-]/gu, ' ')
    .replaceAll('-', ' ')
    .split(/\s+/u)
    .filter((word) => /[\p{L}\p{N}]/u.test(word));

/** All places in a turn, of which only the last is its end. */
export function examplesOf(stretches: readonly Stretch[], language: string, turn: number, weight = 1): Example[] {
  const examples: Example[] = [];
  const said: string[] = [];
  stretches.forEach(({ words, weight: pauseWeight }, index) => {
    words.forEach((word, at) => {
      said.push(word);
      const isPause = at === words.length - 1;
      const isEnd = isPause && index === stretches.length - 1;
      const features = hashesOf(said.join(' '), language);
      const ofPlace = isEnd ? 1 : isPause ? pauseWeight : BETWEEN_WORDS;
      examples.push({ features, isEnd, weight: weight * ofPlace, isPause, turn });
    });
  });
  return examples;
}

/** A turn up to some place, as the listener would look at it. */
function hashesOf(said: string, language: string): Uint32Array {
  const text = modelText(said, language, sentenceCompleteness(said, language));
  if (text === undefined) throw new Error(`there are no rules for words of ${language}`);
  return Uint32Array.from(featuresOf(text), hashOf);
}

import { readFileSync } from 'node:fs';
import { plainWords, type Stretch } from './examples.ts';

/**
 * What everybody says all the time; other whole turns; turns with a pause where people make one, with one where a word is
 * looked for, with some inside of what is dictated.
 */
type UtteranceKind = 'common' | 'complete' | 'natural' | 'awkward' | 'number';

/** One line of a corpus: a turn with its pauses. */
export interface Utterance {
  readonly kind: UtteranceKind;
  /** With "|" at each pause. */
  readonly text: string;
}

/** "Yes" is one line, and said far more often than others. */
const SHORT_WEIGHT = 3;
const SHORT_WORDS = 2;
/** A pause that was made tells more than the end: there are fewer of them in the corpus than in speech. */
const PAUSE_WEIGHT = 1.3;

export const readUtterances = (file: string | URL): Utterance[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Utterance);

export const stretchesOf = ({ text }: Utterance): Stretch[] =>
  text
    .split('|')
    .map((part) => ({ words: plainWords(part), weight: PAUSE_WEIGHT }))
    .filter(({ words }) => words.length > 0);

export const weightOf = ({ kind, text }: Utterance): number =>
  kind === 'common' && plainWords(text).length <= SHORT_WORDS ? SHORT_WEIGHT : 1;

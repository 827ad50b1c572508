import { hintsFor } from './languages.ts';
import { listsOf, type WordLists, wordsOf } from './word-lists.ts';

/** A text as the model looks at it. */
export interface ModelText {
  /** The last words of the turn; every number is the same word, however it is written. */
  readonly words: readonly string[];
  readonly lists: WordLists;
  /** Probability by the rules that the turn is whole: to the model the name of the case they see. */
  readonly byRules: number;
}

/** What lies further back says nothing any more. */
const WINDOW = 20;
const MAX_LENGTH = 12;
const MAX_SHORT_LENGTH = 6;
const MAX_QUESTION_LENGTH = 8;
const MAX_RUN = 18;
const NUMBER = '#';
const NONE = '<';
const DIGITS = /^\p{N}+$/u;
const SPELLED = /^\p{L}$/u;

/** Undefined in a language that is not told by its words. */
export function modelText(text: string, language: string, byRules: number): ModelText | undefined {
  const hints = hintsFor(language);
  if (hints?.by !== 'words') return undefined;
  const lists = listsOf(hints);
  const words = wordsOf(text).map((word) => (DIGITS.test(word) || lists.numbers.has(word) ? NUMBER : word));
  return { words: words.slice(-WINDOW), lists, byRules };
}

/**
 * What may tell whether a text is whole: its last words and their endings, its first words, its length, how the last
 * question in it begins, how long the number is that it ends with, and what the rules say; each as a string of its own.
 */
export function featuresOf({ words, lists, byRules }: ModelText): string[] {
  const back = (n: number): string => words.at(-n) ?? NONE;
  const [a, b, c, d] = [back(1), back(2), back(3), back(4)];
  const [first, two, three] = [1, 2, 3].map((count) => words.slice(0, count).join(' '));
  const length = Math.min(words.length, MAX_LENGTH);
  const rules = byRules.toFixed(2);
  const features = [
    ...[`a ${a}`, `ba ${b} ${a}`, `cba ${c} ${b} ${a}`, `dcba ${d} ${c} ${b} ${a}`],
    ...[`b ${b}`, `c ${c}`, `cb ${c} ${b}`],
    ...[`a3 ${a.slice(-3)}`, `a2 ${a.slice(-2)}`, `ba3 ${b} ${a.slice(-3)}`, `ba2 ${b} ${a.slice(-2)}`],
    ...[`b2a2 ${b.slice(-2)} ${a.slice(-2)}`, `cb2a2 ${c} ${b.slice(-2)} ${a.slice(-2)}`],
    ...[`first ${first}`, `two ${two}`, `three ${three}`, `first-a ${first} ${a}`],
    ...[`n ${length}`, `first-n ${first} ${length}`, `two-n ${two} ${Math.min(length, MAX_SHORT_LENGTH)}`],
    ...[`r ${rules}`, `r-n ${rules} ${length}`, `r-first ${rules} ${first}`],
  ];
  const run = runLength(words);
  if (run > 0) features.push(`run ${run}`, `run-b ${run} ${back(run + 1)}`, `run-r ${run} ${rules}`);
  const asks = words.findLastIndex((word) => lists.questions.has(word) || lists.auxiliaries.has(word));
  const [before = NONE, asking, after = NONE] = [words[asks - 1], words[asks], words[asks + 1]];
  if (asking === undefined) return features;
  const asked = Math.min(MAX_QUESTION_LENGTH, words.length - asks);
  return [
    ...features,
    `q ${asking}`,
    `q-after ${asking} ${after}`,
    `q-n ${asking} ${asked}`,
    `q-b ${before} ${asking}`,
  ];
}

/** Numbers and single letters in a row at the end. */
function runLength(words: readonly string[]): number {
  const other = words.findLastIndex((word) => word !== NUMBER && !SPELLED.test(word));
  return Math.min(MAX_RUN, words.length - 1 - other);
}

const FNV_OFFSET = 2_166_136_261;
const FNV_PRIME = 16_777_619;

/** FNV-1a of a feature's UTF-16 code units, 32 bits: what it is known by in a model's file. */
export function hashOf(feature: string): number {
  let hash = FNV_OFFSET;
  for (let i = 0; i < feature.length; i++) hash = Math.imul(hash ^ feature.charCodeAt(i), FNV_PRIME);
  return hash >>> 0;
}

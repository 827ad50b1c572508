import { frontedClause, isEnumerating, withoutAside } from './clauses.ts';
import type { EndingHints, WordHints } from './language-hints.ts';
import { hintsFor } from './languages.ts';
import { endOfNumber } from './numbers.ts';
import { lastPhrase, listsOf, phraseAtStart, setOf, type WordLists, wordsOf } from './word-lists.ts';

/** What a text says about the end of a turn where nothing is known of its language. */
export const NEUTRAL = 0.5;

/** Probabilities that a turn ends here, by what the text ends with. */
const ENDS = {
  open: 0.04,
  filler: 0.05,
  fronted: 0.07,
  aside: 0.15,
  enumeration: 0.15,
  leaning: 0.15,
  noun: 0.37,
  longFronted: 0.39,
  either: 0.51,
  closed: 0.95,
} as const;

/** By what a number at the end is. */
const NUMBERS = { short: 0.35, open: 0.39, counted: 0.65, whole: 0.78 } as const;
/** A number that ends a request: "for seven". */
const COUNTED_REQUEST = 0.78;

/** A statement, by how many words there are; a single word may be the beginning of anything. Most may well go on. */
const STATEMENT = 0.72;
const BY_WORDS = [NEUTRAL, 0.6, 0.65, STATEMENT] as const;
/** "Tomorrow": short, and mostly an answer. */
const SHORT_ANSWER = 0.78;
const SHORT_ANSWER_WORDS = 2;
/** Who asks for something hands over the turn; who tells something may well go on. */
export const REQUEST = 0.92;
const REQUEST_WORDS = 3;
const QUESTION = 0.93;
const QUESTION_WORDS = 4;
/** "What time is it": what may be the end of anything is more likely that of a question. */
const SHORT_QUESTION = 0.78;
const SHORT_QUESTION_WORDS = 3;
/** Few words after an article or a possessive: a name of something, but no sentence. */
const BARE_NOUN = 0.51;
const BARE_NOUN_WORDS = 3;
/** A clause in front of so many words is one, of so many more may have its main clause, of yet more must have. */
const FRONTED_WORDS = 6;
const BARE_FRONTED_WORDS = 3;
const MORE_FRONTED_WORDS = 3;
/** Digits in a row that are dictated and not counted, and how many are a whole number, where endings alone are known. */
const DICTATED_DIGITS = 3;
const LONG_DIGITS = 9;

/**
 * How probable it is, by the rules of its language, that a turn which ends with this sentence is whole; 0.5 where there are
 * none. Looks at how the sentence ends and how it begins, and not at its punctuation; it is no grammar.
 */
export function sentenceCompleteness(sentence: string, language: string): number {
  const hints = hintsFor(language);
  if (hints === undefined) return NEUTRAL;
  return hints.by === 'words' ? endOfWords(sentence, hints) : endOfEndings(sentence, hints);
}

function endOfWords(text: string, hints: WordHints): number {
  const lists = listsOf(hints);
  const words = withoutOpening(wordsOf(text), lists);
  // "No", which stands before a noun too.
  if (words.length === 1 && lists.closed.has(words[0] ?? '')) return ENDS.closed;
  const kind = lastPhrase(words, [
    ...[lists.fillers, lists.open, lists.leaning, lists.either, lists.closed, lists.closing],
  ]);
  const number = endOfNumber(words, lists, kind !== undefined);
  // Several digits are digits, also where the last of them is an article or part of a phrase.
  if (number !== undefined && kind !== lists.fillers) {
    return number === 'counted' && probabilityOfAsking(words, lists) ? COUNTED_REQUEST : NUMBERS[number];
  }
  if (kind === lists.fillers) return ENDS.filler;
  if ((kind === lists.open || kind === lists.leaning) && !isNoun(words, lists)) return endInPhrase(words, kind, lists);
  const awaiting = withoutAside(words, lists);
  if (awaiting.length < words.length && lastPhrase(awaiting, [lists.open, lists.closed]) === lists.open) {
    return ENDS.aside;
  }
  const fronted = frontedClause(words, lists);
  if (fronted === undefined) return endOfClause(words, kind, lists);
  const { main, length, hasSubject } = fronted;
  // "Wenn es regnet, können wir": a main clause whose verb comes first is no question.
  const isTurned = lists.verbFinal.size > 0 && lists.auxiliaries.has(main?.[0] ?? '');
  if (main !== undefined) return endOfClause(isTurned ? main.slice(1) : main, kind, lists);
  if (!hasSubject) return ENDS.longFronted;
  // Where subjects are left out, a main clause is not seen, and may be there sooner.
  const least = lists.subjects.size > 0 ? FRONTED_WORDS : BARE_FRONTED_WORDS;
  if (length <= least) return ENDS.fronted;
  return length <= least + MORE_FRONTED_WORDS ? ENDS.longFronted : endOfClause(words, kind, lists);
}

/** "A book": what else wants an object is a noun after an article. */
const isNoun = (words: readonly string[], { verbs, determiners }: WordLists): boolean =>
  verbs.has(words.at(-1) ?? '') && determiners.has(words.at(-2) ?? '');

/** Something must follow the last words, or mostly does. */
function endInPhrase(words: readonly string[], kind: ReadonlySet<string>, lists: WordLists): number {
  const isOpenQuestion = words.length >= SHORT_QUESTION_WORDS && phraseAtStart(words, lists.openQuestions) > 0;
  // "How long does it take": the question word is its object.
  if (isOpenQuestion && lists.verbs.has(words.at(-1) ?? '')) return SHORT_QUESTION;
  // "Where are you from", but not "what is the name of".
  const isNounBefore = lists.determiners.has(words.at(-3) ?? '');
  if (isOpenQuestion && lists.strandable.has(words.at(-1) ?? '') && !isNounBefore) return ENDS.either;
  if (kind === lists.open) return ENDS.open;
  // "I know where the keys are": the verb of an indirect question may come last.
  const isIndirect = words.slice(1, -2).some((word) => lists.openQuestions.has(word));
  if (isIndirect && lists.auxiliaries.has(words.at(-1) ?? ''))
    return probabilityOfAsking(words, lists) ? SHORT_QUESTION : ENDS.either;
  // "Ich bleibe hier, weil ich müde bin": in some languages the verb comes last.
  const isVerbLast = words.slice(1, -2).some((word) => lists.verbFinal.has(word));
  if (isVerbLast && lists.auxiliaries.has(words.at(-1) ?? '')) return STATEMENT;
  // "Yes I am": a short answer.
  const isShort = words.length <= SHORT_QUESTION_WORDS && lists.open.has(words.at(-2) ?? '');
  if (!isShort) return ENDS.leaning;
  return lists.closed.has(words[0] ?? '') ? NUMBERS.counted : NEUTRAL;
}

/** A clause that nothing in its last words leaves open. */
function endOfClause(words: readonly string[], kind: ReadonlySet<string> | undefined, lists: WordLists): number {
  if (kind === lists.closed) return ENDS.closed;
  if (kind === lists.closing && words.length <= SHORT_ANSWER_WORDS) return SHORT_ANSWER;
  if (phraseAtStart(words, lists.firsts) > 0 && words.length <= FRONTED_WORDS) return ENDS.longFronted;
  const asking = probabilityOfAsking(words, lists);
  if (kind === lists.either) {
    // "A green" wants a noun, "is green" does not, and "turn it on" is a whole request.
    const before = words.at(-2) ?? '';
    if (lists.determiners.has(before)) return ENDS.noun;
    // "Is the sky blue": after a noun nothing more is expected of a question.
    const isDoubtful = asking === REQUEST || lists.open.has(before) || lists.leaning.has(before);
    if (words.length >= SHORT_QUESTION_WORDS && asking !== undefined && isDoubtful) return SHORT_QUESTION;
    if (lists.open.has(before) && !lists.verbs.has(before)) return ENDS.either;
  }
  if (words.length <= BARE_NOUN_WORDS && lists.determiners.has(words[0] ?? '')) return BARE_NOUN;
  if (asking !== QUESTION && isEnumerating(words, lists)) return ENDS.enumeration;
  return asking ?? BY_WORDS[Math.min(words.length, BY_WORDS.length - 1)] ?? NEUTRAL;
}

/** The probability of a question or a request that is long enough to be one. */
function probabilityOfAsking(words: readonly string[], lists: WordLists): number | undefined {
  if (words.length >= SHORT_QUESTION_WORDS && phraseAtStart(words, lists.questions) > 0) {
    return words.length >= QUESTION_WORDS ? QUESTION : SHORT_QUESTION;
  }
  return words.length >= REQUEST_WORDS && phraseAtStart(words, lists.requests) > 0 ? REQUEST : undefined;
}

function endOfEndings(text: string, { open, either, closed, digits }: EndingHints): number {
  const bare = text.replace(/[^\p{L}\p{N}\s]/gu, '').trim();
  const endings = [open, either, closed].map((list) => setOf(list));
  const [isOpen, isEither] = endings;
  const run = trailing(bare, digits);
  if (run >= DICTATED_DIGITS) return run >= LONG_DIGITS ? NUMBERS.counted : NUMBERS.open;
  const kind = longestEnding(bare, endings);
  if (kind === undefined) return BY_WORDS[Math.min(BY_WORDS.length - 1, Math.ceil(bare.length / 2))] ?? NEUTRAL;
  if (kind === isOpen) return ENDS.open;
  return kind === isEither ? ENDS.either : ENDS.closed;
}

function trailing(text: string, characters: string): number {
  let length = 0;
  for (const character of [...text].reverse()) {
    if (!characters.includes(character) && character !== ' ') break;
    if (character !== ' ') length += 1;
  }
  return length;
}

const LONGEST_ENDING = 8;

function longestEnding<T extends ReadonlySet<string>>(text: string, lists: readonly T[]): T | undefined {
  for (let length = Math.min(LONGEST_ENDING, text.length); length > 0; length--) {
    const found = lists.find((list) => list.has(text.slice(-length)));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Without the "well, yes, and" in front of what is said. */
function withoutOpening(words: readonly string[], lists: WordLists): readonly string[] {
  const { fillers, closed, coordinators, requests } = lists;
  const openings = [fillers, closed, coordinators];
  const first = words.findIndex((word) => requests.has(word) || !openings.some((list) => list.has(word)));
  return first > 0 && words.length - first >= REQUEST_WORDS ? words.slice(first) : words;
}

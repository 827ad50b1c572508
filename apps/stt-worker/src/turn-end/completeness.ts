import type { EndingHints, WordHints } from './language-hints.ts';
import { hintsFor } from './languages.ts';

/** What a text says about the end of a turn where nothing is known of its language. */
const NEUTRAL = 0.5;

/** Probabilities that a turn ends here, by what the text ends with. */
const ENDS = {
  open: 0.04,
  filler: 0.05,
  ellipsis: 0.08,
  comma: 0.12,
  leaning: 0.2,
  dictating: 0.45,
  subordinate: 0.4,
  either: 0.6,
  number: 0.75,
  closed: 0.95,
} as const;

/** The same where it ends with none of these, by how many words there are; a single word may be the beginning of anything. */
const BY_WORDS = [NEUTRAL, 0.7, 0.75, 0.78, 0.8] as const;
/** Who asks for something hands over the turn; who tells something may well go on. */
const REQUEST = 0.92;
const REQUEST_WORDS = 3;
const QUESTION = 0.93;
const QUESTION_WORDS = 4;
/** "What time is it": what may be the end of anything is more likely that of a question. */
const SHORT_QUESTION = 0.85;
const SHORT_QUESTION_WORDS = 3;
/** A full stop of an engine that writes them: some write one after every piece of sound, so it is not taken for granted. */
const FULL_STOP = 0.96;
const DOUBTFUL_STOP = 0.25;
/** The engine writes punctuation, and has written none here. */
const MISSING_STOP_FACTOR = 0.7;
/** Few words after an article or a possessive: a name of something, but no sentence. */
const BARE_NOUN = 0.6;
const BARE_NOUN_WORDS = 3;
/** A subordinate clause of so many words may well have had its main clause. */
const SUBORDINATE_WORDS = 7;
/** Digits in a row that are dictated and not counted, and how many make a short code or a whole number of a telephone. */
const DICTATED_DIGITS = 3;
const CODE_DIGITS = 4;
const LONG_DIGITS = 9;
const LONGEST_PHRASE = 4;

const ELLIPSIS = /(\.\.|…|⋯)["'”’»」』)\]\s]*$/u;
const COMMA = /[,;:،、，；：–—-]["'”’»」』)\]\s]*$/u;
const STOP = /[.!?。！？؟।｡]["'”’»」』)\]\s]*$/u;
const SENTENCE_BREAK = /(?<=[.!?؟।])\s+(?=\S)|(?<=[。！？｡])(?=\S)/u;
const ANY_STOP = /[.!?。！？؟।｡]/u;
const WORD = /[\p{L}\p{N}][\p{L}\p{N}\p{M}']*/gu;
const LETTER = /^\p{L}$/u;
const DIGITS = /^\p{N}+$/u;

/**
 * How probable it is, by its words alone, that what was said so far is a whole turn: 0 without words, 0.5 where nothing
 * is known. Looks at how the text ends, in the language of the tag; it is no grammar and needs none of the text before.
 */
export function textCompleteness(text: string, language: string): number {
  const trimmed = text.trim().normalize('NFC');
  if (!/[\p{L}\p{N}]/u.test(trimmed)) return 0;
  if (ELLIPSIS.test(trimmed)) return ENDS.ellipsis;
  if (COMMA.test(trimmed)) return ENDS.comma;
  const hints = hintsFor(language);
  const hasStop = STOP.test(trimmed);
  if (hints === undefined) return hasStop ? (NEUTRAL + FULL_STOP) / 2 : NEUTRAL;
  const sentence = trimmed.split(SENTENCE_BREAK).at(-1) ?? trimmed;
  const byWords = hints.by === 'words' ? endOfWords(sentence, hints) : endOfEndings(sentence, hints);
  if (hasStop) return byWords < NEUTRAL ? DOUBTFUL_STOP : Math.max(byWords, FULL_STOP);
  return ANY_STOP.test(trimmed) && byWords > NEUTRAL ? byWords * MISSING_STOP_FACTOR : byWords;
}

function endOfWords(text: string, hints: WordHints): number {
  const lists = listsOf(hints);
  const words = withoutOpening(wordsOf(text), [lists.fillers, lists.closed]);
  const has = (list: keyof typeof lists, word: string | undefined): boolean =>
    word !== undefined && lists[list].has(word);
  const kind = lastPhrase(words, [lists.fillers, lists.open, lists.leaning, lists.either, lists.closed]);
  const isQuestion = beginsWith(words, lists.questions);
  const isOpenQuestion = words.length >= QUESTION_WORDS && beginsWith(words, lists.openQuestions);
  const number = endOfNumber(words, lists, kind !== undefined);
  // Several digits are digits, also where the last of them is an article or part of a phrase.
  if (number !== undefined && kind !== lists.fillers) return number;
  switch (kind) {
    case lists.fillers:
      return ENDS.filler;
    case lists.open:
      return has('strandable', words.at(-1)) && isOpenQuestion ? ENDS.either : ENDS.open;
    case lists.leaning:
      if (has('strandable', words.at(-1)) && isOpenQuestion) return ENDS.either;
      // "Yes I am": a short answer.
      return words.length <= 3 && has('open', words.at(-2)) ? NEUTRAL : ENDS.leaning;
    default:
  }
  if (words.length < SUBORDINATE_WORDS && beginsWith(words, lists.subordinate) && !isQuestion) return ENDS.subordinate;
  if (kind === lists.closed) return ENDS.closed;
  const isRequest = words.length >= REQUEST_WORDS && beginsWith(words, lists.requests);
  if (kind === lists.either) {
    // "A green" wants a noun, "is green" does not, and "turn it on" is a whole request.
    if (has('open', words.at(-2))) return ENDS.either;
    if (words.length >= SHORT_QUESTION_WORDS && (isQuestion || isRequest)) return SHORT_QUESTION;
    if (!has('leaning', words.at(-2))) return ENDS.either;
  }
  if (words.length <= BARE_NOUN_WORDS && has('determiners', words[0])) return BARE_NOUN;
  if (isQuestion && words.length >= QUESTION_WORDS) return QUESTION;
  if (isRequest) return REQUEST;
  return BY_WORDS[Math.min(words.length, BY_WORDS.length - 1)] ?? NEUTRAL;
}

/** A number or a spelling at the end, which may go on. A single word may be another one too: "the green one". */
function endOfNumber(
  words: readonly string[],
  { numbers, dictated, codes }: Pick<WordLists, 'numbers' | 'dictated' | 'codes'>,
  isOtherWord: boolean,
): number | undefined {
  const isDigit = (word: string): boolean => DIGITS.test(word) || numbers.has(word);
  const before = words.findLastIndex((word) => !isDigit(word));
  const run = words.slice(before + 1);
  if (run.length === 0) {
    if (isOtherWord) return undefined;
    const spelled = words.slice(-2);
    return spelled.length === 2 && spelled.every((word) => LETTER.test(word)) ? ENDS.dictating : undefined;
  }
  const digits = run.reduce((sum, word) => sum + (DIGITS.test(word) ? word.length : 1), 0);
  const named = words.slice(Math.max(0, before - 3), before + 1);
  if (run.length === 1 && isOtherWord) return undefined;
  // A year or a price is written as one group.
  const isCounted = run.length === 1 && digits <= 4;
  const isNamed = named.some((word) => dictated.has(word));
  if (named.some((word) => codes.has(word))) return digits < CODE_DIGITS ? ENDS.dictating : ENDS.number;
  if (!isNamed && (isCounted || digits < DICTATED_DIGITS)) return ENDS.number;
  return digits >= LONG_DIGITS ? ENDS.number : ENDS.dictating;
}

function endOfEndings(text: string, { open, either, closed, digits }: EndingHints): number {
  const bare = text.replace(/[^\p{L}\p{N}\s]/gu, '').trim();
  const endings = [open, either, closed].map((list) => setOf(list));
  const [isOpen, isEither] = endings;
  const run = trailing(bare, digits);
  if (run >= DICTATED_DIGITS) return run >= LONG_DIGITS ? ENDS.number : ENDS.dictating;
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

const wordsOf = (text: string): string[] =>
  (text.toLowerCase().replace(/[’ʼ]/g, "'").match(WORD) ?? []).map((word) => word.replace(/(?<=..)'+$/u, ''));

/** The list that holds the longest phrase with which the words end. */
function lastPhrase<T extends ReadonlySet<string>>(words: readonly string[], lists: readonly T[]): T | undefined {
  for (let length = Math.min(LONGEST_PHRASE, words.length); length > 0; length--) {
    const phrase = words.slice(-length).join(' ');
    const found = lists.find((list) => list.has(phrase));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Without the "well, yes" in front of what is said. */
function withoutOpening(words: readonly string[], lists: readonly ReadonlySet<string>[]): readonly string[] {
  const first = words.findIndex((word) => !lists.some((list) => list.has(word)));
  return first > 0 && words.length - first >= QUESTION_WORDS ? words.slice(first) : words;
}

const beginsWith = (words: readonly string[], list: ReadonlySet<string>): boolean =>
  [1, 2, 3].some((length) => list.has(words.slice(0, length).join(' ')));

type WordLists = Record<Exclude<keyof WordHints, 'by'>, ReadonlySet<string>>;

const listsByHints = new WeakMap<WordHints, WordLists>();

/** The lists as sets, made once for each language. */
function listsOf(hints: WordHints): WordLists {
  const known = listsByHints.get(hints);
  if (known !== undefined) return known;
  const { open, leaning, either, fillers, closed, questions, strandable = '', openQuestions = '' } = hints;
  const { requests, subordinate, determiners, numbers, dictated, codes } = hints;
  const made: WordLists = {
    ...{ open: setOf(open), leaning: setOf(leaning), either: setOf(either), fillers: setOf(fillers) },
    ...{ closed: setOf(closed), questions: setOf(questions), strandable: setOf(strandable) },
    ...{ openQuestions: setOf(openQuestions), requests: setOf(requests), subordinate: setOf(subordinate) },
    ...{ determiners: setOf(determiners), numbers: setOf(numbers), dictated: setOf(dictated), codes: setOf(codes) },
  };
  listsByHints.set(hints, made);
  return made;
}

const sets = new Map<string, ReadonlySet<string>>();

/** The entries of a list; a hyphen stands for a space. */
function setOf(list: string): ReadonlySet<string> {
  const known = sets.get(list);
  if (known !== undefined) return known;
  const made = new Set(list.split(' ').map((entry) => entry.replaceAll('-', ' ')));
  sets.set(list, made);
  return made;
}

import type { WordLists } from './word-lists.ts';

/** What a number at the end says: more of it must come, may come, or probably does not. */
export type NumberEnd = 'short' | 'open' | 'counted' | 'whole';

const DIGITS = /^\p{N}+$/u;
const LETTER = /^\p{L}$/u;
/** How far back the name of what is dictated is looked for. */
const NAME_WORDS = 5;
/** A telephone number has so many digits, with its area code; without one it is between these. */
const TELEPHONE_DIGITS = 10;
const LOCAL_DIGITS = 7;
/** A code, the end of a card. */
const CODE_DIGITS = 4;
/** Of a number of which only the name is known, at least so many. */
const NAMED_DIGITS = 4;
/** A year or a price is written as one group. */
const GROUP_DIGITS = 4;
const LONG_DIGITS = 9;

/**
 * Judges a number or a spelling at the end of a text by how long such a thing is. Undefined where there is none; a single
 * word that may be another one too is none ("the green one").
 */
export function endOfNumber(words: readonly string[], lists: WordLists, isOtherWord: boolean): NumberEnd | undefined {
  const run = trailingNumber(words, lists);
  if (run.length === 0) return isOtherWord ? undefined : (endOfSpelling(words) ?? endOfDate(words, lists));
  const before = words.slice(0, words.length - run.length);
  const name = before.slice(-NAME_WORDS);
  const isNamed = (list: ReadonlySet<string>): boolean => name.some((word) => list.has(word));
  const digits = run.reduce((sum, word) => sum + (DIGITS.test(word) ? word.length : 1), 0);
  if (isNamed(lists.codes)) return digits < CODE_DIGITS ? 'short' : 'whole';
  if (run.length === 1 && isOtherWord) return undefined;
  if (isNamed(lists.telephones)) {
    if (digits >= TELEPHONE_DIGITS) return 'whole';
    return digits < LOCAL_DIGITS ? 'short' : 'open';
  }
  if (isNamed(lists.dictated)) return digits < NAMED_DIGITS ? 'short' : digits < LONG_DIGITS ? 'open' : 'whole';
  // "Two hundred" of something, and how many more.
  if (lists.multipliers.has(run.at(-1) ?? '')) return 'open';
  if (run.length === 1) return digits <= GROUP_DIGITS ? 'counted' : 'open';
  // "Five five" is dictated, "twenty five" counted.
  const isDigit = (word: string | undefined): boolean =>
    word !== undefined && (lists.digits.has(word) || /^\p{N}$/u.test(word));
  if (!run.some((word, index) => isDigit(word) && isDigit(run[index + 1]))) return 'counted';
  return digits >= LONG_DIGITS ? 'whole' : 'open';
}

/** The numbers at the end; between digits a word that sounds like one is one ("four" and "for"). */
function trailingNumber(words: readonly string[], { numbers, digits, homophones }: WordLists): readonly string[] {
  const isNumber = (word: string | undefined): boolean =>
    word !== undefined && (DIGITS.test(word) || numbers.has(word));
  let from = words.length;
  while (from > 0) {
    const word = words[from - 1] ?? '';
    const isMisheard = homophones.has(word) && [2, 3].every((back) => digits.has(words[from - back] ?? ''));
    if (!isNumber(word) && !isMisheard) break;
    from -= 1;
  }
  return words.slice(from);
}

function endOfSpelling(words: readonly string[]): NumberEnd | undefined {
  const spelled = words.slice(-2);
  return spelled.length === 2 && spelled.every((word) => LETTER.test(word)) ? 'open' : undefined;
}

/** A day and a month, of something that wants a year. */
function endOfDate(words: readonly string[], { months, births }: WordLists): NumberEnd | undefined {
  if (!months.has(words.at(-1) ?? '')) return undefined;
  return words.some((word) => births.has(word)) ? 'short' : undefined;
}

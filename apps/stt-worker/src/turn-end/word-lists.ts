import type { WordHints, Words } from './language-hints.ts';

/** The lists of a language as sets. */
export type WordLists = Readonly<Record<Exclude<keyof WordHints, 'by'>, ReadonlySet<string>>>;

const EMPTY: Readonly<Record<keyof WordLists, Words>> = {
  ...{
    open: '',
    leaning: '',
    verbs: '',
    either: '',
    fillers: '',
    closed: '',
    closing: '',
    questions: '',
    strandable: '',
  },
  ...{
    openQuestions: '',
    requests: '',
    coordinators: '',
    subordinate: '',
    firsts: '',
    inverting: '',
    auxiliaries: '',
    verbFinal: '',
    relatives: '',
  },
  ...{
    subjects: '',
    asides: '',
    conditions: '',
    politeness: '',
    determiners: '',
    plurals: '',
    numbers: '',
    digits: '',
  },
  ...{ multipliers: '', homophones: '', dictated: '', telephones: '', codes: '', months: '', births: '' },
};
const LONGEST_PHRASE = 4;
const WORD = /[\p{L}\p{N}][\p{L}\p{N}\p{M}']*/gu;

const listsByHints = new WeakMap<WordHints, WordLists>();

/** The lists as sets, made once for each language. */
export function listsOf(hints: WordHints): WordLists {
  const known = listsByHints.get(hints);
  if (known !== undefined) return known;
  const { by: _, ...lists } = { ...EMPTY, ...hints };
  const made = Object.fromEntries(Object.entries(lists).map(([name, list]) => [name, setOf(list)])) as WordLists;
  listsByHints.set(hints, made);
  return made;
}

const sets = new Map<Words, ReadonlySet<string>>();

/** The entries of a list; a hyphen stands for a space. */
export function setOf(list: Words): ReadonlySet<string> {
  const known = sets.get(list);
  if (known !== undefined) return known;
  const entries = list.split(' ').filter((entry) => entry !== '');
  const made = new Set(entries.map((entry) => entry.replaceAll('-', ' ')));
  sets.set(list, made);
  return made;
}

/** A text as words in lower case, without punctuation. */
export const wordsOf = (text: string): string[] =>
  (text.toLowerCase().replace(/[’ʼ]/g, "'").match(WORD) ?? []).map((word) => word.replace(/(?<=..)'+$/u, ''));

/** The list that holds the longest phrase with which the words end. */
export function lastPhrase<T extends ReadonlySet<string>>(
  words: readonly string[],
  lists: readonly T[],
): T | undefined {
  for (let length = Math.min(LONGEST_PHRASE, words.length); length > 0; length--) {
    const phrase = words.slice(-length).join(' ');
    const found = lists.find((list) => list.has(phrase));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** How many words the longest phrase of the list has with which the words begin; 0 if none. */
export function phraseAtStart(words: readonly string[], list: ReadonlySet<string>): number {
  for (let length = Math.min(LONGEST_PHRASE, words.length); length > 0; length--) {
    if (list.has(words.slice(0, length).join(' '))) return length;
  }
  return 0;
}

/** How many words the longest phrase of the list has with which the words end; 0 if none. */
export function phraseAtEnd(words: readonly string[], list: ReadonlySet<string>): number {
  for (let length = Math.min(LONGEST_PHRASE, words.length); length > 0; length--) {
    if (list.has(words.slice(-length).join(' '))) return length;
  }
  return 0;
}

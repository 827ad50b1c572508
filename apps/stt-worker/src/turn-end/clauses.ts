import { phraseAtEnd, phraseAtStart, type WordLists } from './word-lists.ts';

/** What is said about a text that begins with a clause which another must follow. */
export interface FrontedClause {
  /** The other clause, as far as it has been said; undefined where there is none yet. */
  readonly main: readonly string[] | undefined;
  /** Words of the clause in front, without its conjunction. */
  readonly length: number;
  /** It has somebody who does something: "after lunch" has not, and may be an answer. */
  readonly hasSubject: boolean;
}

/** A clause has a subject and a verb. */
const LEAST_CLAUSE_WORDS = 2;
/** Between the finite verbs of two clauses there is more than this. */
const VERBS_APART = 2;

/**
 * "When the meeting is over": a subordinate clause in front, which is nothing without the one it belongs to. A question that
 * begins with the same word is told by its verb in second place ("when is the meeting over"). The main clause is found by
 * a second subject, a request, or a second finite verb, none of which continues what stands before it.
 */
export function frontedClause(words: readonly string[], lists: WordLists): FrontedClause | undefined {
  const conjunction = phraseAtStart(words, lists.subordinate);
  const rest = words.slice(conjunction);
  if (conjunction === 0 || isQuestion(words, lists)) return undefined;
  const isSubject = (word: string | undefined): boolean => word !== undefined && lists.subjects.has(word);
  const isVerb = (word: string | undefined): boolean => word !== undefined && lists.auxiliaries.has(word);
  const hasSubject =
    lists.subjects.size === 0 ||
    isSubject(rest[0]) ||
    lists.either.has(rest[0] ?? '') ||
    rest.some(isVerb) ||
    rest.length > LEAST_CLAUSE_WORDS;
  const firstVerb = rest.findIndex(isVerb);
  const begins = (at: number): boolean => {
    const [before, word, after] = [rest[at - 1] ?? '', rest[at] ?? '', rest[at + 1]];
    // What stands after a conjunction or a subject goes on with it, and so does what is no subject after a preposition.
    const joins = lists.relatives.size > 0 ? lists.relatives : lists.open;
    const isJoined =
      [joins, lists.coordinators, lists.subordinate].some((list) => list.has(before)) || isSubject(before);
    if (isSubject(word)) return !isJoined;
    if (isJoined || lists.open.has(before)) return false;
    if (isVerb(before)) return false;
    if (lists.requests.has(word)) return true;
    if (isVerb(after) && lists.either.has(word)) return true;
    // "The rules the game": one noun has its article already, the next begins something.
    const beforeLast = rest[at - 2] ?? '';
    if (lists.determiners.has(word) && lists.open.has(beforeLast) && !isSubject(beforeLast)) return true;
    return isVerb(word) && (isSubject(after) || (firstVerb >= 0 && at - firstVerb > VERBS_APART));
  };
  // Of "after lunch" nothing but the noun comes before the main clause.
  const least = isSubject(rest[0]) || lists.open.has(rest[0] ?? '') ? LEAST_CLAUSE_WORDS : 1;
  const at = rest.findIndex((_, index) => index >= least && begins(index));
  return { main: at < 0 ? undefined : rest.slice(at), length: rest.length, hasSubject };
}

/** "When is it", where "when it is" is none; where a language does not turn the words round, there is no telling. */
function isQuestion(words: readonly string[], { inverting, questions, auxiliaries, subjects }: WordLists): boolean {
  const [first = '', second = ''] = words;
  return inverting.has(first) ? auxiliaries.has(second) : questions.has(first) && !subjects.has(second);
}

/** Without what is put in between ("please", "if you don't mind"), where something must follow what stands before it. */
export function withoutAside(words: readonly string[], lists: WordLists): readonly string[] {
  const aside = phraseAtEnd(words, lists.asides);
  if (aside > 0) return words.slice(0, -aside);
  if (!lists.politeness.has(words.at(-1) ?? '')) return words;
  const condition = words.findLastIndex((word) => lists.conditions.has(word));
  return condition < 0 ? words : words.slice(0, condition);
}

/**
 * "Some bread, some butter": items that begin alike, or two plurals in a row, without the "and" before the last. Languages
 * whose plurals do not end in s are told by the articles alone.
 */
export function isEnumerating(words: readonly string[], lists: WordLists): boolean {
  const last = words.findLastIndex((word) => lists.determiners.has(word));
  const determiner = words[last];
  if (determiner !== undefined && words.length - last >= 2 && words.length - last <= 4) {
    const before = words.lastIndexOf(determiner, last - 1);
    const item = before < 0 ? [] : words.slice(before + 1, last);
    const isItem = item.length >= 1 && item.length <= 3;
    return isItem && item.every((word) => !isGrammar(word, lists));
  }
  const [first = '', second = ''] = words.slice(-2);
  return isPlural(first, lists) && isPlural(second, lists);
}

const isGrammar = (word: string, lists: WordLists): boolean =>
  lists.open.has(word) || lists.leaning.has(word) || lists.either.has(word) || lists.auxiliaries.has(word);

/** Not "bus", "this" or "glass". */
const NO_PLURAL = /[ius]s$/u;
const LEAST_PLURAL_LETTERS = 4;

function isPlural(word: string, lists: WordLists): boolean {
  const hasEnding = [...lists.plurals].some((ending) => word.endsWith(ending));
  if (!hasEnding || word.length < LEAST_PLURAL_LETTERS || NO_PLURAL.test(word)) return false;
  return !isGrammar(word, lists) && !lists.closed.has(word) && !lists.closing.has(word) && !lists.numbers.has(word);
}

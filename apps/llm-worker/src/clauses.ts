import { primaryLanguage } from '@parley/protocol';

/**
 * When a clause of a given number may end. Lengths are counted in letters as they are heard: a Chinese, Japanese or
 * Korean character takes about as long to say as three Latin ones.
 */
interface ClauseLimits {
  /** A sentence end closes the clause from this length on; shorter sentences are joined with the next. */
  readonly sentenceMin: number;
  /** A comma or the like closes the clause from this length on. */
  readonly commaMin: number;
  /** Beyond this length the clause is cut at its last sentence end, comma or word. */
  readonly max: number;
}

/** The first clause comes early, so that the voice starts; later ones are longer, so that it sounds natural. */
const LIMITS: readonly [ClauseLimits, ...ClauseLimits[]] = [
  { sentenceMin: 1, commaMin: 10, max: 60 },
  { sentenceMin: 20, commaMin: 60, max: 140 },
  { sentenceMin: 60, commaMin: Number.POSITIVE_INFINITY, max: 200 },
  { sentenceMin: 120, commaMin: Number.POSITIVE_INFINITY, max: 200 },
];

/** Characters before a boundary that decide about it. */
const CONTEXT_CHARS = 80;

const SPOKEN = /[\p{L}\p{N}]/u;
const WIDE = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u;
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;
const CLOSER = /[\p{Pe}\p{Pf}"'”’»*]/u;
const CLOSERS_AT_END = /[\p{Pe}\p{Pf}"'”’»*]+$/u;
const OPENER = /[\p{Ps}\p{Pi}"'¿¡«„]/u;
const SENTENCE_MARK = /[\p{Sentence_Terminal}…]/u;
/** Marks that also stand inside numbers, names and addresses: an end only before white space. */
const ASCII_MARK = /[.!?…,;:–]/;
const COMMA_MARK = /[,;:،؛、，；：—–]/;

/** Abbreviations that are followed by more of the sentence, whatever comes next. */
const ABBREVIATIONS = new Set(
  (
    'mr mrs ms dr prof st sr jr vs gen col capt lt sgt rev hon pres gov sen rep mt ft e.g i.e cf viz approx dept ' +
    'hr fr nr bzw ca z.b d.h u.a o.ä ggf evtl usw str abs inkl bspw sog vgl ' +
    'm mm mme mlle ud uds sra srta dña ej pág av sig dott ing ' +
    'т.е т.д т.п г ул им см напр'
  ).split(' '),
);
/** Abbreviations only before a number. */
const BEFORE_NUMBER = new Set(['no', 'nos', 'fig', 'figs', 'p', 'pp', 'vol', 'ch', 'sec', 'art', 'núm', 'n']);
/** Languages that write ordinals as a number and a full stop. */
const ORDINAL_DOT = new Set([
  'de',
  'da',
  'nb',
  'nn',
  'no',
  'fi',
  'cs',
  'sk',
  'hu',
  'pl',
  'et',
  'lv',
  'hr',
  'sl',
  'is',
  'tr',
  'eu',
]);

type Boundary = 'line' | 'sentence' | 'comma' | undefined;

/**
 * Cuts speakable text into clauses, the smallest pieces worth speaking, as it grows. A clause keeps the white space at
 * its end, so that the clauses joined are the text; only a rest without a letter or digit at the very end is left out.
 * None is empty or mere punctuation. What is decided depends on the characters alone, never on the pieces in which they
 * come, and a splitter that starts at clause n behaves like one that has given n clauses.
 */
export class ClauseSplitter {
  readonly #language: string;
  readonly #sentences: Intl.Segmenter;
  #next: number;
  #pending = '';
  #pendingLength = 0;
  /** Ends of whole sentences and of parts of sentences in `#pending`, 0 for none. */
  #sentenceEnd = 0;
  #commaEnd = 0;
  /** `#pending` has a letter or a digit. */
  #isSpoken = false;

  constructor(language: string, { firstClause = 0 }: { firstClause?: number } = {}) {
    this.#language = baseLanguage(language);
    this.#sentences = new Intl.Segmenter(this.#language, { granularity: 'sentence' });
    this.#next = firstClause;
  }

  /** Takes the next piece of the text and gives the clauses that are complete by it. */
  push(text: string): string[] {
    const clauses: string[] = [];
    for (const character of text) this.#accept(character, clauses);
    return clauses;
  }

  /** Gives what has come so far as a clause, if there is anything to say in it: the text goes on only after a while. */
  pause(): string[] {
    const clauses: string[] = [];
    if (this.#isSpoken) this.#emit(this.#pending.length, clauses);
    return clauses;
  }

  /** Gives the last clause, if anything is left to say. */
  flush(): string[] {
    const rest = this.#pending.trimEnd();
    this.#pending = '';
    if (!this.#isSpoken) return [];
    this.#next += 1;
    return [rest];
  }

  #accept(character: string, clauses: string[]): void {
    if (this.#pending !== '' && !/\s/.test(character)) this.#mark(this.#boundaryBefore(character), clauses);
    this.#pending += character;
    this.#isSpoken ||= SPOKEN.test(character);
    this.#pendingLength += WIDE.test(character) ? 3 : 1;
    if (this.#isSpoken && this.#pendingLength > this.#limits.max) this.#cutLong(clauses);
  }

  get #limits(): ClauseLimits {
    return LIMITS[Math.min(this.#next, LIMITS.length - 1)] ?? LIMITS[0];
  }

  /** Ends the clause at a boundary if it is long enough for one of that kind, else remembers the place. */
  #mark(boundary: Boundary, clauses: string[]): void {
    if (boundary === undefined || !this.#isSpoken) return;
    const { sentenceMin, commaMin } = this.#limits;
    const enough = boundary === 'line' ? 0 : boundary === 'sentence' ? sentenceMin : commaMin;
    if (this.#pendingLength >= enough) this.#emit(this.#pending.length, clauses);
    else if (boundary === 'comma') this.#commaEnd = this.#pending.length;
    else this.#sentenceEnd = this.#pending.length;
  }

  #emit(end: number, clauses: string[]): void {
    const clause = this.#pending.slice(0, end);
    const rest = this.#pending.slice(end);
    clauses.push(clause);
    this.#next += 1;
    this.#pending = '';
    this.#isSpoken = false;
    this.#pendingLength = 0;
    this.#sentenceEnd = 0;
    this.#commaEnd = 0;
    for (const character of rest) this.#accept(character, clauses);
  }

  #cutLong(clauses: string[]): void {
    const comma = this.#commaEnd > this.#pending.length / 3 ? this.#commaEnd : 0;
    const end = this.#sentenceEnd || comma || lastWordStart(this.#pending, this.#language);
    if (end > 0 && SPOKEN.test(this.#pending.slice(0, end))) this.#emit(end, clauses);
  }

  #boundaryBefore(character: string): Boundary {
    const before = this.#pending.slice(-CONTEXT_CHARS);
    if (/[\p{L}\p{N}]$/u.test(before)) return undefined;
    const body = before.trimEnd();
    const gap = before.slice(body.length);
    if (gap.includes('\n')) return 'line';
    if (gap === '' && (CLOSER.test(character) || SENTENCE_MARK.test(character) || COMMA_MARK.test(character)))
      return undefined;
    const core = body.replace(CLOSERS_AT_END, '');
    const mark = core.slice(-1);
    if (gap === '' && ASCII_MARK.test(mark) && !UNSPACED.test(character)) return undefined;
    if (SENTENCE_MARK.test(mark)) return this.#isSentenceEnd(core, before, character) ? 'sentence' : undefined;
    return COMMA_MARK.test(mark) && !(mark === '–' && gap === '') ? 'comma' : undefined;
  }

  #isSentenceEnd(core: string, before: string, character: string): boolean {
    if (core.endsWith('.') && this.#isAbbreviation(core, character)) return false;
    if (!/\s$/.test(before)) {
      // Without a space: a quotation is mostly part of a sentence that goes on, and an opening mark begins the next.
      if (!before.endsWith(core)) return false;
      if (OPENER.test(character)) return true;
    }
    // Unicode's rules do not count an ellipsis as the end of a sentence, even where the next begins in upper case.
    if (core.endsWith('…')) return !/\p{Ll}/u.test(character);
    return this.#sentences.segment(before + character).containing(before.length)?.index === before.length;
  }

  /** Whether the full stop at the end of `text` belongs to an abbreviation, an initial, an ordinal or a list's number. */
  #isAbbreviation(text: string, next: string): boolean {
    const line = text.slice(text.lastIndexOf('\n') + 1);
    if (/^\s*\d{1,3}\.$/.test(line)) return true;
    const word = /([\p{L}\p{N}.]+)\.$/u.exec(text)?.[1] ?? '';
    const lower = word.toLowerCase();
    if (ABBREVIATIONS.has(lower)) return true;
    if (BEFORE_NUMBER.has(lower)) return /\p{N}/u.test(next);
    if (/^\d{1,2}$/.test(word)) return ORDINAL_DOT.has(this.#language);
    // An initial: one capital letter, but "So do I." ends a sentence.
    return /^\p{Lu}$/u.test(word) && word !== 'I' && /\p{Lu}/u.test(next);
  }
}

/** Clauses of a whole text. */
export function splitClauses(text: string, language: string): string[] {
  const splitter = new ClauseSplitter(language);
  return [...splitter.push(text), ...splitter.flush()];
}

/** The tag's language alone, or English where the platform does not know it. */
function baseLanguage(tag: string): string {
  const language = primaryLanguage(tag);
  try {
    return Intl.Segmenter.supportedLocalesOf(language).length > 0 ? language : 'en';
  } catch {
    return 'en';
  }
}

/** Where the last word of a text begins, its opening quotation mark or bracket included; 0 for a single word. */
function lastWordStart(text: string, language: string): number {
  const space = /\s(?=\S*$)/.exec(text);
  if (space && !UNSPACED.test(text.slice(space.index))) return space.index + 1;
  let start = 0;
  for (const segment of new Intl.Segmenter(language, { granularity: 'word' }).segment(text)) {
    if (segment.isWordLike === true) start = segment.index;
  }
  while (start > 0 && OPENER.test(text[start - 1] ?? '')) start -= 1;
  if (start > 0) return start;
  for (const { index } of new Intl.Segmenter(language).segment(text)) start = index;
  return start;
}

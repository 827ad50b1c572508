import { evaluate } from 'mathjs/number';
import { numberToWords, readNumber } from './number-words.ts';

/** Terms of one calculation; a longer one is not a question that somebody asks aloud. */
const MAX_TERMS = 24;

/** How an operation is said, as written for the evaluator, and as repeated in the answer. */
const OPERATIONS: readonly (readonly [said: string, written: string, repeated: string])[] = [
  ['to the power of', '^', 'to the power of'],
  ['the square root of', 'sqrt ', 'the square root of'],
  ['square root of', 'sqrt ', 'the square root of'],
  ['multiplied by', '*', 'times'],
  ['divided by', '/', 'divided by'],
  ['percent of', '/100*', 'percent of'],
  ['half of', '1/2*', 'half of'],
  ['squared', '^2', 'squared'],
  ['cubed', '^3', 'cubed'],
  ['plus', '+', 'plus'],
  ['minus', '-', 'minus'],
  ['times', '*', 'times'],
  ['over', '/', 'divided by'],
  ['+', '+', 'plus'],
  ['-', '-', 'minus'],
  ['*', '*', 'times'],
  ['x', '*', 'times'],
  ['/', '/', 'divided by'],
  ['^', '^', 'to the power of'],
];

interface Term {
  readonly written: string;
  readonly said: string;
  readonly isNumber: boolean;
}

/** Works out a calculation found in what was said, as a sentence; undefined if there is none. */
export function answerArithmetic(text: string): string | undefined {
  const isQuestion = /^(?:how much|how many|what|what's|add|and)\b/.test(text);
  const words = text
    .replace(/(\d),(?=\d{3}\b)/g, '$1')
    .replace(/([+*/^×÷]|(?<=\d)\s*-\s*(?=\d))/g, ' $1 ')
    .replace(/×/g, '*')
    .replace(/÷/g, '/')
    .split(/\s+/)
    .filter((word) => word !== '');
  const terms = longestRun(words, isQuestion);
  if (terms.length < 2 || terms.length > MAX_TERMS || terms.every(({ isNumber }) => isNumber)) return undefined;
  const result = evaluateTerms(terms);
  if (result === undefined) return undefined;
  const said = terms.map((term) => term.said).join(' ');
  if (!Number.isFinite(result)) return `${capitalised(said)}: that has no answer that I could say.`;
  return `${capitalised(said)} is ${numberToWords(result)}.`;
}

/** The longest stretch of numbers and operations. */
function longestRun(words: readonly string[], isQuestion: boolean): Term[] {
  let longest: Term[] = [];
  let run: Term[] = [];
  for (let at = 0; at < words.length; ) {
    const found = readTerm(words, at, isQuestion && run.at(-1)?.isNumber === true);
    if (found === undefined) run = [];
    else run.push(found.term);
    if (run.length > longest.length) longest = [...run];
    at += found?.taken ?? 1;
  }
  return longest;
}

function readTerm(words: readonly string[], at: number, canAdd: boolean): { term: Term; taken: number } | undefined {
  const number = readNumber(words, at);
  if (number !== undefined) {
    const said = numberToWords(number.value);
    return { term: { written: String(number.value), said, isNumber: true }, taken: number.taken };
  }
  for (const [operation, written, said] of OPERATIONS) {
    const taken = operation.split(' ').length;
    if (words.slice(at, at + taken).join(' ') === operation) return { term: { written, said, isNumber: false }, taken };
  }
  if (canAdd && words[at] === 'and' && readNumber(words, at + 1) !== undefined) {
    return { term: { written: '+', said: 'and', isNumber: false }, taken: 1 };
  }
  return undefined;
}

/** Only numbers and the operations above ever reach the evaluator, and few of them. */
function evaluateTerms(terms: readonly Term[]): number | undefined {
  const expression = terms
    .map(({ written }, index) => (written === 'sqrt ' ? `sqrt(${terms[index + 1]?.written ?? ''})` : written))
    .filter((_, index) => terms[index - 1]?.written !== 'sqrt ')
    .join(' ');
  try {
    const result: unknown = evaluate(expression);
    return typeof result === 'number' ? result : undefined;
  } catch {
    return undefined;
  }
}

const capitalised = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

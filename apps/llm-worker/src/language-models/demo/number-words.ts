const SMALL = (
  'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen ' +
  'eighteen nineteen'
).split(' ');
const TENS = ['', '', 'twenty', 'thirty', 'forty', 'fifty', 'sixty', 'seventy', 'eighty', 'ninety'];
const SCALES = [
  ['trillion', 1e12],
  ['billion', 1e9],
  ['million', 1e6],
  ['thousand', 1e3],
  ['hundred', 1e2],
] as const;
const IRREGULAR_ORDINALS: Readonly<Record<string, string>> = {
  one: 'first',
  two: 'second',
  three: 'third',
  five: 'fifth',
  eight: 'eighth',
  nine: 'ninth',
  twelve: 'twelfth',
};

/** Greatest number that is said in words. */
const MAX_IN_WORDS = 1e15;
/** Decimals that are said; more is noise to the ear. */
const SPOKEN_DECIMALS = 4;

/** A finite number as a person says it: `two hundred and six`, `minus three point one four`. */
export function numberToWords(value: number): string {
  const rounded = Number(value.toFixed(SPOKEN_DECIMALS));
  if (Math.abs(rounded) >= MAX_IN_WORDS) return value.toExponential(3).replace('e+', ' times ten to the power of ');
  if (rounded < 0) return `minus ${numberToWords(-rounded)}`;
  const [whole = '0', decimals] = String(rounded).split('.');
  const words = wholeToWords(Number(whole));
  return decimals === undefined
    ? words
    : `${words} point ${[...decimals].map((digit) => SMALL[Number(digit)]).join(' ')}`;
}

/** `twenty first` for 21. */
export function ordinalToWords(value: number): string {
  const words = wholeToWords(value).split(' ');
  const last = words.pop() ?? '';
  const ordinal = IRREGULAR_ORDINALS[last] ?? (last.endsWith('y') ? `${last.slice(0, -1)}ieth` : `${last}th`);
  return [...words, ordinal].join(' ');
}

function wholeToWords(value: number): string {
  for (const [name, size] of SCALES) {
    if (value < size) continue;
    const rest = value % size;
    const head = `${wholeToWords(Math.floor(value / size))} ${name}`;
    if (rest === 0) return head;
    return `${head} ${rest < 100 ? 'and ' : ''}${wholeToWords(rest)}`;
  }
  if (value < 20) return SMALL[value] ?? '';
  const unit = value % 10;
  return `${TENS[Math.floor(value / 10)]}${unit === 0 ? '' : ` ${SMALL[unit]}`}`;
}

/** A number found in a list of words, and how many of them it took. */
export interface FoundNumber {
  readonly value: number;
  readonly taken: number;
}

/** Reads the number that begins at `words[at]`: digits, or words such as `two hundred and fifty six point one`. */
export function readNumber(words: readonly string[], at: number): FoundNumber | undefined {
  const first = words[at] ?? '';
  if (/^\d{1,15}(?:\.\d{1,10})?$/.test(first)) return { value: Number(first), taken: 1 };
  const whole = readWhole(words, at);
  if (whole === undefined) return undefined;
  const pointAt = at + whole.taken;
  if (words[pointAt] !== 'point') return whole;
  let decimals = '';
  for (let next = pointAt + 1; decimals.length < 10; next += 1) {
    const digit = SMALL.slice(0, 10).indexOf(words[next] ?? '');
    if (digit < 0) break;
    decimals += digit;
  }
  if (decimals === '') return whole;
  return { value: Number(`${whole.value}.${decimals}`), taken: whole.taken + 1 + decimals.length };
}

function readWhole(words: readonly string[], at: number): FoundNumber | undefined {
  let total = 0;
  /** Below the last thousand, million, …; undefined right after one. */
  let group: number | undefined;
  /** Greatest value that the next word may add: `twenty one` is a number, `one twenty` is two. */
  let room = Number.POSITIVE_INFINITY;
  let scaleLimit = Number.POSITIVE_INFINITY;
  let end = at;
  for (let next = at; ; next += 1) {
    const word = words[next] ?? '';
    const scale = SCALES.find(([name]) => name === word)?.[1];
    const value = smallNumber(word);
    if (value !== undefined && value < room && (value > 0 || end === at)) {
      group = (group ?? 0) + value;
      room = value >= 20 && value % 10 === 0 ? 10 : 0;
    } else if (scale === 100 && group !== undefined && group > 0 && group < 100) {
      group *= 100;
      room = 100;
    } else if (scale !== undefined && scale > 100 && scale < scaleLimit && group !== undefined && group > 0) {
      total += group * scale;
      group = undefined;
      scaleLimit = scale;
      room = Number.POSITIVE_INFINITY;
    } else if (word === 'a' && end === at && SCALES.some(([name]) => name === words[next + 1])) {
      group = 1;
      room = 0;
    } else if (word === 'and' && end > at && room >= 100 && (smallNumber(words[next + 1] ?? '') ?? 0) > 0) {
      continue;
    } else {
      break;
    }
    end = next + 1;
  }
  return end === at ? undefined : { value: total + (group ?? 0), taken: end - at };
}

function smallNumber(word: string): number | undefined {
  const small = SMALL.indexOf(word);
  if (small >= 0) return small;
  const tens = TENS.indexOf(word, 2);
  return tens >= 0 ? tens * 10 : undefined;
}

/** Fillers and noises (`<sil>`, `[NOISE]`, `++UH++`, `<unk>`) and numbered pronunciations (`the(2)`). */
const NOT_WORDS = /<[^>]*>|\[[^\]]*\]|\+\+[^+]*\+\+|\(\d+\)/g;

/**
 * An engine's text as a person would write it down: no markup, single spaces, lower case where the engine shouts. Engines
 * that write capitals and punctuation keep them.
 */
export function plainText(text: string): string {
  const words = text.replace(NOT_WORDS, ' ').replace(/\s+/g, ' ').trim();
  return words === words.toUpperCase() ? words.toLowerCase() : words;
}

/** Scripts that are written without spaces between words. */
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;

/** Two stretches of text as one. */
export function joinTexts(before: string, after: string): string {
  if (before === '' || after === '') return before + after;
  const [last = '', first = ''] = [[...before].at(-1), [...after][0]];
  return UNSPACED.test(last) && UNSPACED.test(first) ? before + after : `${before} ${after}`;
}

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

/** Whether there is anything to say: punctuation and emoji alone are passed over in silence. */
export const isSpeakable = (text: string): boolean => /[\p{L}\p{N}]/u.test(text);

/** Typographic quotes and dashes as any engine reads them. */
export const plainPunctuation = (text: string): string =>
  text
    .replaceAll(/[\u2018\u2019\u201b]/g, "'")
    .replaceAll(/[\u201c\u201d\u201e\u00ab\u00bb]/g, '"')
    .replaceAll(/[\u2013\u2014]/g, ', ');

/** A first sentence longer than this is begun with its first part, so that it is heard early. */
const LONG_FIRST_SENTENCE_CHARS = 60;
/** Shorter parts sound chopped. */
const MIN_PART_CHARS = 12;
/** A sentence longer than this is spoken in parts. */
const MAX_SENTENCE_CHARS = 200;

/**
 * Cuts a text where an engine that gives no sound before the end of its input should take a breath: after sentences, and
 * inside long ones after a comma. The pieces together are the text.
 */
export function splitIntoBreaths(text: string): string[] {
  const pieces: string[] = [];
  for (const sentence of segments(text, 'sentence')) {
    const isFirst = pieces.length === 0;
    const limit = isFirst ? LONG_FIRST_SENTENCE_CHARS : MAX_SENTENCE_CHARS;
    const parts = sentence.length > limit ? sentence.split(/(?<=[,;:])(?=\s)/u) : [sentence];
    let piece = '';
    let pieceLimit = isFirst ? MIN_PART_CHARS : MAX_SENTENCE_CHARS / 2;
    for (const part of parts) {
      piece += part;
      if (piece.length < pieceLimit) continue;
      pieces.push(piece);
      piece = '';
      pieceLimit = MAX_SENTENCE_CHARS / 2;
    }
    if (piece !== '') pieces.push(piece);
  }
  // A part without a comma may still be too long.
  return pieces.filter(isSpeakable).flatMap((piece) => splitText(piece, MAX_SENTENCE_CHARS));
}

/**
 * Cuts a long text into pieces that an engine takes at once: between sentences, else between words, and inside one only
 * where a single word is longer than that.
 */
export function splitText(text: string, maxChars: number): string[] {
  if (text.length <= maxChars) return [text];
  const pieces: string[] = [];
  let piece = '';
  const add = (part: string): void => {
    if (piece.length + part.length > maxChars) {
      pieces.push(piece);
      piece = '';
    }
    piece += part;
  };
  for (const sentence of segments(text, 'sentence')) {
    if (sentence.length <= maxChars) {
      add(sentence);
      continue;
    }
    for (const word of segments(sentence, 'word')) {
      for (let start = 0; start < word.length; start += maxChars) add(word.slice(start, start + maxChars));
    }
  }
  return [...pieces, piece].filter(isSpeakable);
}

function segments(text: string, granularity: 'sentence' | 'word'): string[] {
  return Array.from(new Intl.Segmenter(undefined, { granularity }).segment(text), ({ segment }) => segment);
}

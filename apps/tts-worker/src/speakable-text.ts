/** Whether there is anything to say: punctuation and emoji alone are passed over in silence. */
export const isSpeakable = (text: string): boolean => /[\p{L}\p{N}]/u.test(text);

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

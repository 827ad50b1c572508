import type { Conversation } from './conversation.ts';

/** A word and the middle of the time in which it was said, in samples of all audio. */
export interface KnownWord {
  readonly word: string;
  readonly sample: number;
}

/** What a recogniser is told that knows beforehand what it will hear: file names in a folder. */
export const KNOWN_AUDIO = 'audio.pcm';
export const KNOWN_WORDS = 'words.json';

/** The words of a text, spread over the time in which it was said by how long they are. */
export function wordsOver(text: string, fromSample: number, toSample: number): KnownWord[] {
  const words = text.split(' ').filter((word) => word !== '');
  const letters = words.reduce((sum, word) => sum + word.length + 1, 0);
  let before = 0;
  return words.map((word) => {
    const middle = before + (word.length + 1) / 2;
    before += word.length + 1;
    return { word, sample: Math.round(fromSample + (middle / letters) * (toSample - fromSample)) };
  });
}

/** The words as they were written for the corpus, as an engine would write them that never errs: without punctuation. */
export function writtenWords({ said }: Conversation): KnownWord[] {
  return said.flatMap(({ utterance, startSample }) =>
    utterance.pieces.flatMap((piece) => {
      const text = piece.text.toLowerCase().replace(/[^\p{L}\p{N}' ]/gu, '');
      return wordsOver(text, startSample + piece.startSample, startSample + piece.endSample);
    }),
  );
}

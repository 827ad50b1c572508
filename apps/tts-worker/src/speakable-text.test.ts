import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSpeakable, splitIntoBreaths, splitText } from './speakable-text.ts';

describe('text to be spoken', () => {
  it.each(['', '   ', '...', '?!', '😀👍🏽', '— * —', '\n'])('is passed over when it is only %j', (text) => {
    expect(isSpeakable(text)).toBe(false);
  });

  it.each(['a', '7', '你好', '😀 ok', 'ñ'])('is spoken when there is something to say: %j', (text) => {
    expect(isSpeakable(text)).toBe(true);
  });

  it('stays in one piece when it is short', () => {
    expect(splitText('One. Two.', 20)).toEqual(['One. Two.']);
  });

  it('is cut between sentences, then between words, then anywhere', () => {
    expect(splitText('One two. Three four. Five.', 16)).toEqual(['One two. ', 'Three four. ', 'Five.']);
    expect(splitText('one two three four', 10)).toEqual(['one two ', 'three four']);
    expect(splitText('abcdefghij', 4)).toEqual(['abcd', 'efgh', 'ij']);
  });

  it('loses no word, and no piece is too long', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), fc.integer({ min: 5, max: 50 }), (text, maxChars) => {
        const pieces = splitText(text, maxChars);
        const letters = (value: string): string => value.replaceAll(/[^\p{L}\p{N}]/gu, '');
        expect(letters(pieces.join(''))).toBe(letters(text));
        if (text.length > maxChars) for (const piece of pieces) expect(piece.length).toBeLessThanOrEqual(maxChars);
      }),
    );
  });
});

describe('a text cut into breaths', () => {
  it('is cut after sentences, and its long first sentence after its first part', () => {
    const text = 'That depends on where you are, for the sun sets at other times elsewhere. Ask me again! Will you?';
    expect(splitIntoBreaths(text)).toEqual([
      'That depends on where you are,',
      ' for the sun sets at other times elsewhere. ',
      'Ask me again! ',
      'Will you?',
    ]);
  });

  it('is left whole where it is short', () => {
    expect(splitIntoBreaths('Yes, of course, with pleasure.')).toEqual(['Yes, of course, with pleasure.']);
  });

  it('loses no word, and has no piece that an engine would choke on', () => {
    const words = fc.array(fc.constantFrom('word', 'and,', 'end.', 'so; ', '3,000', '“quoted”', 'x'.repeat(90)), {
      maxLength: 200,
    });
    fc.assert(
      fc.property(words, (list) => {
        const text = list.join(' ');
        const pieces = splitIntoBreaths(text);
        expect(pieces.join('').replaceAll(/\W/g, '')).toBe(text.replaceAll(/\W/g, ''));
        for (const piece of pieces) expect(piece.length).toBeLessThanOrEqual(200);
      }),
    );
  });
});

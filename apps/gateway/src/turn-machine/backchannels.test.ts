import { describe, expect, it } from 'vitest';
import { isAsideAlone, isBackchannel, plainWords } from './backchannels.ts';

describe('a backchannel', () => {
  it.each([
    ['en', 'Yeah.'],
    ['en', 'yeah, yeah, yeah'],
    ['en', 'Mm-hmm.'],
    ['en', 'Uh-huh, okay.'],
    ['en', 'Oh, I see!'],
    ['en-US', 'right'],
    ['EN', 'RIGHT'],
    ['de', 'Ja, genau.'],
    ['de-AT', 'Achso, mhm.'],
    ['es', 'Sí, claro.'],
    ['es', 'Si\u0301'],
    ['fr', 'D’accord.'],
    ['fr', "d'accord, oui"],
    ['it', 'Già, certo'],
    ['nl', 'Oké, precies.'],
    ['pt', 'É, tá certo.'],
    ['ja', 'はい。'],
    ['ja', 'そうですね'],
    ['zh', '好的，嗯。'],
    ['ko', '네, 네.'],
    // A cough, in any language.
    ['en', ''],
    ['xx', ' … '],
  ])('in %s is %j', (language, text) => {
    expect(isBackchannel(text, language, 600)).toBe(true);
  });

  it.each([
    ['en', 'stop'],
    ['en', 'yeah but'],
    ['en', 'okay, stop'],
    ['en', 'yearly'],
    ['en', 'sí'],
    ['de', 'Nein.'],
    ['de', 'yeah'],
    ['fr', 'accord'],
    ['zh', '不好'],
    ['ja', 'いいえ'],
    // Nothing is known of the language, so words are words.
    ['sw', 'ndiyo'],
    ['sw', 'yeah'],
  ])('in %s is not %j', (language, text) => {
    expect(isBackchannel(text, language, 600)).toBe(false);
  });

  it.each([
    ['en', 'the', true],
    ['en', 'uh-huh, of the', true],
    ['en', 'the other one', false],
    ['de', 'und', true],
    ['de', 'und jetzt', false],
    ['fr', 'À.', true],
    ['sw', 'the', false],
  ])('in %s is %j where nothing follows it: %s', (language, text, counts) => {
    expect(isAsideAlone(text, language, 600)).toBe(counts);
    expect(isBackchannel(text, language, 600)).toBe(false);
    expect(isAsideAlone(text, language, 1_201)).toBe(false);
  });

  it.each([
    [0, true],
    [1_200, true],
    [1_201, false],
  ])('that lasts %d ms counts as one: %s', (spokenMs, counts) => {
    expect(isBackchannel('yeah', 'en', spokenMs)).toBe(counts);
    expect(isBackchannel('', 'en', spokenMs)).toBe(counts);
  });
});

describe('plain words', () => {
  it.each([
    ['What’s that, then?!', 'what s that then'],
    ['  two\n\twords ', 'two words'],
    ['«Très bien»', 'très bien'],
    ['今日は、元気？', '今日は 元気'],
    ['Fine 👍', 'fine'],
    ['…', ''],
    ['E\u0301te\u0301', 'été'],
    ['ISTANBUL', 'istanbul'],
  ])('of %j are %j', (text, words) => {
    expect(plainWords(text)).toBe(words);
  });

  it.each([
    ['2+2', '2-2'],
    ['5€', '5$'],
    ['x < y', 'x > y'],
  ])('differ where what is read aloud does: %j and %j', (one, other) => {
    expect(plainWords(one)).not.toBe(plainWords(other));
  });
});

import { describe, expect, test } from 'vitest';
import { textCompleteness } from './completeness.ts';

/** From here on a turn is ended within 0.7 s, up to there it is given 1.3 s and more. */
const COMPLETE = 0.65;
const INCOMPLETE = 0.33;

const COMPLETE_TURNS: Readonly<Record<string, readonly string[]>> = {
  en: [
    'could you tell me what the weather will be like in dublin on friday',
    'what time does the next train to edinburgh leave',
    'I would like to book a table for two people, please.',
    'yes',
    'no',
    'Stop',
    'turn off the lights',
    'tell me a joke',
    'what time is it',
    'hello can you hear me now',
    'I have a dog. What does he eat?',
    'thank you very much',
    'How long does it take to get to the airport?',
    'my number is five five five one two three four five six seven',
    'set a timer for seventeen minutes',
  ],
  de: ['ja', 'danke', 'mach bitte das licht aus', 'wie spät ist es', 'Was kostet das Zimmer?'],
  es: ['sí', 'gracias', 'qué hora es', 'qué tiempo hará mañana en madrid', '¿Dónde está la estación?'],
  fr: ['oui', 'merci beaucoup', 'quelle heure est-il', 'Où est la gare ?'],
  it: ['sì', 'grazie mille', 'che ore sono', 'Dov’è la stazione?'],
  pt: ['sim', 'obrigado', 'que horas são', 'Onde fica a estação?'],
  nl: ['ja', 'dank je wel', 'hoe laat is het', 'Waar is het station?'],
  zh: ['明天上海的天气怎么样', '好的', '今天几点开门？'],
  ja: ['明日の天気はどうですか', 'はい'],
  ko: ['내일 날씨가 어때요', '네', '몇 시에 열어요?'],
};

const INCOMPLETE_TURNS: Readonly<Record<string, readonly string[]>> = {
  en: [
    'i would like to',
    'i would like to book a table for',
    'could you tell me what the',
    'well i was going to say that um',
    'remind me to call my brother and',
    'when i was a child',
    'if it rains tomorrow',
    'my number is five five five',
    'I want to go to.',
    'So I was thinking…',
    'first of all,',
    'set a timer for',
  ],
  de: ['ich möchte gerne einen', 'ich suche die', 'weil', 'wenn es morgen regnet'],
  es: ['quiero reservar una', 'me gustaría', 'porque', 'voy a'],
  fr: ['je voudrais réserver une table pour', 'parce que', 'est-ce que vous'],
  it: ['vorrei prenotare un', 'perché', 'che tempo fa a'],
  pt: ['eu gostaria de', 'porque', 'vou para o'],
  nl: ['ik wil graag een', 'omdat', 'hoe laat vertrekt de'],
  zh: ['因为', '帮我订一张桌子然后'],
  ja: ['明日の天気は', 'えっと'],
  ko: ['내일 날씨가', '그래서'],
};

const rows = (turns: Readonly<Record<string, readonly string[]>>) =>
  Object.entries(turns).flatMap(([language, texts]) => texts.map((text) => ({ language, text })));

describe('a text', () => {
  test.each(rows(COMPLETE_TURNS))('is a whole turn: $language “$text”', ({ language, text }) => {
    expect(textCompleteness(text, language)).toBeGreaterThanOrEqual(COMPLETE);
  });

  test.each(rows(INCOMPLETE_TURNS))('is not a whole turn: $language “$text”', ({ language, text }) => {
    expect(textCompleteness(text, language)).toBeLessThanOrEqual(INCOMPLETE);
  });

  test.each([
    ['en', 'I have never been there.', 'Have you ever been there?'],
    ['de', 'Ich war noch nie dort.', 'Warst du schon einmal dort?'],
    ['fr', 'Je cherche la gare.', 'Vous cherchez la gare ?'],
    ['ja', '駅を探しています。', '駅はどこですか？'],
  ])('with a full stop is a sentence, with a question mark a turn: %s “%s”, “%s”', (language, told, asked) => {
    expect(textCompleteness(told, language)).toBeGreaterThanOrEqual(textCompleteness(told.slice(0, -1), language));
    expect(textCompleteness(told, language)).toBeGreaterThanOrEqual(COMPLETE);
    expect(textCompleteness(asked, language)).toBeGreaterThan(0.95);
  });

  test.each(['sv', 'x-klingon', 'th', 'fil-PH'])('of a language that is not known says nothing: %s', (language) => {
    expect(textCompleteness('jag vill boka ett bord och', language)).toBe(0.5);
    expect(textCompleteness('and the', language)).toBe(0.5);
    expect(textCompleteness('Jag vill boka ett bord.', language)).toBeGreaterThan(0.5);
    expect(textCompleteness('jag vill boka,', language)).toBeLessThan(0.25);
  });

  test.each(['en-US', 'en-gb', 'EN'])('is judged by its language whatever the region: %s', (language) => {
    expect(textCompleteness('i would like to', language)).toBeLessThan(INCOMPLETE);
  });

  test.each(['', '  ', '...', '?!'])('without words is no turn: “%s”', (text) => {
    expect(textCompleteness(text, 'en')).toBe(0);
  });

  test('is judged quickly, however long it is', () => {
    const text = 'and then he went to the '.repeat(5_000);
    const startMs = performance.now();
    expect(textCompleteness(text, 'en')).toBeLessThan(INCOMPLETE);
    expect(performance.now() - startMs).toBeLessThan(200);
  });
});

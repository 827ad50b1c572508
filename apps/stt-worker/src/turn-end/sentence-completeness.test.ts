import { describe, expect, test } from 'vitest';
import { sentenceCompleteness } from './sentence-completeness.ts';

/** From here on a turn is ended as soon as it may be, up to there it is given 1.5 s and more. */
const COMPLETE = 0.9;
const INCOMPLETE = 0.25;
/** What may well go on, and may be over. */
const STATEMENT = 0.64;

const COMPLETE_TURNS: Readonly<Record<string, readonly string[]>> = {
  en: [
    'could you tell me what the weather will be like in dublin on friday',
    'what time does the next train to edinburgh leave',
    'I would like to book a table for two people, please.',
    'how many people live in the city of melbourne',
    'yes',
    'no',
    'hello can you hear me now',
    'um yes where is the nearest pharmacy',
    'Stop',
    'remind me to call my brother after dinner tomorrow',
    'thank you very much',
    'How long does it take to get to the airport?',
  ],
  de: [
    'wie wird das wetter morgen in berlin',
    'ja',
    'stell den wecker auf sieben uhr',
    'Was kostet das Zimmer?',
    'danke',
  ],
  es: ['qué tiempo hará mañana en madrid', 'sí', 'quiero reservar una mesa por favor', '¿Dónde está la estación?'],
  fr: ['quel temps fera-t-il demain à lyon', 'oui', "non merci c'est tout", 'Où est la gare ?', "s'il vous plaît"],
  it: ['che tempo farà domani a roma', 'sì', 'quanto costa la camera doppia', 'va bene'],
  pt: ['como vai estar o tempo amanhã em lisboa', 'sim', 'quero reservar uma mesa por favor', 'Onde fica a estação?'],
  nl: ['wat voor weer wordt het morgen', 'ja', 'hoe laat vertrekt de trein naar utrecht', 'dank je wel'],
  zh: ['明天上海的天气怎么样', '你吃饭了吗', '好的', '请帮我订一张桌子，谢谢'],
  ja: ['明日の天気はどうですか', 'はい', '席を予約してください', 'ありがとうございます', 'もう一度お願いします'],
  ko: ['내일 날씨가 어때요', '네', '자리를 예약해 주세요', '감사합니다', '몇 시에 열어요?'],
};

const INCOMPLETE_TURNS: Readonly<Record<string, readonly string[]>> = {
  en: [
    'i would like to',
    'i would like to book a table for',
    'could you tell me what the',
    'well i was going to say that um',
    'remind me to call my brother and',
    'the total is twenty point',
    'I want to go to.',
    'the reason i am calling is',
    'do you',
    'it costs more than',
    'can you please give me the phone number of my',
    'if it rains tomorrow',
    'it costs two hundred and',
    'please set the oven to',
  ],
  de: ['ich möchte gerne einen', 'wie wird das', 'ich würde gern', 'weil', 'und ähm'],
  es: ['quiero reservar una', 'me gustaría', 'porque', 'voy a', 'dónde está el'],
  fr: ['je voudrais', 'je voudrais réserver une table pour', 'parce que', 'euh'],
  it: ['vorrei prenotare un', 'perché', 'che tempo fa a', 'ehm'],
  pt: ['eu gostaria de', 'quero reservar uma', 'porque', 'vou para o'],
  nl: ['ik wil graag een', 'omdat', 'hoe laat vertrekt de', 'eh'],
  zh: ['我想要', '因为', '帮我订一张桌子然后', '如果明天下雨的话'],
  ja: ['明日の天気は', '席を予約して', 'えっと', '東京から', 'それで'],
  ko: ['내일 날씨가', '자리를 예약하고', '그래서', '비가 오면'],
};

const rows = (turns: Readonly<Record<string, readonly string[]>>) =>
  Object.entries(turns).flatMap(([language, texts]) => texts.map((text) => ({ language, text })));

describe('a sentence by the rules', () => {
  test.each(rows(COMPLETE_TURNS))('is a whole turn: $language “$text”', ({ language, text }) => {
    expect(sentenceCompleteness(text, language)).toBeGreaterThanOrEqual(COMPLETE);
  });

  test.each(rows(INCOMPLETE_TURNS))('is not a whole turn: $language “$text”', ({ language, text }) => {
    expect(sentenceCompleteness(text, language)).toBeLessThanOrEqual(INCOMPLETE);
  });

  test.each([
    ['en', 'set a timer for seventeen'],
    ['en', 'i went to the doctor'],
    ['en', 'no thank you i have changed my mind'],
    ['en', 'where are you'],
    ['en', 'my number is five five five'],
    ['en', 'my number is 0 1 7'],
    ['en', 'my name is s m'],
    ['de', 'meine nummer ist null eins sieben'],
    ['es', 'mi número es seis cinco cuatro'],
    ['fr', "mon numéro c'est zéro six un"],
    ['it', 'il mio numero è tre quattro otto'],
    ['pt', 'o meu número é nove um dois'],
    ['nl', 'mijn nummer is nul zes een'],
    ['zh', '我的电话是一三八'],
    ['ja', '電話番号は零九零'],
    ['ko', '제 번호는 공일공'],
    ['en', 'where are you from'],
    ['en', 'please turn it off'],
    ['en', 'the kitchen lights'],
    ['en', 'my pin is one two three four'],
    ['de', 'ruf mich an wenn du da bist und mach dann das licht aus'],
  ])('may be a whole turn: %s “%s”', (language, text) => {
    expect(sentenceCompleteness(text, language)).toBeGreaterThan(INCOMPLETE);
    expect(sentenceCompleteness(text, language)).toBeLessThan(COMPLETE);
  });

  /** A clause in front, with and without the one that it belongs to. */
  test.each([
    ['en', 'when the lesson was over', 'when the lesson was over everybody went home'],
    ['en', 'as soon as she arrives', 'as soon as she arrives we can start'],
    ['en', 'before they sold the house', 'before they sold the house they painted the walls'],
    ['en', 'although it was late', 'although it was late nobody wanted to leave'],
    ['en', 'once you know the rules', 'once you know the rules the game is easy'],
    ['en', 'if you meet my brother', 'if you meet my brother tell him to write'],
    ['en', 'well while you were away', 'well while you were away they repaired the roof'],
    ['de', 'wenn es morgen regnet', 'wenn es morgen regnet können wir zu hause bleiben'],
    ['de', 'bevor du gehst', 'bevor du gehst mach bitte das licht aus'],
    ['fr', "quand j'étais petit", "quand j'étais petit nous avions un chien"],
    ['es', 'si llueve mañana', 'si llueve mañana vamos a quedarnos todos juntos en casa'],
    ['it', 'se piove domani', 'se piove domani andiamo tutti insieme al museo di scienze'],
    ['nl', 'als het morgen regent', 'als het morgen regent blijven we thuis'],
  ])('lacks its main clause until that is there: %s “%s”, “%s”', (language, fronted, whole) => {
    expect(sentenceCompleteness(fronted, language)).toBeLessThanOrEqual(0.1);
    expect(sentenceCompleteness(whole, language)).toBeGreaterThan(0.5);
  });

  test.each([
    ['en', 'when was that'],
    ['en', 'when does the shop close'],
    ['en', 'where do you want to go when it rains'],
    ['it', 'quando parte il treno'],
    ['es', 'cuando sale el tren'],
  ])('that asks when is no clause in front: %s “%s”', (language, text) => {
    expect(sentenceCompleteness(text, language)).toBeGreaterThan(0.4);
  });

  test.each([
    'i wonder',
    'do you know',
    'could you tell me',
    'i would like to know',
    'could you tell me please',
    "do you know if you don't mind",
    'i was wondering by the way',
  ])('wants the question that it announces: “%s”', (text) => {
    expect(sentenceCompleteness(text, 'en')).toBeLessThanOrEqual(INCOMPLETE);
  });

  test.each([
    ['we need a lamp a chair', 'we need a lamp a chair and a table'],
    ['we need some salt some pepper', 'we need some salt some pepper and some oil'],
    ['she sells flowers candles', 'she sells flowers candles and cards'],
  ])('enumerates until the last item has its “and”: “%s”, “%s”', (items, whole) => {
    expect(sentenceCompleteness(items, 'en')).toBeLessThanOrEqual(INCOMPLETE);
    expect(sentenceCompleteness(whole, 'en')).toBeGreaterThanOrEqual(STATEMENT);
  });

  /** Dictated numbers, from less likely to be whole to more. */
  test.each([
    ['en', 'my phone number is two oh two', 'my phone number is two oh two five five five oh one nine nine'],
    ['en', 'the code is seven seven', 'the code is seven seven one three'],
    ['en', 'my card ends in nine three', 'my card ends in nine three one five'],
    ['en', 'it costs four hundred', 'it costs four hundred and ten euros'],
    ['en', 'i was born on the first of march', 'i was born on the first of march nineteen seventy'],
    ['en', 'her mobile is oh one six for two', 'her mobile is oh one six for two nine nine one two three four'],
    [
      'de',
      'meine telefonnummer ist null drei',
      'meine telefonnummer ist null drei null eins zwei drei vier fünf sechs',
    ],
    ['fr', 'mon téléphone est zéro six un', 'mon téléphone est zéro six un deux trois quatre cinq six sept huit'],
  ])('of a number depends on how long such numbers are: %s “%s”, “%s”', (language, part, whole) => {
    expect(sentenceCompleteness(part, language)).toBeLessThanOrEqual(0.45);
    expect(sentenceCompleteness(whole, language)).toBeGreaterThan(sentenceCompleteness(part, language));
  });

  test.each([
    ['en', 'what would you like', 'i would like'],
    ['en', 'how long does the trip take', 'the trip will take'],
    ['en', 'where are you from', 'the letter came from'],
    ['en', 'she read me a book', 'she wanted to book'],
    ['en', 'i know where the keys are', 'the keys are'],
    ['en', 'no', 'there is no'],
    ['de', 'ich bleibe zu hause weil ich krank bin', 'weil ich schon lange krank bin'],
  ])('may end with what mostly wants something to follow: %s “%s”, not “%s”', (language, whole, part) => {
    expect(sentenceCompleteness(whole, language)).toBeGreaterThan(0.4);
    expect(sentenceCompleteness(part, language)).toBeLessThanOrEqual(INCOMPLETE);
  });

  test('that tells something may go on, whatever its last word, and one that asks less so', () => {
    for (const told of ['my train was cancelled this morning', 'i saw her yesterday', 'they gave it to him']) {
      expect(sentenceCompleteness(told, 'en')).toBeLessThan(0.85);
    }
    for (const asked of ['did you see her yesterday', 'and what did they give him', 'please wake me tomorrow']) {
      expect(sentenceCompleteness(asked, 'en')).toBeGreaterThanOrEqual(COMPLETE);
    }
  });

  test.each(['sv', 'x-klingon', 'th', 'fil-PH'])('of a language that is not known says nothing: %s', (language) => {
    expect(sentenceCompleteness('jag vill boka ett bord och', language)).toBe(0.5);
    expect(sentenceCompleteness('and the', language)).toBe(0.5);
  });
});

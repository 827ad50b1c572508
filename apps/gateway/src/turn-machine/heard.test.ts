import { describe, expect, it } from 'vitest';
import { cutAtWord, heardText, joinClauses } from './heard.ts';
import type { ClauseState, ReplyState } from './state.ts';

const RATE_HZ = 24_000;

function reply(played: number, clauses: Partial<ClauseState>[]): ReplyState {
  const empty: ClauseState = { text: '', status: 'done', from: 0, try: 1, deaths: 0, samples: 0 };
  return {
    turn: 1,
    attempt: 0,
    text: '',
    held: false,
    heldText: '',
    generation: 1,
    try: 1,
    deaths: 0,
    done: true,
    clauses: clauses.map((clause) => ({ ...empty, ...clause })),
    played,
    decidedAt: 0,
    trace: undefined,
  };
}

describe('cutting text where the voice was cut', () => {
  it.each([
    ['en', 'The weather is fine today.', 0.5, 'The weather'],
    ['en', "It isn't raining, is it?", 0.34, "It isn't"],
    ['en', 'The weather', 0, ''],
    ['en', 'The weather', -1, ''],
    ['en', 'The weather', 0.99, 'The'],
    ['en', 'The weather', 1, 'The weather'],
    ['en', 'The weather', 7, 'The weather'],
    ['de', 'Donaudampfschifffahrt ist ein Wort.', 0.5, ''],
    ['de', 'Donaudampfschifffahrt ist ein Wort.', 0.75, 'Donaudampfschifffahrt ist'],
    ['fr', 'Aujourd’hui il pleut encore.', 0.5, 'Aujourd’hui il'],
    ['zh', '今天天气很好。', 0.6, '今天天气'],
    ['ja', '今日は天気がいいですね。', 0.3, '今日は'],
    ['th', 'วันนี้อากาศดีมาก', 0.4, 'วันนี้'],
    ['ar', 'الطقس جميل اليوم', 0.7, 'الطقس جميل'],
    ['ru', 'Сегодня хорошая погода.', 0.7, 'Сегодня хорошая'],
    ['en', '', 0.5, ''],
    ['en', '… — !', 0.9, ''],
  ])('in %s keeps whole words of %j up to %d', (language, text, fraction, heard) => {
    expect(cutAtWord(text, fraction, language)).toBe(heard);
  });

  it.each(['en-12', 'abc-xx-yy-zz', 'de-DE-DE', 'zz'])('goes by the text alone in the unknown language %s', (tag) => {
    expect(cutAtWord('The weather is fine', 0.65, tag)).toBe('The weather');
  });

  it('never splits a character that is written in several units', () => {
    for (let fraction = 0; fraction < 1; fraction += 0.01) {
      expect(cutAtWord('naïve 👩‍👩‍👧 e\u0301tude 𝒳𝒴 done', fraction, 'fr')).not.toMatch(/[\uD800-\uDBFF]$|\u200D$/);
    }
  });
});

describe('joining clauses', () => {
  it.each([
    [['One.', 'Two.'], 'One. Two.'],
    [[' One. ', '', '  ', 'Two.\n'], 'One. Two.'],
    [['今日は。', '元気ですか。'], '今日は。元気ですか。'],
    [['你好', '世界'], '你好世界'],
    [['สวัสดี', 'ครับ'], 'สวัสดีครับ'],
    [['안녕.', '잘 가.'], '안녕. 잘 가.'],
    [['Hello.', '你好。', 'Bye.'], 'Hello. 你好。Bye.'],
    [[], ''],
  ])('writes %j as %j', (texts, joined) => {
    expect(joinClauses(texts)).toBe(joined);
  });
});

describe('what was heard of a reply', () => {
  const two: Partial<ClauseState>[] = [
    { text: 'The weather is fine.', samples: 24_000 },
    { text: 'It will rain tomorrow.', samples: 24_000 },
  ];

  it.each([
    [0, ''],
    [14_000, 'The weather'],
    [23_999, 'The weather is fine'],
    [24_000, 'The weather is fine.'],
    [24_001, 'The weather is fine.'],
    [36_000, 'The weather is fine. It will'],
    [48_000, 'The weather is fine. It will rain tomorrow.'],
  ])('after %d samples is %j', (played, heard) => {
    expect(heardText(reply(played, two), RATE_HZ, 'en')).toBe(heard);
  });

  it('of a clause still being made is estimated at a usual speaking rate', () => {
    const making = reply(RATE_HZ, [
      { text: 'The weather is fine today, they say.', status: 'offered', samples: RATE_HZ },
    ]);
    expect(heardText(making, RATE_HZ, 'en')).toBe('The weather is');
  });

  it('is never all of a clause that is not complete', () => {
    const slow = reply(10 * RATE_HZ, [{ text: 'Well then.', status: 'offered', samples: 11 * RATE_HZ }]);
    expect(heardText(slow, RATE_HZ, 'en')).toBe('Well then');
  });

  it('leaves out what could not be spoken, or had no sound', () => {
    const clauses: Partial<ClauseState>[] = [{ text: 'Lost.', status: 'failed' }, { text: '👍' }, ...two];
    expect(heardText(reply(24_000, clauses), RATE_HZ, 'en')).toBe('The weather is fine.');
  });
});

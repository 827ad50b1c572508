import { describe, expect, it } from 'vitest';
import { demoAnswer } from './answer.ts';
import { numberToWords, ordinalToWords, readNumber } from './number-words.ts';
import { STORY } from './story.ts';

const NOW = new Date('2026-11-21T14:05:00Z');

/** Answers to a conversation's questions, each with what was said before. */
function converse(questions: readonly string[]): string[] {
  const answers: string[] = [];
  for (const [index, text] of questions.entries()) {
    const earlier = questions.slice(0, index);
    answers.push(demoAnswer({ text, earlier, lastAnswer: answers.at(-1), now: NOW, timeZone: 'UTC' }));
  }
  return answers;
}

const answerTo = (question: string): string => converse([question])[0] ?? '';

describe('the demo', () => {
  it.each([
    ['what is seven times eight', 'Seven times eight is fifty six.'],
    ['What is 12 + 30?', 'Twelve plus thirty is forty two.'],
    ["what's two hundred and fifty six divided by sixteen", 'Two hundred and fifty six divided by sixteen is sixteen.'],
    ['how much is three point five plus two', 'Three point five plus two is five point five.'],
    ['how much is one and one', 'One and one is two.'],
    ['what is twelve minus twenty one', 'Twelve minus twenty one is minus nine.'],
    ['what is the square root of one hundred forty four', 'The square root of one hundred and forty four is twelve.'],
    ['twenty percent of fifty', 'Twenty percent of fifty is ten.'],
    ['what is half of nine', 'Half of nine is four point five.'],
    ['what is five squared plus two', 'Five squared plus two is twenty seven.'],
    ['two to the power of ten', 'Two to the power of ten is one thousand and twenty four.'],
    ['what is 10 / 4', 'Ten divided by four is two point five.'],
    ['what is 7-9', 'Seven minus nine is minus two.'],
    ['what is a hundred times two', 'One hundred times two is two hundred.'],
    [
      'what is one thousand two hundred thirty four plus six',
      'One thousand two hundred and thirty four plus six is one thousand two hundred and forty.',
    ],
    ['two plus three times four', 'Two plus three times four is fourteen.'],
    ['what is one divided by zero', 'One divided by zero: that has no answer that I could say.'],
    [
      'what is nine to the power of nine to the power of nine',
      'Nine to the power of nine to the power of nine: that has no answer that I could say.',
    ],
  ])('calculates: %s', (question, answer) => {
    expect(answerTo(question)).toBe(answer);
  });

  it.each([
    ['count to ten', 'One, two, three, four, five, six, seven, eight, nine, ten.'],
    ['Please count to 3.', 'One, two, three.'],
    ['count from five to eight', 'Five, six, seven, eight.'],
    ['count down from three', 'Three, two, one.'],
    ['count from eight to six', 'Eight, seven, six.'],
  ])('counts: %s', (question, answer) => {
    expect(answerTo(question)).toBe(answer);
  });

  it('does not count for ever', () => {
    const answer = answerTo('count to one million');
    expect(answer).toMatch(/ninety nine, one hundred\. I would rather stop there\.$/);
  });

  it.each([
    ['what time is it', 'It is two oh five in the afternoon.'],
    ["what is today's date", 'Today is Saturday, the twenty first of November, two thousand and twenty six.'],
    ['who are you', 'I am the demo of Parley. I answer by simple rules, offline, without a language model.'],
    ['hello', 'Hello. I am the demo of Parley. What can I do for you?'],
    ['how are you', 'I am fine, thank you. How are you?'],
    ['thank you very much', 'You are welcome.'],
    ['the quick brown fox', 'You said: the quick brown fox. I am only the demo and have no better answer to that.'],
    ['no one knows', 'You said: no one knows. I am only the demo and have no better answer to that.'],
    ['', 'I heard nothing. Please say it again.'],
  ])('answers: %s', (question, answer) => {
    expect(answerTo(question)).toBe(answer);
  });

  it('knows the name from the conversation alone', () => {
    expect(
      converse(['what is my name', 'my name is anna', 'what is two plus two', 'what is my name', 'goodbye']),
    ).toEqual([
      'You have not told me your name yet.',
      'Nice to meet you, Anna. I will remember your name while we talk.',
      'Two plus two is four.',
      'Your name is Anna.',
      'Goodbye, Anna.',
    ]);
  });

  it('takes the name given last', () => {
    expect(converse(['My name is Bob.', 'Call me Robert', 'who am i']).at(-1)).toBe('Your name is Robert.');
  });

  it('repeats what was said before', () => {
    expect(converse(['count to two', 'say that again', 'what did i say']).slice(1)).toEqual([
      'I said: One, two.',
      'You said: say that again.',
    ]);
  });

  it('tells a story long enough to interrupt', () => {
    expect(answerTo('tell me a story')).toBe(STORY);
    expect([...new Intl.Segmenter('en', { granularity: 'sentence' }).segment(STORY)].length).toBeGreaterThanOrEqual(20);
  });

  it('answers anything with something to say, whatever is said', () => {
    for (const text of [
      '...',
      '2+',
      '+',
      'sqrt(',
      'import("fs")',
      '9'.repeat(5_000),
      'plus '.repeat(5_000),
      '今天天气好吗？',
    ]) {
      expect(answerTo(text)).toMatch(/[a-z]/);
      expect(answerTo(text).length).toBeLessThan(400);
    }
  });
});

describe('numbers', () => {
  it.each([
    0, 7, 13, 20, 21, 99, 100, 101, 110, 256, 999, 1_000, 1_001, 1_234, 10_000, 22_000, 100_000, 1_000_000, 1_234_567,
    2_000_000_006, 3.25, 0.5,
  ])('are read as they are said: %d', (value) => {
    const words = numberToWords(value).split(' ');
    expect(readNumber(words, 0)).toEqual({ value, taken: words.length });
  });

  it('that follow one another are told apart', () => {
    expect(readNumber(['one', 'twenty'], 0)).toEqual({ value: 1, taken: 1 });
    expect(readNumber(['twenty', 'one', 'two'], 0)).toEqual({ value: 21, taken: 2 });
    expect(readNumber(['ten', 'and', 'five'], 0)).toEqual({ value: 10, taken: 1 });
  });

  it('have an order', () => {
    expect([1, 2, 3, 5, 12, 20, 21, 30, 31].map(ordinalToWords)).toEqual([
      'first',
      'second',
      'third',
      'fifth',
      'twelfth',
      'twentieth',
      'twenty first',
      'thirtieth',
      'thirty first',
    ]);
  });
});

import { expect, test } from 'vitest';
import { spokenWords } from './spoken-words.ts';

const SEGMENT = 32_000;

test('word pieces become words, each from its first piece to the next word, or a little after its last piece', () => {
  const words = spokenWords(
    {
      text: 'could you tell',
      tokens: [' c', 'ould', ' you', ' te', 'll'],
      timestamps: [0.32, 0.36, 0.48, 1.64, 1.9],
    },
    SEGMENT,
  );
  expect(words).toEqual([
    { word: 'could', startSample: 5_120, endSample: 7_680 },
    { word: 'you', startSample: 7_680, endSample: 10_880 },
    { word: 'tell', startSample: 26_240, endSample: SEGMENT },
  ]);
});

test('probabilities become the confidence of a word, and durations its end', () => {
  const words = spokenWords(
    {
      text: 'GO ON',
      tokens: ['▁GO', '▁O', 'N'],
      timestamps: [0, 0.5, 0.6],
      durations: [0.1, 0.1, 0.2],
      logProbabilities: [0, Math.log(0.5), Math.log(0.5)],
    },
    SEGMENT,
  );
  expect(words).toEqual([
    { word: 'go', startSample: 0, endSample: 1_600, confidence: 1 },
    { word: 'on', startSample: 8_000, endSample: 12_800, confidence: 0.5 },
  ]);
});

test('where no spaces are written each sign is a word, and what a paraformer joins stays joined', () => {
  const words = spokenWords(
    { text: '你好 hello', tokens: ['<|zh|>', '你', '好', ' hel@@', 'lo'], timestamps: [0, 0.1, 0.2, 0.4, 0.5] },
    SEGMENT,
  );
  expect(words?.map(({ word }) => word)).toEqual(['你', '好', 'hello']);
});

test('a model that does not know the times has no words', () => {
  expect(spokenWords({ text: 'hello', tokens: [' hello'], timestamps: [] }, SEGMENT)).toBeUndefined();
  expect(spokenWords({ text: '', tokens: [] }, SEGMENT)).toBeUndefined();
});

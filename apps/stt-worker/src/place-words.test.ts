import { MAX_SPOKEN_WORDS } from '@parley/protocol';
import { expect, test } from 'vitest';
import { placeWords } from './place-words.ts';

test("words of a segment are counted from the session's first sample", () => {
  const words = [
    { word: 'go', startSample: 0, endSample: 1_600 },
    { word: 'on', startSample: 3_200, endSample: 4_000.4, confidence: 0.5 },
  ];
  expect(placeWords(words, 64_000, 70_000)).toEqual([
    { word: 'go', startSample: 64_000, endSample: 65_600 },
    { word: 'on', startSample: 67_200, endSample: 68_000, confidence: 0.5 },
  ]);
});

test("what an engine of one's own gets wrong lies inside the stretch and in order all the same", () => {
  const words = [
    { word: 'a', startSample: 900, endSample: 100, confidence: 7 },
    { word: 'b', startSample: -500, endSample: Number.NaN, confidence: Number.NaN },
    { word: 'c', startSample: 90_000, endSample: 99_000, confidence: -1 },
  ];
  expect(placeWords(words, 1_000, 3_000)).toEqual([
    { word: 'a', startSample: 1_900, endSample: 1_900, confidence: 1 },
    { word: 'b', startSample: 1_900, endSample: 1_900 },
    { word: 'c', startSample: 3_000, endSample: 3_000, confidence: 0 },
  ]);
});

test('an engine that knows no times has no words, and one that knows too many is cut short', () => {
  expect(placeWords([], 0, 1)).toBeUndefined();
  const many = Array.from({ length: 10_000 }, (_, index) => ({ word: 'x', startSample: index, endSample: index }));
  expect(placeWords(many, 0, 16_000)).toEqual(many.slice(0, MAX_SPOKEN_WORDS));
});

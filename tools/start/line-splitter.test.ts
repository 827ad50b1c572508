import { expect, test } from 'vitest';
import { LineSplitter } from './line-splitter.ts';

test('lines come out whole, however they arrive', () => {
  const splitter = new LineSplitter();
  expect(splitter.push('one\ntw')).toEqual(['one']);
  expect(splitter.push('o\r\n\nrest')).toEqual(['two', '']);
  expect(splitter.end()).toEqual(['rest']);
  expect(splitter.end()).toEqual([]);
});

test('an endless line is cut', () => {
  const splitter = new LineSplitter();
  const lines = splitter.push('x'.repeat(40_000));
  expect(lines.map((line) => line.length)).toEqual([16_384, 16_384]);
  expect(splitter.end()[0]).toHaveLength(40_000 - 2 * 16_384);
});

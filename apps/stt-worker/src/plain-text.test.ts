import { expect, test } from 'vitest';
import { joinTexts, plainText } from './plain-text.ts';

test.each([
  ['the(2) lights are on', 'the lights are on'],
  ['<s> hello <sil> there </s>', 'hello there'],
  ['[NOISE] yes ++UH++ please', 'yes please'],
  ['THE LIGHTS ARE ON', 'the lights are on'],
  ['Dr. Brown said: Yes.', 'Dr. Brown said: Yes.'],
  ['  two   spaces ', 'two spaces'],
  ['<unk>', ''],
  ['今天 天气', '今天 天气'],
])('%j is written as %j', (given, written) => {
  expect(plainText(given)).toBe(written);
});

test.each([
  ['', '', ''],
  ['hello', '', 'hello'],
  ['', 'hello', 'hello'],
  ['hello', 'there', 'hello there'],
  ['今天', '天气', '今天天气'],
  ['用', 'Parley', '用 Parley'],
])('%j and %j are joined to %j', (before, after, whole) => {
  expect(joinTexts(before, after)).toBe(whole);
});

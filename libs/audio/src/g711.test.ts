import { expect, test } from 'vitest';
import { decodeAlaw, decodeMulaw, encodeAlaw, encodeMulaw } from './g711.ts';

const ALL_BYTES = Uint8Array.from({ length: 256 }, (_, byte) => byte);
const ALL_SAMPLES = Int16Array.from({ length: 65_536 }, (_, index) => index - 32_768);

test('known µ-law and A-law bytes have the values of the ITU tables', () => {
  expect([...decodeMulaw(Uint8Array.of(0xff, 0x7f, 0x00, 0x80, 0xef))]).toEqual([0, 0, -32_124, 32_124, 132]);
  expect([...decodeAlaw(Uint8Array.of(0xd5, 0x55, 0x2a, 0xaa))]).toEqual([8, -8, -32_256, 32_256]);
});

test.each([
  ['µ-law', encodeMulaw, decodeMulaw],
  ['A-law', encodeAlaw, decodeAlaw],
])('%s decoded and encoded again keeps its value', (_name, encode, decode) => {
  const values = decode(ALL_BYTES);
  expect(decode(encode(values))).toEqual(values);
});

test.each([
  ['µ-law', encodeMulaw, decodeMulaw],
  ['A-law', encodeAlaw, decodeAlaw],
])('%s stays within its quantisation step for every sample', (_name, encode, decode) => {
  const decoded = decode(encode(ALL_SAMPLES));
  for (let i = 0; i < ALL_SAMPLES.length; i++) {
    const sample = ALL_SAMPLES[i] ?? 0;
    const error = Math.abs((decoded[i] ?? 0) - sample);
    if (error > Math.max(16, Math.abs(sample) / 16 + 8)) expect.fail(`${sample} became ${decoded[i]}`);
  }
});

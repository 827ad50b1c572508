import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AudioError } from './audio-error.ts';
import { bytesToInt16, concatInt16, float32ToInt16, int16ToBytes, int16ToFloat32 } from './pcm.ts';

test('int16 to float and back loses nothing', () => {
  fc.assert(
    fc.property(fc.int16Array(), (samples) => {
      expect(float32ToInt16(int16ToFloat32(samples))).toEqual(samples);
    }),
  );
});

test('floats beyond full scale clip and do not wrap round', () => {
  expect(float32ToInt16([1, 1.5, -1, -2, 0.5, Number.NaN, Number.POSITIVE_INFINITY])).toEqual(
    Int16Array.of(32_767, 32_767, -32_768, -32_768, 16_384, 0, 32_767),
  );
});

test('samples survive the way through bytes at any offset in memory', () => {
  fc.assert(
    fc.property(fc.int16Array(), fc.nat(7), (samples, offset) => {
      const memory = new Uint8Array(offset + samples.byteLength + 3);
      memory.set(int16ToBytes(samples), offset);
      expect(bytesToInt16(memory.subarray(offset, offset + samples.byteLength))).toEqual(samples);
    }),
  );
});

test('bytes are copied only when they lie on an odd offset', () => {
  const memory = new Uint8Array(9);
  expect(bytesToInt16(memory.subarray(2, 6)).buffer).toBe(memory.buffer);
  expect(bytesToInt16(memory.subarray(1, 5)).buffer).not.toBe(memory.buffer);
});

test('bytes are little-endian', () => {
  expect(bytesToInt16(Uint8Array.of(0x01, 0x80))).toEqual(Int16Array.of(-32_767));
});

test('an odd number of bytes is refused with a code', () => {
  expect(() => bytesToInt16(new Uint8Array(3))).toThrow(expect.objectContaining({ code: 'bad_pcm' }));
  expect(() => bytesToInt16(new Uint8Array(3))).toThrow(AudioError);
});

test('chunks are joined in order', () => {
  expect(concatInt16([Int16Array.of(1, 2), new Int16Array(0), Int16Array.of(3)])).toEqual(Int16Array.of(1, 2, 3));
});

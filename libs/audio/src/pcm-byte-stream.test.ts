import fc from 'fast-check';
import { expect, test } from 'vitest';
import { concatInt16, int16ToBytes } from './pcm.ts';
import { PcmByteStream } from './pcm-byte-stream.ts';

test('a stream cut anywhere gives the samples that went into it', () => {
  fc.assert(
    fc.property(fc.int16Array({ maxLength: 200 }), fc.array(fc.nat(9)), (samples, cuts) => {
      const bytes = int16ToBytes(samples);
      const stream = new PcmByteStream();
      const chunks: Int16Array[] = [];
      let offset = 0;
      for (const cut of cuts) {
        chunks.push(stream.push(bytes.subarray(offset, offset + cut)).slice());
        offset = Math.min(bytes.length, offset + cut);
      }
      chunks.push(stream.push(bytes.subarray(offset)));
      stream.end();
      expect(concatInt16(chunks)).toEqual(samples);
    }),
  );
});

test('a stream that ends inside a sample is an error', () => {
  const stream = new PcmByteStream();
  expect(stream.push(Uint8Array.of(1, 0, 2))).toEqual(Int16Array.of(1));
  expect(() => stream.end()).toThrow(expect.objectContaining({ code: 'bad_pcm' }));
});

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Frame, Framer } from './framer.ts';
import { concatInt16 } from './pcm.ts';

test('chunks of any size become frames that hold the same samples, numbered without a gap', () => {
  const inputs = [fc.array(fc.int16Array({ maxLength: 50 })), fc.integer({ min: 1, max: 40 }), fc.nat(1_000)] as const;
  fc.assert(
    fc.property(...inputs, (chunks, frameSamples, startSample) => {
      const framer = new Framer({ frameSamples, startSample });
      const frames: Frame[] = chunks.flatMap((chunk) => framer.push(chunk));
      for (const frame of frames) expect(frame.pcm).toHaveLength(frameSamples);
      expect(framer.heldSamples).toBeLessThan(frameSamples);
      const rest = framer.flush();
      if (rest) frames.push(rest);
      let expectedStart = startSample;
      for (const frame of frames) {
        expect(frame.startSample).toBe(expectedStart);
        expectedStart += frame.pcm.length;
      }
      expect(framer.nextSample).toBe(expectedStart);
      expect(concatInt16(frames.map(({ pcm }) => pcm))).toEqual(concatInt16(chunks));
    }),
  );
});

test('a padded flush gives a whole frame and counts only its real samples', () => {
  const framer = new Framer({ frameSamples: 4 });
  framer.push(Int16Array.of(9, 9, 9, 9, 1, 2));
  expect(framer.flush({ padded: true })).toEqual({ pcm: Int16Array.of(1, 2, 0, 0), startSample: 4 });
  expect(framer.nextSample).toBe(6);
  expect(framer.flush()).toBeUndefined();
});

test('frames stay as they are when the chunk is reused', () => {
  const chunk = Int16Array.of(1, 2);
  const [frame] = new Framer({ frameSamples: 2 }).push(chunk);
  chunk.fill(7);
  expect(frame?.pcm).toEqual(Int16Array.of(1, 2));
});

test('after a gap it goes on at the new position', () => {
  const framer = new Framer({ frameSamples: 2 });
  framer.push(Int16Array.of(1));
  framer.restart(100);
  expect(framer.push(Int16Array.of(5, 6))).toEqual([{ pcm: Int16Array.of(5, 6), startSample: 100 }]);
});

test('a frame size that is no whole number is refused', () => {
  expect(() => new Framer({ frameSamples: 0.5 })).toThrow(expect.objectContaining({ code: 'bad_format' }));
});

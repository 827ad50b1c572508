import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AudioRing } from './audio-ring.ts';

const ramp = (from: number, length: number) => Int16Array.from({ length }, (_, index) => (from + index) % 30_000);

test('a slice is what was appended under these numbers, whatever was dropped before', () => {
  const steps = fc.array(
    fc.record({
      add: fc.nat({ max: 3_000 }),
      dropTo: fc.nat({ max: 60_000 }),
      from: fc.nat(60_000),
      size: fc.nat(4_000),
    }),
    { maxLength: 40 },
  );
  fc.assert(
    fc.property(fc.nat({ max: 1_000_000 }), steps, (start, list) => {
      const ring = new AudioRing(start, 20_000);
      for (const { add, dropTo, from, size } of list) {
        const end = ring.endSample;
        const held = end - ring.startSample;
        expect(ring.append(ramp(end, add))).toBe(held + add > 20_000 ? 'full' : 'added');
        ring.dropBefore(start + dropTo);
        expect(ring.startSample).toBeLessThanOrEqual(ring.endSample);
        const [first, last] = [start + from, start + from + size];
        const present = ramp(
          Math.max(first, ring.startSample),
          Math.max(0, Math.min(last, ring.endSample) - Math.max(first, ring.startSample)),
        );
        expect(ring.slice(first, last)).toEqual(present);
      }
    }),
  );
});

test('after a gap it goes on at another number', () => {
  const ring = new AudioRing(0, 1_000);
  ring.append(ramp(0, 100));
  ring.restart(5_000);
  ring.append(ramp(5_000, 10));
  expect([ring.startSample, ring.endSample]).toEqual([5_000, 5_010]);
  expect(ring.slice(0, 5_002)).toEqual(ramp(5_000, 2));
});

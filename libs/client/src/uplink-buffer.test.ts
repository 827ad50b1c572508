import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UplinkBuffer } from './uplink-buffer.ts';

const samples = (from: number, count: number) => Int16Array.from({ length: count }, (_, i) => from + i);

describe('UplinkBuffer', () => {
  it('gives back what is not settled, cut to the sample', () => {
    const buffer = new UplinkBuffer(1_000);
    buffer.push(samples(0, 10));
    buffer.push(samples(10, 10));
    buffer.release(4);
    expect(buffer.from(0).map(({ startSample, pcm }) => [startSample, pcm.length])).toEqual([
      [4, 6],
      [10, 10],
    ]);
    expect(buffer.from(15).map(({ startSample, pcm }) => [startSample, [...pcm]])).toEqual([
      [15, [15, 16, 17, 18, 19]],
    ]);
    expect(buffer.from(20)).toEqual([]);
  });

  it('forgets the oldest beyond its bound', () => {
    const buffer = new UplinkBuffer(15);
    for (let i = 0; i < 4; i++) buffer.push(samples(i * 10, 10));
    expect(buffer.firstSample).toBe(25);
    expect(buffer.nextSample).toBe(40);
  });

  it('does not follow the memory of whoever pushed', () => {
    const buffer = new UplinkBuffer(100);
    const reused = samples(0, 3);
    buffer.push(reused);
    reused.fill(99);
    expect([...(buffer.from(0)[0]?.pcm ?? [])]).toEqual([0, 1, 2]);
  });

  it('holds exactly the newest samples that are not settled, whatever comes', () => {
    const step = fc.oneof(
      fc.record({ push: fc.integer({ min: 1, max: 40 }) }),
      fc.record({ release: fc.integer({ min: 0, max: 500 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.nat(400), (steps, from) => {
        const buffer = new UplinkBuffer(100);
        let next = 0;
        let first = 0;
        for (const one of steps) {
          if ('push' in one) {
            buffer.push(samples(next, one.push));
            next += one.push;
            first = Math.max(first, next - 100);
          } else {
            buffer.release(one.release);
            first = Math.max(first, Math.min(next, one.release));
          }
        }
        const start = Math.max(first, Math.min(from, next));
        expect(buffer.from(from).flatMap(({ pcm }) => [...pcm])).toEqual([...samples(start, next - start)]);
      }),
    );
  });
});

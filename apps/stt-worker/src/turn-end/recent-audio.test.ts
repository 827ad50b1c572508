import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RecentAudio } from './recent-audio.ts';

/** Samples that tell their own number. */
const numbered = (from: number, to: number): Int16Array => Int16Array.from({ length: to - from }, (_, i) => from + i);

describe('recent audio', () => {
  test('holds the newest samples, however they came', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(40), { minLength: 1 }), fc.nat(1_000), (lengths, start) => {
        const recent = new RecentAudio(50);
        let end = start;
        for (const length of lengths) {
          recent.put(end, numbered(end, end + length));
          end += length;
        }
        const from = Math.max(start, end - 50);
        expect(recent.slice(from, end)).toEqual(numbered(from, end));
        expect(recent.slice(from - 1, end)).toBeUndefined();
        expect(recent.slice(from, end + 1)).toBeUndefined();
      }),
    );
  });

  test('goes back to what is heard again', () => {
    const recent = new RecentAudio(50);
    recent.put(0, numbered(0, 40));
    recent.put(20, numbered(20, 30));
    expect(recent.slice(0, 30)).toEqual(numbered(0, 30));
    expect(recent.slice(0, 40)).toBeUndefined();
  });

  test('forgets what was before a gap', () => {
    const recent = new RecentAudio(50);
    recent.put(0, numbered(0, 30));
    recent.put(35, numbered(35, 45));
    expect(recent.slice(30, 45)).toBeUndefined();
    expect(recent.slice(35, 45)).toEqual(numbered(35, 45));
  });

  test('takes the end of what is longer than itself', () => {
    const recent = new RecentAudio(50);
    recent.put(7, numbered(7, 207));
    expect(recent.slice(157, 207)).toEqual(numbered(157, 207));
  });
});

import { describe, expect, test } from 'vitest';
import { staticSilence } from './endpointing.ts';

const samples = (ms: number): number => ms * 16;

describe('static silence', () => {
  test.each([
    { silenceMs: 700, lastSpeechMs: 1_000, positionMs: 1_500, ends: false },
    { silenceMs: 700, lastSpeechMs: 1_000, positionMs: 1_699, ends: false },
    { silenceMs: 700, lastSpeechMs: 1_000, positionMs: 1_700, ends: true },
    { silenceMs: 700, lastSpeechMs: 1_000, positionMs: 9_000, ends: true },
    { silenceMs: 100, lastSpeechMs: 1_000, positionMs: 1_100, ends: true },
    { silenceMs: 5_000, lastSpeechMs: 1_000, positionMs: 5_999, ends: false },
    // What a predecessor heard may lie ahead of what has been heard again.
    { silenceMs: 100, lastSpeechMs: 3_000, positionMs: 1_000, ends: false },
  ])('of $silenceMs ms after $lastSpeechMs ends a turn at $positionMs: $ends', (row) => {
    const utterance = { lastSpeechSample: samples(row.lastSpeechMs), position: samples(row.positionMs) };
    expect(staticSilence(row.silenceMs)(utterance)).toBe(row.ends);
  });
});

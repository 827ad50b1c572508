import { expect, test } from 'vitest';
import { applyGain, firstSampleAbove, lastSampleAbove, peakDbfs, rms, rmsDbfs } from './level.ts';

const SINE = Int16Array.from({ length: 1_600 }, (_, i) => Math.round(32_767 * Math.sin((2 * Math.PI * i) / 16)));

test('a full-scale sine is at -3 dBFS, its peak at 0', () => {
  expect(rmsDbfs(SINE)).toBeCloseTo(-3.01, 2);
  expect(peakDbfs(SINE)).toBeCloseTo(0, 2);
});

test('digital silence is infinitely far down', () => {
  expect(rmsDbfs(new Int16Array(160))).toBe(Number.NEGATIVE_INFINITY);
  expect(rms(new Int16Array(0))).toBe(0);
});

test('gain changes the level by so many decibels and clips', () => {
  expect(rmsDbfs(applyGain(SINE, -20))).toBeCloseTo(-23.01, 1);
  expect(peakDbfs(applyGain(SINE, 20))).toBeCloseTo(0, 2);
});

test('the first and last sample above a level are found, or nothing', () => {
  const samples = Int16Array.of(0, 100, -400, 20, 350, 327, 0);
  expect(firstSampleAbove(samples, -40)).toBe(2);
  expect(lastSampleAbove(samples, -40)).toBe(4);
  expect(firstSampleAbove(samples, -20)).toBeUndefined();
  expect(lastSampleAbove(samples, -20)).toBeUndefined();
});

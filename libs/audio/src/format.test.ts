import { expect, test } from 'vitest';
import { bytesToMs, bytesToSamples, msToBytes, msToSamples, SPEECH_FORMAT, samplesToMs } from './format.ts';

test('20 ms of speech are 320 samples in 640 bytes', () => {
  expect(msToSamples(20, 16_000)).toBe(320);
  expect(msToBytes(20, SPEECH_FORMAT)).toBe(640);
  expect(bytesToMs(640, SPEECH_FORMAT)).toBe(20);
  expect(samplesToMs(320, 16_000)).toBe(20);
});

test('a stereo sample counts once', () => {
  const stereo = { sampleRateHz: 8_000, channels: 2, encoding: 'pcm16' } as const;
  expect(bytesToSamples(320, stereo)).toBe(80);
  expect(bytesToMs(320, stereo)).toBe(10);
});

test('a begun sample does not count', () => {
  expect(bytesToSamples(641, SPEECH_FORMAT)).toBe(320);
});

test('G.711 takes one byte a sample', () => {
  expect(msToBytes(20, { sampleRateHz: 8_000, channels: 1, encoding: 'mulaw' })).toBe(160);
});

import { INT16_SCALE } from './pcm.ts';

/** Root mean square of PCM16, from 0 to 1; 0 for no samples. */
export function rms(samples: Int16Array): number {
  if (samples.length === 0) return 0;
  let sum = 0;
  for (let i = 0; i < samples.length; i++) {
    const value = samples[i] ?? 0;
    sum += value * value;
  }
  return Math.sqrt(sum / samples.length) / INT16_SCALE;
}

/** Largest absolute value of PCM16, from 0 to 1. */
export function peak(samples: Int16Array): number {
  let largest = 0;
  for (let i = 0; i < samples.length; i++) {
    const value = Math.abs(samples[i] ?? 0);
    if (value > largest) largest = value;
  }
  return largest / INT16_SCALE;
}

/** An amplitude from 0 to 1 in decibels below full scale; 0 gives -Infinity. */
export function amplitudeToDbfs(amplitude: number): number {
  return 20 * Math.log10(amplitude);
}

/** Decibels below full scale as an amplitude from 0 to 1. */
export function dbfsToAmplitude(dbfs: number): number {
  return 10 ** (dbfs / 20);
}

/** RMS level in dBFS. A full-scale square wave is 0, a full-scale sine -3.01, digital silence -Infinity. */
export function rmsDbfs(samples: Int16Array): number {
  return amplitudeToDbfs(rms(samples));
}

/** Peak level in dBFS. */
export function peakDbfs(samples: Int16Array): number {
  return amplitudeToDbfs(peak(samples));
}

/** Index of the first sample whose absolute value lies above the level, or `undefined`. */
export function firstSampleAbove(samples: Int16Array, dbfs: number): number | undefined {
  const threshold = dbfsToAmplitude(dbfs) * INT16_SCALE;
  const index = samples.findIndex((value) => Math.abs(value) > threshold);
  return index < 0 ? undefined : index;
}

/** Index of the last sample whose absolute value lies above the level, or `undefined`. */
export function lastSampleAbove(samples: Int16Array, dbfs: number): number | undefined {
  const threshold = dbfsToAmplitude(dbfs) * INT16_SCALE;
  const index = samples.findLastIndex((value) => Math.abs(value) > threshold);
  return index < 0 ? undefined : index;
}

/** The same audio, louder or softer by so many decibels, clipped at full scale. */
export function applyGain(samples: Int16Array, gainDb: number): Int16Array {
  const factor = dbfsToAmplitude(gainDb);
  return samples.map((value) => Math.max(-32_768, Math.min(32_767, Math.round(value * factor))));
}

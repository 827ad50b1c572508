import { AudioError, AudioErrorCode } from './audio-error.ts';

/** How one sample is stored. */
export type SampleEncoding = 'pcm16' | 'float32' | 'mulaw' | 'alaw';

/** What a run of audio bytes means. A sample counts once for all channels: positions are in time, not in values. */
export interface AudioFormat {
  readonly sampleRateHz: number;
  readonly channels: number;
  readonly encoding: SampleEncoding;
}

/** The rate at which user speech is carried, recognised and counted everywhere inside Parley. */
export const SPEECH_SAMPLE_RATE_HZ = 16_000;

/** User speech inside Parley: 16 kHz mono PCM16. */
export const SPEECH_FORMAT: AudioFormat = { sampleRateHz: SPEECH_SAMPLE_RATE_HZ, channels: 1, encoding: 'pcm16' };

const MIN_SAMPLE_RATE_HZ = 1_000;
const MAX_SAMPLE_RATE_HZ = 192_000;

const ENCODED_BYTES: Record<SampleEncoding, number> = { pcm16: 2, float32: 4, mulaw: 1, alaw: 1 };

/** Throws `bad_format` unless the rate is a whole number from 1 000 to 192 000. */
export function assertSampleRate(sampleRateHz: number): void {
  if (!Number.isInteger(sampleRateHz) || sampleRateHz < MIN_SAMPLE_RATE_HZ || sampleRateHz > MAX_SAMPLE_RATE_HZ) {
    throw new AudioError(
      AudioErrorCode.BadFormat,
      `sample rate must be a whole number from ${MIN_SAMPLE_RATE_HZ} to ${MAX_SAMPLE_RATE_HZ} Hz, not ${sampleRateHz}`,
    );
  }
}

/** Bytes that one sample takes over all channels. */
export function bytesPerSample({ encoding, channels }: AudioFormat): number {
  return ENCODED_BYTES[encoding] * channels;
}

/** Duration of so many samples. Exact, so it may have a fraction. */
export function samplesToMs(samples: number, sampleRateHz: number): number {
  return (samples * 1000) / sampleRateHz;
}

/** Samples in a duration, to the nearest one. */
export function msToSamples(ms: number, sampleRateHz: number): number {
  return Math.round((ms * sampleRateHz) / 1000);
}

/** Bytes that so many samples take. */
export function samplesToBytes(samples: number, format: AudioFormat): number {
  return samples * bytesPerSample(format);
}

/** Whole samples in so many bytes; a begun sample does not count. */
export function bytesToSamples(bytes: number, format: AudioFormat): number {
  return Math.floor(bytes / bytesPerSample(format));
}

/** Bytes of a duration, to the nearest whole sample. */
export function msToBytes(ms: number, format: AudioFormat): number {
  return samplesToBytes(msToSamples(ms, format.sampleRateHz), format);
}

/** Duration of so many bytes. */
export function bytesToMs(bytes: number, format: AudioFormat): number {
  return samplesToMs(bytesToSamples(bytes, format), format.sampleRateHz);
}

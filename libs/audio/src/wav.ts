import * as wavefile from 'wavefile';
import { AudioError, AudioErrorCode } from './audio-error.ts';
import { assertSampleRate } from './format.ts';
import { decodeAlaw, decodeMulaw } from './g711.ts';
import { INT16_SCALE, int16ToBytes, toInt16Sample } from './pcm.ts';

// Node sees the CommonJS build, whose exports all hang on `default`; bundlers take the ESM build, which has none.
const { WaveFile } = (wavefile as unknown as { default?: typeof wavefile }).default ?? wavefile;

/** A recording read from a WAV file, already mixed down to one channel. */
export interface WavAudio {
  readonly sampleRateHz: number;
  /** Channels in the file; `samples` are their mean. */
  readonly channels: number;
  readonly samples: Int16Array;
}

const HEADER_BYTES = 44;

/**
 * Reads a WAV file of 8 to 32 bit PCM, 32 or 64 bit float, µ-law or A-law, any rate and number of channels. A length left
 * open by a writer that streamed (0xFFFFFFFF and the like) means up to the end. Throws `bad_wav` with what is wrong.
 */
export function readWav(bytes: Uint8Array): WavAudio {
  const wav = new WaveFile();
  try {
    wav.fromBuffer(withKnownLengths(bytes), true);
  } catch (error) {
    if (error instanceof AudioError) throw error;
    throw badWav(`the WAV file cannot be read: ${error instanceof Error ? error.message : String(error)}`, error);
  }
  const { numChannels: channels, sampleRate: sampleRateHz } = wav.fmt as { numChannels: number; sampleRate: number };
  if (channels < 1 || channels > MAX_CHANNELS) throw badWav(`${channels} channels are not supported`);
  try {
    assertSampleRate(sampleRateHz);
  } catch (error) {
    throw badWav(`a sample rate of ${sampleRateHz} Hz is not supported`, error);
  }
  const samples = mixDown(interleavedSamples(wav), channels);
  if (samples.length === 0) throw badWav('the WAV file holds no audio');
  return { sampleRateHz, channels, samples };
}

/** A WAV file of mono PCM16. */
export function writeWav(samples: Int16Array, sampleRateHz: number): Uint8Array {
  assertSampleRate(sampleRateHz);
  const wav = new WaveFile();
  wav.fromScratch(1, sampleRateHz, '16', samples);
  return wav.toBuffer();
}

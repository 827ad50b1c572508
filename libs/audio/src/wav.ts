import * as wavefile from 'wavefile';
import { AudioError, AudioErrorCode } from './audio-error.ts';
import { commonJsExports } from './commonjs-exports.ts';
import { assertSampleRate } from './format.ts';
import { decodeAlaw, decodeMulaw } from './g711.ts';
import { INT16_SCALE, toInt16Sample } from './pcm.ts';

const { WaveFile } = commonJsExports(wavefile);

/** A recording read from a WAV file, already mixed down to one channel. */
export interface WavAudio {
  readonly sampleRateHz: number;
  /** Channels in the file; `samples` are their mean. */
  readonly channels: number;
  readonly samples: Int16Array;
}

const MAX_CHANNELS = 64;

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

type Wave = InstanceType<typeof WaveFile>;

/** All channels' samples in turn, in int16 units: as int16 where that loses nothing, else with their fraction. */
function interleavedSamples(wav: Wave): Int16Array | Float64Array {
  switch (wav.bitDepth) {
    case '8':
      return wav.getSamples(true, Float64Array).map((value) => (value - 128) * 256);
    case '16':
      return wav.getSamples(true, Int16Array) as unknown as Int16Array;
    case '24':
      return wav.getSamples(true, Float64Array).map((value) => value / 256);
    case '32':
      return wav.getSamples(true, Float64Array).map((value) => value / 65_536);
    case '32f':
    case '64':
      return wav.getSamples(true, Float64Array).map((value) => value * INT16_SCALE);
    case '8a':
      return decodeAlaw(dataBytes(wav));
    case '8m':
      return decodeMulaw(dataBytes(wav));
    default:
      throw badWav('only 8 to 32 bit PCM, 32 and 64 bit float, A-law and µ-law are supported');
  }
}

function dataBytes(wav: Wave): Uint8Array {
  const { samples, chunkSize } = wav.data as { samples: Uint8Array; chunkSize: number };
  return samples.subarray(0, chunkSize);
}

/** The mean of all channels; a begun sample at the end, of which some channels are missing, is left out. */
function mixDown(interleaved: Int16Array | Float64Array, channels: number): Int16Array {
  if (channels === 1 && interleaved instanceof Int16Array) return interleaved;
  const mixed = new Int16Array(Math.floor(interleaved.length / channels));
  for (let i = 0; i < mixed.length; i++) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) sum += interleaved[i * channels + channel] ?? 0;
    mixed[i] = toInt16Sample(sum / channels / INT16_SCALE);
  }
  return mixed;
}

/**
 * The file with the length of its audio checked and, where a streaming writer left it open, filled in. `wavefile` itself
 * takes a file that is cut short for a short one.
 */
function withKnownLengths(bytes: Uint8Array): Uint8Array {
  if (bytes.byteLength === 0) throw badWav('the file is empty');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const container = bytes.byteLength < 12 ? '' : fourCharacters(view, 0);
  if (!['RIFF', 'RIFX', 'RF64'].includes(container) || fourCharacters(view, 8) !== 'WAVE') {
    throw badWav('this is not a WAV file: it does not begin with a RIFF/WAVE header');
  }
  const littleEndian = container !== 'RIFX';
  for (let offset = 12; offset + 8 <= bytes.byteLength; ) {
    const chunkBytes = view.getUint32(offset + 4, littleEndian);
    const availableBytes = bytes.byteLength - offset - 8;
    if (fourCharacters(view, offset) === 'data') {
      if (chunkBytes <= availableBytes && !isOpenLength(chunkBytes, view, littleEndian)) return bytes;
      if (container === 'RF64' && chunkBytes === 0xffff_ffff) return bytes;
      if (!isOpenLength(chunkBytes, view, littleEndian)) {
        throw badWav(`the WAV file is cut short: ${availableBytes} of ${chunkBytes} bytes of audio are there`);
      }
      const closed = new Uint8Array(bytes);
      new DataView(closed.buffer).setUint32(offset + 4, availableBytes, littleEndian);
      return closed;
    }
    offset += 8 + chunkBytes + (chunkBytes % 2);
  }
  throw badWav('the WAV file is cut short: it has no audio data');
}

/** Writers that cannot seek back put 0 in both lengths, or the largest number they know. */
function isOpenLength(chunkBytes: number, view: DataView, littleEndian: boolean): boolean {
  return chunkBytes >= 0x7fff_f000 || (chunkBytes === 0 && view.getUint32(4, littleEndian) === 0);
}

function fourCharacters(view: DataView, offset: number): string {
  return String.fromCharCode(...[0, 1, 2, 3].map((index) => view.getUint8(offset + index)));
}

function badWav(message: string, cause?: unknown): AudioError {
  return new AudioError(AudioErrorCode.BadWav, message, { cause });
}

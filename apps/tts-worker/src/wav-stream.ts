import { PcmByteStream } from '@parley/audio';
import { VoiceError } from '@parley/protocol';
import type { SpeechChunk } from './synthesizer.ts';

const PCM = 1;
const EXTENSIBLE = 0xfffe;
/** A header longer than this is no header. */
const MAX_HEADER_BYTES = 64 * 1024;

interface Format {
  readonly sampleRateHz: number;
  readonly channels: number;
}

/** WAV as it comes over the network: speech is handed on before the end of the file, whose length may not be known. */
export class WavStream {
  readonly #pcm = new PcmByteStream();
  #header: Uint8Array = new Uint8Array(0);
  #format: Format | undefined;
  #remainingBytes = 0;
  #rest = new Int16Array(0);

  /** What can be said by now; undefined while only header has come. Throws `engine_failed` for what is not PCM16. */
  push(bytes: Uint8Array): SpeechChunk | undefined {
    const data = this.#format === undefined ? this.#readHeader(bytes) : bytes;
    if (data === undefined || this.#format === undefined) return undefined;
    // Other chunks may follow the samples.
    const wanted = data.subarray(0, Math.min(data.byteLength, this.#remainingBytes));
    this.#remainingBytes -= wanted.byteLength;
    return { samples: this.#mixDown(this.#pcm.push(wanted)), sampleRateHz: this.#format.sampleRateHz };
  }

  /** Call at the end of the stream. Throws when there was no audio, or it ended inside a sample. */
  end(): void {
    if (this.#format === undefined) throw new VoiceError('engine_failed', 'the WAV stream ended inside its header');
    this.#pcm.end();
  }

  #readHeader(bytes: Uint8Array): Uint8Array | undefined {
    this.#header = Buffer.concat([this.#header, bytes]);
    const view = new DataView(this.#header.buffer, this.#header.byteOffset, this.#header.byteLength);
    let format: Format | undefined;
    for (let offset = 12; offset + 8 <= view.byteLength; ) {
      const id = view.getUint32(offset);
      const size = view.getUint32(offset + 4, true);
      const start = offset + 8;
      if (id === DATA) {
        if (format === undefined) throw new VoiceError('engine_failed', 'the WAV stream has no format before its data');
        this.#format = format;
        this.#remainingBytes = size === 0 || size >= 0x7fff_ffff ? Number.POSITIVE_INFINITY : size;
        return this.#header.subarray(start);
      }
      if (id === FMT && start + 16 <= view.byteLength) format = readFormat(view, start);
      offset = start + size + (size % 2);
    }
    if (view.byteLength > MAX_HEADER_BYTES) throw new VoiceError('engine_failed', 'the WAV stream has no data');
    return undefined;
  }

  #mixDown(samples: Int16Array): Int16Array {
    const channels = this.#format?.channels ?? 1;
    if (channels === 1) return samples;
    const joined = new Int16Array(this.#rest.length + samples.length);
    joined.set(this.#rest);
    joined.set(samples, this.#rest.length);
    const mono = new Int16Array(Math.floor(joined.length / channels));
    for (let i = 0; i < mono.length; i++) {
      let sum = 0;
      for (let channel = 0; channel < channels; channel++) sum += joined[i * channels + channel] ?? 0;
      mono[i] = Math.round(sum / channels);
    }
    this.#rest = joined.slice(mono.length * channels);
    return mono;
  }
}

const DATA = 0x64_61_74_61;
const FMT = 0x66_6d_74_20;

function readFormat(view: DataView, start: number): Format {
  const encoding = view.getUint16(start, true);
  const channels = view.getUint16(start + 2, true);
  const sampleRateHz = view.getUint32(start + 4, true);
  const bits = view.getUint16(start + 14, true);
  if ((encoding !== PCM && encoding !== EXTENSIBLE) || bits !== 16 || channels < 1 || channels > 8) {
    throw new VoiceError('engine_failed', `WAV of encoding ${encoding}, ${bits} bits, ${channels} channels`);
  }
  return { sampleRateHz, channels };
}

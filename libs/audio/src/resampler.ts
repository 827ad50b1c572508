import * as libsamplerate from '@alexanderolsen/libsamplerate-js';
import { AudioError, AudioErrorCode } from './audio-error.ts';
import { commonJsExports } from './commonjs-exports.ts';
import { assertSampleRate } from './format.ts';
import { concatInt16, INT16_SCALE, toInt16Sample } from './pcm.ts';

const { create, ConverterType } = commonJsExports(libsamplerate);

type Converter = Awaited<ReturnType<typeof create>>;

/**
 * How steep the filter is. Milliseconds of one core for a second of audio, 24 to 16 kHz: `fastest` 3, `medium` 6, `best`
 * 23; delay at 16 kHz 1.3, 2.9 and 9 ms. By libsamplerate's figures `fastest`
 * keeps 80 % of the band with 97 dB between signal and noise, which is right for speech.
 */
export type ResamplerQuality = 'fastest' | 'medium' | 'best';

export interface ResamplerOptions {
  readonly fromHz: number;
  readonly toHz: number;
  readonly quality?: ResamplerQuality;
}

/** One stream's conversion. What goes in by chunks comes out sample for sample as if it had gone in at once. */
export interface Resampler {
  readonly fromHz: number;
  readonly toHz: number;
  /** What can be said by now; a few samples of filter delay stay inside until more comes. */
  push(samples: Int16Array): Int16Array;
  /** The tail, so that in total `round(samples · toHz / fromHz)` have come out. The next push begins a new stream. */
  flush(): Int16Array;
  /** Releases the converter; idempotent. Needed also when the stream was abandoned without `flush`. */
  close(): void;
}

/** Opens a stream from one rate to another. Equal rates pass samples through untouched. Throws `bad_format`. */
export async function createResampler({ fromHz, toHz, quality = 'fastest' }: ResamplerOptions): Promise<Resampler> {
  assertSampleRate(fromHz);
  assertSampleRate(toHz);
  if (fromHz === toHz) return new PassThrough(fromHz);
  return new SincResampler(fromHz, toHz, await takeConverter(fromHz, toHz, quality));
}

/** A whole recording from one rate to another: `round(samples.length · toHz / fromHz)` samples. */
export async function resample(
  samples: Int16Array,
  fromHz: number,
  toHz: number,
  quality: ResamplerQuality = 'fastest',
): Promise<Int16Array> {
  const resampler = await createResampler({ fromHz, toHz, quality });
  try {
    return concatInt16([resampler.push(samples), resampler.flush()]);
  } finally {
    resampler.close();
  }
}

const CONVERTER_TYPES = {
  fastest: ConverterType.SRC_SINC_FASTEST,
  medium: ConverterType.SRC_SINC_MEDIUM_QUALITY,
  best: ConverterType.SRC_SINC_BEST_QUALITY,
} as const;

// A converter is a module instance of its own: 8 ms to make, 1.7 MB resident in an address range of 26 MB. Short streams
// (a clause, a file) therefore hand it on; more idle ones than this are left to the garbage collector.
const MAX_IDLE_CONVERTERS = 8;
const idleConverters: Converter[] = [];

async function takeConverter(fromHz: number, toHz: number, quality: ResamplerQuality): Promise<Converter> {
  const converterType = CONVERTER_TYPES[quality];
  const idle = idleConverters.pop();
  if (idle === undefined) return create(1, fromHz, toHz, { converterType });
  // Each setter starts the filter anew, so nothing of the previous stream is left. The output rate is set first:
  // the library must never see two equal rates.
  idle.converterType = converterType;
  idle.inputSampleRate = fromHz;
  idle.outputSampleRate = toHz;
  idle.ratio = toHz / fromHz;
  return idle;
}

function handBackConverter(converter: Converter): void {
  if (idleConverters.length < MAX_IDLE_CONVERTERS) idleConverters.push(converter);
  else converter.destroy();
}

/** Input samples handed to the converter at a time, far below what its own buffers hold. */
const BLOCK_SAMPLES = 8_192;

class SincResampler implements Resampler {
  readonly fromHz: number;
  readonly toHz: number;
  readonly #input = new Float32Array(BLOCK_SAMPLES);
  readonly #output: Float32Array;
  readonly #written = { frames: 0 };
  #converter: Converter | undefined;
  #samplesIn = 0;
  #samplesOut = 0;

  constructor(fromHz: number, toHz: number, converter: Converter) {
    this.fromHz = fromHz;
    this.toHz = toHz;
    this.#converter = converter;
    this.#output = new Float32Array(Math.ceil((BLOCK_SAMPLES * toHz) / fromHz) + 1);
  }

  push(samples: Int16Array): Int16Array {
    const blocks: Int16Array[] = [];
    for (let offset = 0; offset < samples.length; offset += BLOCK_SAMPLES) {
      const block = samples.subarray(offset, offset + BLOCK_SAMPLES);
      for (let i = 0; i < block.length; i++) this.#input[i] = (block[i] ?? 0) / INT16_SCALE;
      blocks.push(this.#convert(block.length));
    }
    this.#samplesIn += samples.length;
    return onlyOrJoined(blocks);
  }

  flush(): Int16Array {
    const expected = Math.round((this.#samplesIn * this.toHz) / this.fromHz);
    const blocks: Int16Array[] = [];
    // The library never learns that the input has ended, so silence pushes the tail out of the filter.
    while (this.#samplesOut < expected) {
      this.#input.fill(0);
      const missing = expected - this.#samplesOut;
      blocks.push(this.#convert(BLOCK_SAMPLES).subarray(0, missing));
    }
    this.#restart();
    return onlyOrJoined(blocks);
  }

  close(): void {
    if (this.#converter === undefined) return;
    handBackConverter(this.#converter);
    this.#converter = undefined;
  }

  #convert(samples: number): Int16Array {
    const converter = this.#open();
    converter.full(this.#input.subarray(0, samples), this.#output, this.#written);
    const converted = new Int16Array(this.#written.frames);
    for (let i = 0; i < converted.length; i++) converted[i] = toInt16Sample(this.#output[i] ?? 0);
    this.#samplesOut += converted.length;
    return converted;
  }

  #restart(): void {
    const converter = this.#open();
    converter.inputSampleRate = this.fromHz;
    this.#samplesIn = 0;
    this.#samplesOut = 0;
  }

  #open(): Converter {
    if (this.#converter === undefined) throw new AudioError(AudioErrorCode.BadFormat, 'the resampler is closed');
    return this.#converter;
  }
}

class PassThrough implements Resampler {
  readonly fromHz: number;
  readonly toHz: number;

  constructor(rateHz: number) {
    this.fromHz = rateHz;
    this.toHz = rateHz;
  }

  push(samples: Int16Array): Int16Array {
    return samples;
  }

  flush(): Int16Array {
    return new Int16Array(0);
  }

  close(): void {}
}

function onlyOrJoined(blocks: readonly Int16Array[]): Int16Array {
  const [first] = blocks;
  return first !== undefined && blocks.length === 1 ? first : concatInt16(blocks);
}

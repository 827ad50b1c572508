import { readFileSync } from 'node:fs';
import { readWav } from '@parley/audio';
import { INPUT_RATE_HZ } from '@parley/protocol';

const SPEECH = new URL('../../../libs/testkit/fixtures/speech/slt-02.wav', import.meta.url);
/** −40 dBFS: what counts as a loud sample. */
const LOUD = 328;

/** Recorded speech from its first loud sample on, 16 kHz. */
export function questionSamples(lengthMs: number): Int16Array {
  const { samples, sampleRateHz } = readWav(readFileSync(SPEECH));
  if (sampleRateHz !== INPUT_RATE_HZ) throw new Error('the recording is not at 16 kHz');
  const onset = samples.findIndex((sample) => Math.abs(sample) >= LOUD);
  return samples.slice(onset, onset + (lengthMs / 1_000) * INPUT_RATE_HZ);
}

/** A second of noise at a level, or of digital silence. */
export function backgroundSamples(levelDbfs: number | undefined): Int16Array {
  const samples = new Int16Array(INPUT_RATE_HZ);
  if (levelDbfs === undefined) return samples;
  // The root mean square of an even distribution is its greatest value over √3.
  const greatest = 32_768 * 10 ** (levelDbfs / 20) * Math.sqrt(3);
  for (let index = 0; index < samples.length; index += 1) samples[index] = (2 * Math.random() - 1) * greatest;
  return samples;
}

/** A microphone that is always on: background, and now and then a question, sample by sample without a seam. */
export class Microphone {
  readonly #background: Int16Array;
  /** First sample not yet taken. */
  #position = 0;
  #question: { readonly samples: Int16Array; readonly startSample: number } | undefined;

  constructor(background: Int16Array) {
    this.#background = background;
  }

  /** First sample of the next frame. */
  get position(): number {
    return this.#position;
  }

  /** Says something from a sample on that has not been taken yet. Answers the sample after its last. */
  say(samples: Int16Array, startSample: number): number {
    this.#question = { samples, startSample };
    return startSample + samples.length;
  }

  /** The next frame as PCM16 bytes. */
  take(frameSamples: number): Uint8Array {
    const frame = new Int16Array(frameSamples);
    const from = this.#position % (this.#background.length - frameSamples);
    frame.set(this.#background.subarray(from, from + frameSamples));
    if (this.#question) {
      const offset = this.#position - this.#question.startSample;
      const { samples } = this.#question;
      if (offset >= samples.length) this.#question = undefined;
      else if (offset >= 0) frame.set(samples.subarray(offset, offset + frameSamples));
      else if (offset > -frameSamples) frame.set(samples.subarray(0, frameSamples + offset), -offset);
    }
    this.#position += frameSamples;
    return new Uint8Array(frame.buffer);
  }
}

import { concatInt16 } from '@parley/audio';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { continueAtSilence, continueSpeech, type ResumeWay, skipSamples } from './resume.ts';

const RATE_HZ = 16_000;

async function* cut(samples: Int16Array, size: number): AsyncGenerator<Int16Array> {
  for (let at = 0; at < samples.length; at += size) yield samples.subarray(at, at + size);
}

async function collect(speech: AsyncIterable<Int16Array>): Promise<Int16Array> {
  const chunks: Int16Array[] = [];
  for await (const samples of speech) chunks.push(samples);
  return concatInt16(chunks);
}

/** Tones of the given lengths in ms; every second one is silence, its samples still telling their place. */
const words = (...lengthsMs: number[]): Int16Array =>
  concatInt16(
    lengthsMs.map((ms, index) =>
      Int16Array.from({ length: (ms * RATE_HZ) / 1_000 }, (_, at) => (index % 2 === 0 ? 8_000 : 1 + (at % 7))),
    ),
  );

describe('a half-heard clause', () => {
  it('goes on at exactly the same sample where its engine is deterministic', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(60), fc.nat(70), fc.integer({ min: 1, max: 20 }), async (length, count, size) => {
        const samples = Int16Array.from({ length }, (_, index) => index);
        expect(await collect(skipSamples(cut(samples, size), count))).toEqual(samples.subarray(count));
      }),
    );
  });

  it.each([1, 7, 160, 5_000, 1_000_000])(
    'goes on at the next silence of another rendering, in pieces of %i',
    async (size) => {
      const samples = words(300, 100, 300, 100, 300);
      const heard = (350 + 150) * 16; // in the middle of the second word
      const rest = await collect(continueAtSilence(cut(samples, size), heard, RATE_HZ));
      // Within a frame of the second silence.
      expect(rest.length).toBeGreaterThan(390 * 16);
      expect(rest.length).toBeLessThanOrEqual(400 * 16);
      expect(rest.subarray(-300 * 16)).toEqual(samples.subarray(-300 * 16));
    },
  );

  it('goes on at the softest place of the next second where there is no silence', async () => {
    const samples = new Int16Array(3 * RATE_HZ).fill(8_000);
    samples.fill(4_000, 20_000, 20_400);
    const rest = await collect(continueAtSilence(cut(samples, 800), 16_000, RATE_HZ));
    expect(samples.length - rest.length).toBeGreaterThanOrEqual(19_900);
    expect(samples.length - rest.length).toBeLessThanOrEqual(20_400);
    expect(rest[0]).toBe(0); // faded in
  });

  it('ends where the new rendering is shorter than what was heard', async () => {
    expect(await collect(continueAtSilence(cut(words(200), 100), 16_000, RATE_HZ))).toHaveLength(0);
  });

  it('says the short rest that has no pause', async () => {
    expect(await collect(continueAtSilence(cut(words(500), 100), 300 * 16, RATE_HZ))).toHaveLength(200 * 16);
  });
});

describe('a clause whose last samples are known', () => {
  const spoken = Int16Array.from({ length: RATE_HZ }, (_, at) => Math.round(8_000 * Math.sin(at / 7)));
  const heard = { samples: 5_000, tail: spoken.slice(2_000, 5_000) };
  const goOn = async (speech: Int16Array, size: number, deterministic = false, known = true) => {
    const ways: ResumeWay[] = [];
    const options = { rateHz: RATE_HZ, deterministic, onWay: (way: ResumeWay) => ways.push(way) };
    const from = known ? heard : { ...heard, tail: undefined };
    return { rest: await collect(continueSpeech(cut(speech, size), from, options)), ways };
  };

  it.each([1, 160, 4_999, 50_000])(
    'goes on at the same sample of the same rendering, in pieces of %i',
    async (size) => {
      expect(await goOn(spoken, size)).toEqual({ rest: spoken.subarray(5_000), ways: ['same_sample'] });
    },
  );

  it('takes renderings for the same that differ by rounding', async () => {
    const rounded = spoken.map((value, at) => value + (at % 3) - 1);
    expect(await goOn(rounded, 160)).toEqual({ rest: rounded.subarray(5_000), ways: ['same_sample'] });
  });

  it('does not believe an engine that gives something else', async () => {
    const other = spoken.map((_, at) => Math.round(8_000 * Math.sin(at / 9)));
    expect((await goOn(other, 160, true)).ways).toEqual(['silence']);
  });

  it('believes the engine where nothing is left to compare', async () => {
    expect((await goOn(spoken, 160, true, false)).rest).toEqual(spoken.subarray(5_000));
    expect((await goOn(spoken, 160, false, false)).ways).toEqual(['silence']);
  });

  it('adds nothing to a clause that had been said to its end', async () => {
    expect((await goOn(spoken.subarray(0, 5_000), 160)).rest).toHaveLength(0);
  });
});

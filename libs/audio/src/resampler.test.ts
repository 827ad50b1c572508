import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { rmsDbfs } from './level.ts';
import { concatInt16 } from './pcm.ts';
import { createResampler, resample } from './resampler.ts';

function sine(rateHz: number, frequencyHz: number, ms: number): Int16Array {
  return Int16Array.from({ length: Math.round((rateHz * ms) / 1000) }, (_, i) =>
    Math.round(16_384 * Math.sin((2 * Math.PI * frequencyHz * i) / rateHz)),
  );
}

async function inChunks(samples: Int16Array, fromHz: number, toHz: number, sizes: readonly number[]) {
  const resampler = await createResampler({ fromHz, toHz });
  try {
    const chunks: Int16Array[] = [];
    let offset = 0;
    for (let i = 0; offset < samples.length; i++) {
      const size = sizes[i % sizes.length] ?? samples.length;
      chunks.push(resampler.push(samples.subarray(offset, offset + size)));
      offset += size;
    }
    chunks.push(resampler.flush());
    return concatInt16(chunks);
  } finally {
    resampler.close();
  }
}

const RATES = [8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000];

describe.each(RATES.flatMap((fromHz) => RATES.map((toHz) => [fromHz, toHz] as const)))(
  '%i to %i Hz',
  (fromHz, toHz) => {
    test('a tone keeps its length, level, frequency and phase to the last sample', async () => {
      const tone = sine(fromHz, 440, 300);
      const converted = await resample(tone, fromHz, toHz);
      const ideal = sine(toHz, 440, 300);
      expect(converted).toHaveLength(Math.round((tone.length * toHz) / fromHz));
      expect(rmsDbfs(converted)).toBeCloseTo(rmsDbfs(ideal), 1);
      const edge = Math.ceil(toHz / 250);
      for (let i = edge; i < Math.min(ideal.length, converted.length) - edge; i++) {
        if (Math.abs((converted[i] ?? 0) - (ideal[i] ?? 0)) > 3)
          expect.fail(`sample ${i}: ${converted[i]} for ${ideal[i]}`);
      }
    });

    test('chunks give the same samples as the whole at once', async () => {
      const samples = sine(fromHz, 333, 120);
      const whole = await resample(samples, fromHz, toHz);
      expect(await inChunks(samples, fromHz, toHz, [160, 1, 7, 481])).toEqual(whole);
    });
  },
);

test('any cutting of any samples gives the same as the whole at once', async () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(fc.int16Array({ maxLength: 3_000 }), sizes, async (samples, cuts) => {
      expect(await inChunks(samples, 24_000, 16_000, cuts)).toEqual(await resample(samples, 24_000, 16_000));
    }),
    { numRuns: 30 },
  );
});

test('what the lower rate cannot carry is filtered out instead of folded back', async () => {
  const converted = await resample(sine(48_000, 11_000, 500), 48_000, 16_000);
  // The tone's hard beginning and end are clicks, and rightly stay.
  expect(rmsDbfs(converted.subarray(100, -100))).toBeLessThan(-85);
});

test('equal rates hand the samples through untouched', async () => {
  const samples = sine(16_000, 440, 20);
  const resampler = await createResampler({ fromHz: 16_000, toHz: 16_000 });
  expect(resampler.push(samples)).toBe(samples);
  expect(resampler.flush()).toHaveLength(0);
  resampler.close();
});

test('a stream longer than a block and one after a flush begin without a trace of what was before', async () => {
  const long = sine(8_000, 200, 5_000);
  const resampler = await createResampler({ fromHz: 8_000, toHz: 16_000 });
  const first = concatInt16([resampler.push(long), resampler.flush()]);
  expect(concatInt16([resampler.push(long), resampler.flush()])).toEqual(first);
  expect(first).toHaveLength(80_000);
  resampler.close();
  resampler.close();
  expect(() => resampler.push(long)).toThrow(expect.objectContaining({ code: 'bad_format' }));
});

test('a converter left in the middle of a stream is clean for the next, of other rates and quality', async () => {
  const tone = sine(24_000, 440, 100);
  const fresh = await resample(tone, 24_000, 16_000);
  const abandoned = await createResampler({ fromHz: 8_000, toHz: 48_000, quality: 'medium' });
  abandoned.push(sine(8_000, 1_000, 50));
  abandoned.close();
  expect(await resample(tone, 24_000, 16_000)).toEqual(fresh);
});

test('streams open at the same time do not touch each other', async () => {
  const tones = [300, 500, 900].map((frequencyHz) => sine(24_000, frequencyHz, 100));
  const together = await Promise.all(tones.map((tone) => inChunks(tone, 24_000, 16_000, [97])));
  for (const [i, tone] of tones.entries()) expect(together[i]).toEqual(await resample(tone, 24_000, 16_000));
});

test('no samples give no samples', async () => {
  expect(await resample(new Int16Array(0), 8_000, 16_000)).toHaveLength(0);
});

test('a rate that makes no sense is refused', async () => {
  for (const rateHz of [0, -1, 16_000.5, Number.NaN, 1e6]) {
    await expect(resample(new Int16Array(1), rateHz, 16_000)).rejects.toMatchObject({ code: 'bad_format' });
  }
});

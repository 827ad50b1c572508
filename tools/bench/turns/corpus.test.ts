import { describe, expect, it } from 'vitest';
import { Corpus, coughs, type Utterance } from './corpus.ts';
import { UTTERANCES } from './seeds.ts';

const LOUD = 328;

/** Length of the longest run of digital silence, in milliseconds. */
function longestSilenceMs({ samples }: Pick<Utterance, 'samples'>): number {
  let [run, longest] = [0, 0];
  for (const sample of samples) {
    run = sample === 0 ? run + 1 : 0;
    longest = Math.max(longest, run);
  }
  return longest / 16;
}

describe('the corpus', () => {
  it('has no sentence in both of its parts', () => {
    const said = (split: 'tuning' | 'held-out') => Object.values(UTTERANCES[split]).flat();
    expect(said('tuning').filter((sentence) => said('held-out').includes(sentence))).toEqual([]);
  });

  it('begins and ends with a loud sample, and pauses for as long as it says', async () => {
    const utterances = await new Corpus('tuning').utterances(1, ['awkward-pause']);
    expect(utterances).toHaveLength(UTTERANCES.tuning['awkward-pause'].length);
    for (const { samples, pausesMs } of utterances) {
      expect(Math.abs(samples[0] ?? 0)).toBeGreaterThanOrEqual(LOUD);
      expect(Math.abs(samples.at(-1) ?? 0)).toBeGreaterThanOrEqual(LOUD);
      expect(longestSilenceMs({ samples })).toBeCloseTo(Math.max(...pausesMs), 0);
    }
  });

  it('coughs the same way in every run, and briefly', () => {
    expect(coughs(6)).toEqual(coughs(6));
    for (const { samples } of coughs(6)) expect(samples.length / 16).toBeLessThan(1_000);
  });
});

import { describe, expect, test } from 'vitest';
import { examplesOf, plainWords } from '../../training/examples.ts';
import { calibrate, packed, rankedRight, regress, scoreOf } from '../../training/regression.ts';
import { readUtterances, stretchesOf } from '../../training/utterances.ts';
import { textCompleteness } from './completeness.ts';
import { sentenceCompleteness } from './sentence-completeness.ts';
import { modelText } from './word-features.ts';
import { decodeWeights, encodeWeights, WordModel } from './word-model.ts';

/** Somebody paused here, and either went on or had finished. */
interface Pause {
  readonly said: string;
  readonly isEnd: boolean;
}

const pausesOf = (language: string): Pause[] =>
  readUtterances(new URL(`../../training/unseen/${language}.jsonl`, import.meta.url)).flatMap(({ text }) => {
    const parts = text.split('|').map((part) => plainWords(part));
    return parts.map((_, index) => ({
      said: parts
        .slice(0, index + 1)
        .flat()
        .join(' '),
      isEnd: index === parts.length - 1,
    }));
  });

const rankedBy = (pauses: readonly Pause[], judge: (said: string) => number): number =>
  rankedRight(pauses.map(({ said, isEnd }) => ({ logOdds: judge(said), isEnd, weight: 1 })));

describe('what was learnt', () => {
  test.each(['de', 'en', 'es', 'fr', 'it', 'nl', 'pt'])(
    'tells more than the rules of turns never seen: %s',
    (language) => {
      const pauses = pausesOf(language);
      const learnt = rankedBy(pauses, (said) => textCompleteness(said, language));
      expect(learnt).toBeGreaterThan(0.85);
      expect(learnt).toBeGreaterThan(rankedBy(pauses, (said) => sentenceCompleteness(said, language)) + 0.05);
    },
  );

  test('is a probability: of what is called likely most comes true, and of what is called unlikely little', () => {
    const judged = pausesOf('en').map(({ said, isEnd }) => ({ isEnd, probability: textCompleteness(said, 'en') }));
    const share = (from: number, to: number): number => {
      const those = judged.filter(({ probability }) => probability >= from && probability < to);
      return those.filter(({ isEnd }) => isEnd).length / those.length;
    };
    expect(share(0.9, 1.01)).toBeGreaterThan(0.85);
    expect(share(0, 0.1)).toBeLessThan(0.25);
    expect(share(0.4, 0.6)).toBeGreaterThan(0.3);
    expect(share(0.4, 0.6)).toBeLessThan(0.8);
  });
});

describe('learning', () => {
  const turns = ['we go home now', 'we go | to the sea now', 'they come home now', 'they come | to the sea now'];
  const examples = turns.flatMap((text, turn) => examplesOf(stretchesOf({ kind: 'natural', text }), 'en', turn));
  const repeated = [...examples, ...examples, ...examples];

  test('finds what turns end with, the same in every run', () => {
    const regression = regress(repeated);
    const scored = repeated.map(({ features, isEnd }) => ({
      logOdds: scoreOf(features, regression),
      isEnd,
      weight: 1,
    }));
    expect(rankedRight(scored)).toBe(1);
    expect(regress(repeated).weights).toEqual(regression.weights);
  });

  test('is packed into a file that judges nearly as it did', () => {
    const regression = regress(repeated);
    const scored = repeated.map(({ features, isEnd }) => ({
      logOdds: scoreOf(features, regression),
      isEnd,
      weight: 1,
    }));
    const { slope, offset } = calibrate(scored);
    const model = new WordModel(decodeWeights(encodeWeights(packed(regression, slope, offset))));
    for (const said of ['we go home now', 'they come', 'we go to the sea']) {
      const text = modelText(said, 'en', sentenceCompleteness(said, 'en'));
      const [example] = examplesOf([{ words: said.split(' '), weight: 1 }], 'en', 0).slice(-1);
      if (text === undefined || example === undefined) throw new Error('there is nothing to judge');
      expect(model.logOdds(text)).toBeCloseTo(slope * scoreOf(example.features, regression) + offset, 0);
    }
  });

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['something else', Buffer.from('this is no model at all')],
    [
      'half of one',
      encodeWeights({ hashes: Uint32Array.of(1, 2), weights: Int8Array.of(3, -4), scale: 1, bias: 0 }).subarray(0, 20),
    ],
  ])('takes %s for no file of a model', (_, bytes) => {
    expect(() => decodeWeights(bytes)).toThrow('no file of a word model');
  });
});

import { describe, expect, it } from 'vitest';
import { chosenModels } from './choose-models.ts';
import { findModel, MODELS, recommendedModels, stageOf } from './manifest.ts';
import { workerEnvironment } from './worker-environment.ts';

describe('the manifest', () => {
  it('has each name once, each made of what is safe as the name of a folder', () => {
    const names = MODELS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[a-z][\w.-]+$/);
  });

  it('names only files on secure hosts, licences and companions that exist', () => {
    for (const { url, archive, licence, languages, companions = [] } of MODELS) {
      expect(new URL(url).protocol).toBe('https:');
      expect(url.endsWith('.tar.bz2')).toBe(archive === 'tar.bz2');
      expect(licence).not.toBe('');
      expect(languages.length).toBeGreaterThan(0);
      for (const companion of companions) expect(findModel(companion)).toBeDefined();
    }
  });

  it('recommends one recogniser, one voice and the end-of-turn model, of a few hundred megabytes at most', () => {
    const recommended = recommendedModels();
    expect(recommended.map(stageOf).toSorted()).toEqual(['stt', 'tts', 'turn']);
    expect(recommended[0]?.kind).toMatch(/^online-/);
    expect(recommended.reduce((sum, model) => sum + model.approximateBytes, 0)).toBeLessThan(400_000_000);
  });
});

describe('the choice of models', () => {
  const recommended = recommendedModels().map(({ name }) => name);

  it.each([
    [undefined, recommended],
    ['', recommended],
    ['recommended', recommended],
    ['none', []],
    ['smart-turn-v3', ['smart-turn-v3']],
    [' kokoro-en-v0_19 , recommended,kokoro-en-v0_19', ['kokoro-en-v0_19', ...recommended]],
  ])('%j means %j', (value, names) => {
    expect(chosenModels(value)).toEqual(names);
  });
});

describe('the environment of a worker', () => {
  it('names engine, folder and kind of the model', () => {
    const voice = findModel('kitten-nano-en-v0_2-fp16');
    expect(voice && workerEnvironment(voice, '/models')).toEqual({
      PARLEY_TTS_ENGINE: 'sherpa',
      PARLEY_TTS_MODEL_DIR: '/models/kitten-nano-en-v0_2-fp16',
      PARLEY_TTS_MODEL_KIND: 'tts-kitten',
    });
  });

  it('names the vocoder that goes with a voice', () => {
    const voice = findModel('matcha-icefall-en_US-ljspeech');
    expect(voice && workerEnvironment(voice, '/models')).toMatchObject({
      PARLEY_TTS_VOCODER_DIR: '/models/vocos-22khz-univ',
    });
  });
});

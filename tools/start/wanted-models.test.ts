import { recommendedModels } from '@parley/models';
import { expect, test } from 'vitest';
import { wantedModels } from './wanted-models.ts';

const VOICE = 'vits-piper-en_US-ljspeech-medium';
const namesOf = (settings: Record<string, string>) => wantedModels(settings).models.map(({ model }) => model.name);

test('the recommended models are wanted unless something else is said', () => {
  const recommended = recommendedModels().map(({ name }) => name);
  expect(namesOf({})).toEqual(recommended);
  expect(namesOf({ PARLEY_STT_ENGINE: 'auto', PARLEY_TTS_VOICE: '' })).toEqual(recommended);
  expect(namesOf({ PARLEY_MODELS: 'none' })).toEqual([]);
});

test('engines that somebody has set are left alone, without a word', () => {
  expect(wantedModels({ PARLEY_STT_ENGINE: 'pocketsphinx', PARLEY_TURN_MODEL_DIR: '/here' })).toMatchObject({
    models: [{ model: { name: VOICE }, stage: 'tts' }],
    remarks: [],
  });
  expect(namesOf({ PARLEY_TTS_BASE_URL: 'http://localhost' })).not.toContain(VOICE);
  expect(namesOf({ PARLEY_TTS_VOICE: 'rms' })).not.toContain(VOICE);
});

test('what was asked for by name and cannot be used is remarked on', () => {
  const { models, remarks } = wantedModels({
    PARLEY_MODELS: `nonsense,vocos-22khz-univ,smart-turn-v3,kitten-nano-en-v0_2-fp16,${VOICE}`,
    PARLEY_TURN_MODEL_DIR: '/here',
  });
  expect(models.map(({ model }) => model.name)).toEqual(['kitten-nano-en-v0_2-fp16']);
  expect(remarks).toEqual([
    expect.stringContaining('nonsense, which is not a model'),
    expect.stringContaining('only part of another'),
    'smart-turn-v3 of PARLEY_MODELS is not used: its place is taken by PARLEY_TURN_MODEL_DIR',
    `${VOICE} of PARLEY_MODELS is not used: its place is taken by kitten-nano-en-v0_2-fp16`,
  ]);
});

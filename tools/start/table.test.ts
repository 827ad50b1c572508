import { expect, test } from 'vitest';
import { ModelStock } from './model-stock.ts';
import { startUpTable } from './table.ts';
import { wantedModels } from './wanted-models.ts';

const NOWHERE = { dir: '/nowhere', source: { kind: 'origin' } } as const;
const noModels = await ModelStock.take([], NOWHERE);

const worker = {
  id: 'a',
  host: 'here',
  pid: 1,
  ready: true,
  engine: 'flite',
  why: 'offline default',
  hint: 'set PARLEY_TTS_BASE_URL',
};

test('the table names places, engines, reasons and what would be better, each pool once', () => {
  const table = startUpTable({
    urls: ['http://127.0.0.1:8080', 'http://127.0.0.1:8081'],
    redis: 'its own',
    dataDir: '/data',
    stages: {
      tts: [worker, { ...worker, id: 'b', pid: 2 }],
    },
    models: noModels,
    offline: false,
    colour: false,
  });
  expect(table).toContain('ws://127.0.0.1:8081/v1/session');
  expect(table.match(/flite/g)).toHaveLength(1);
  expect(table).toMatch(/tts \(speaks\).*flite.*2.*offline default.*PARLEY_TTS_BASE_URL/);
});

test('it names the models with what there is to know before they are fetched', async () => {
  const models = await ModelStock.take(wantedModels({}).models, NOWHERE);
  const stages = { stt: [{ ...worker, engine: 'pocketsphinx', hint: 'set PARLEY_STT_MODEL_DIR' }] };
  const facts = { urls: [], redis: 'its own', dataDir: '/data', stages, models, colour: false };
  const table = startUpTable({ ...facts, offline: false });
  expect(table).toMatch(/vits-piper-en_US-ljspeech-medium.*speaking.*≈ 67 MB.*public domain.*being fetched/);
  expect(table).toContain('CC-BY-SA-4.0');
  expect(table).toMatch(/stt \(hears\).*offline default.*A model is being fetched/);
  expect(startUpTable({ ...facts, offline: true })).toMatch(
    /set PARLEY_STT_MODEL_DIR[\s\S]*smart-turn-v3.*BSD-2-Clause.*not here/,
  );
});

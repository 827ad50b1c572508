import { join } from 'node:path';
import { VoiceError } from '@parley/protocol';
import { ConfigError } from '@parley/runtime';
import { describe, expect, test } from 'vitest';
import { chooseEngine, hintFor, loadRecognizer } from './choose.ts';

const CONFIG = { modelDir: undefined, slots: 0, stallTimeoutMs: 10_000 };
const onTrouble = (): void => undefined;

describe('the engine', () => {
  test.each([
    [{ engine: 'auto', modelDir: undefined }, 'pocketsphinx', 'offline default'],
    [{ engine: 'auto', modelDir: '/models/zipformer' }, 'sherpa', 'PARLEY_STT_MODEL_DIR is set'],
    [{ engine: 'pocketsphinx', modelDir: '/models/other' }, 'pocketsphinx', 'set by PARLEY_STT_ENGINE'],
    [{ engine: 'module:/engines/mine.ts', modelDir: undefined }, 'module:/engines/mine.ts', 'set by PARLEY_STT_ENGINE'],
  ])('for %j is %s: %s', (config, engine, reason) => {
    expect(chooseEngine(config)).toMatchObject({ engine, reason });
  });

  test('says how to get a better one, or the one that is missing', () => {
    const choice = chooseEngine({ engine: 'auto', modelDir: undefined });
    expect(choice.hint).toContain('PARLEY_STT_MODEL_DIR');
    expect(hintFor(choice, new VoiceError('engine_missing'))).toBe(
      'apt-get install libpocketsphinx3 pocketsphinx-en-us',
    );
  });

  test('may be a module of ones own', async () => {
    const path = join(import.meta.dirname, 'testing', 'echo-engine.ts');
    const recognizer = await loadRecognizer({ engine: `module:${path}`, reason: '', hint: '' }, CONFIG, onTrouble);
    expect(recognizer.name).toBe('echo');
    await recognizer.close();
  });

  test('that cannot be loaded is told apart from one that cannot work', async () => {
    const missing = loadRecognizer({ engine: 'module:/nowhere.ts', reason: '', hint: '' }, CONFIG, onTrouble);
    await expect(missing).rejects.toMatchObject({ code: 'engine_missing' });
    const wrong = join(import.meta.dirname, 'endpointing.ts');
    const notAnEngine = loadRecognizer({ engine: `module:${wrong}`, reason: '', hint: '' }, CONFIG, onTrouble);
    await expect(notAnEngine).rejects.toThrow(ConfigError);
    const noModel = loadRecognizer({ engine: 'sherpa', reason: '', hint: '' }, CONFIG, onTrouble);
    await expect(noModel).rejects.toThrow(ConfigError);
  });
});

import { join } from 'node:path';
import { VoiceError } from '@parley/protocol';
import { ConfigError, systemClock } from '@parley/runtime';
import { describe, expect, test } from 'vitest';
import { chooseEngine, hintFor, loadRecognizer } from './choose.ts';

const CONFIG = { slots: 0, stallTimeoutMs: 10_000, fallbackAfterMs: 2_500 };
const HOOKS = {
  clock: systemClock,
  onTrouble: (): void => undefined,
  onFailed: (): void => undefined,
  onFallback: (): void => undefined,
};

describe('the engine', () => {
  test.each([
    [{ engine: 'auto', modelDir: undefined }, 'pocketsphinx', 'offline default'],
    [{ engine: 'auto', modelDir: '/models/zipformer' }, 'sherpa', 'PARLEY_STT_MODEL_DIR is set'],
    [{ engine: 'auto', baseUrl: 'http://stt/v1', modelDir: '/models/z' }, 'openai', 'PARLEY_STT_BASE_URL is set'],
    [{ engine: 'auto', apiKey: 'key' }, 'openai', 'PARLEY_STT_API_KEY is set'],
    [
      { engine: 'auto', deepgramApiKey: 'key', modelDir: '/models/z' },
      'deepgram',
      'PARLEY_STT_DEEPGRAM_API_KEY is set',
    ],
    [{ engine: 'deepgram,sherpa' }, 'deepgram,sherpa', 'set by PARLEY_STT_ENGINE'],
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
    const recognizer = await loadRecognizer({ engine: `module:${path}`, reason: '', hint: '' }, CONFIG, HOOKS);
    expect(recognizer.name).toBe('echo');
    await recognizer.close();
  });

  test('may be several, the first that works before the others', async () => {
    const path = join(import.meta.dirname, 'testing', 'echo-engine.ts');
    const engine = `module:/nowhere.ts,module:${path}`;
    const recognizer = await loadRecognizer({ engine, reason: '', hint: '' }, CONFIG, HOOKS);
    const stream = await recognizer.open();
    stream.accept(new Int16Array(16_000));
    expect(await stream.settle()).toBe('heard10');
    stream.close();
    await recognizer.close();
  });

  test('that cannot be loaded is told apart from one that cannot work', async () => {
    const missing = loadRecognizer({ engine: 'module:/nowhere.ts', reason: '', hint: '' }, CONFIG, HOOKS);
    await expect(missing).rejects.toMatchObject({ code: 'engine_missing' });
    const wrong = join(import.meta.dirname, 'endpointing.ts');
    const notAnEngine = loadRecognizer({ engine: `module:${wrong}`, reason: '', hint: '' }, CONFIG, HOOKS);
    await expect(notAnEngine).rejects.toThrow(ConfigError);
    const noModel = loadRecognizer({ engine: 'pocketsphinx,sherpa,openai', reason: '', hint: '' }, CONFIG, HOOKS);
    await expect(noModel).rejects.toThrow(/sherpa needs PARLEY_STT_MODEL_DIR.*openai needs PARLEY_STT_BASE_URL/s);
    await expect(noModel).rejects.toThrow(ConfigError);
  });
});

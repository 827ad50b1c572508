import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VoiceError } from '@parley/protocol';
import { ConfigError, createLogger, FakeClock, loadConfig } from '@parley/runtime';
import { describe, expect, it, vi } from 'vitest';
import { chooseEngine, hintFor, loadEngines } from './choose.ts';
import { type TtsConfig, ttsConfig } from './config.ts';
import { createFlite } from './synthesizers/flite.ts';
import { startWarmUp } from './warm-up.ts';

const configOf = (env: Record<string, string>): TtsConfig => loadConfig(ttsConfig, env);

describe('the choice of an engine', () => {
  it.each([
    [{}, 'flite', 'offline default'],
    [{ PARLEY_TTS_BASE_URL: 'http://localhost:8880/v1' }, 'openai', 'PARLEY_TTS_BASE_URL is set'],
    [{ PARLEY_TTS_API_KEY: 'key' }, 'openai', 'PARLEY_TTS_API_KEY is set'],
    [{ PARLEY_TTS_MODEL_DIR: '/models/amy' }, 'sherpa', 'PARLEY_TTS_MODEL_DIR is set'],
    [
      { PARLEY_TTS_ENGINE: 'openai,flite', PARLEY_TTS_API_KEY: 'key', PARLEY_TTS_VOICE: 'nova' },
      'openai,flite',
      'set by PARLEY_TTS_ENGINE',
    ],
    [{ PARLEY_TTS_ENGINE: 'flite', PARLEY_TTS_API_KEY: 'key' }, 'flite', 'set by PARLEY_TTS_ENGINE'],
  ])('with %j is %s', async (env, engine, reason) => {
    const config = configOf(env);
    const choice = chooseEngine(config);
    expect(choice).toMatchObject({ engine, reason });
    expect((await loadEngines(choice, config)).map(({ name }) => name).join(',')).toBe(engine);
  });

  it('says how to get a better voice than the offline one', () => {
    expect(chooseEngine(configOf({})).hint).toContain('PARLEY_TTS_BASE_URL');
  });

  it('refuses an engine that cannot be made of the configuration', async () => {
    for (const engine of ['siri', 'flite,', 'auto,flite', 'flite openai']) {
      expect(() => configOf({ PARLEY_TTS_ENGINE: engine })).toThrow(ConfigError);
    }
    for (const engine of ['openai', 'sherpa', 'module:/nowhere.ts', 'flite', 'flite,openai']) {
      const config = configOf({ PARLEY_TTS_ENGINE: engine, PARLEY_TTS_VOICE: 'alloy' });
      await expect(loadEngines(chooseEngine(config), config)).rejects.toThrow(ConfigError);
    }
  });

  it('takes an engine from a module', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tts-module-'));
    try {
      const path = join(folder, 'engine.mjs');
      await writeFile(path, 'export const createSynthesizer = (config) => ({ name: "mine " + config.slots });');
      const config = configOf({ PARLEY_TTS_ENGINE: `module:${path}`, PARLEY_TTS_SLOTS: '3' });
      expect(await loadEngines(chooseEngine(config), config)).toMatchObject([
        { name: 'mine 3', voices: [], languages: [], repeatable: false, deterministic: false },
      ]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('names the command that installs a missing flite', () => {
    expect(hintFor(chooseEngine(configOf({})), new VoiceError('engine_missing'))).toBe('apt-get install flite');
  });
});

describe('the warm-up', () => {
  it('is tried again until the engine works, and says meanwhile what would help', async () => {
    const clock = new FakeClock();
    const choice = chooseEngine(configOf({}));
    const missing = createFlite({ command: 'no-such-flite' });
    let engine = missing;
    const warmUp = startWarmUp({
      choice,
      synthesizer: { ...missing, warmUp: (signal) => engine.warmUp(signal) },
      clock,
      logger: createLogger({ name: 'test', level: 'silent' }),
      signal: new AbortController().signal,
    });
    expect(warmUp.status()).toMatchObject({ engine: 'flite', ready: false });
    await vi.waitFor(() =>
      expect(warmUp.status()).toMatchObject({ ready: false, engineHint: 'apt-get install flite' }),
    );
    engine = createFlite();
    await vi.waitFor(async () => {
      await clock.advance(1_000);
      expect(warmUp.status()).toMatchObject({ ready: true, engineHint: choice.hint });
    });
    await warmUp.finished;
    expect(clock.pendingTimers).toBe(0);
  });
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, type Environment } from '@parley/runtime';
import { startScriptedOllama } from '@parley/testkit';
import { afterAll, describe, expect, it } from 'vitest';
import { chooseEngines, loadLanguageModel } from './choose.ts';
import { testConfig, testParts } from './testing/config.ts';

const folder = mkdtempSync(join(tmpdir(), 'parley-engine-'));
afterAll(() => rmSync(folder, { recursive: true }));

const choose = (env: Environment, found: 'ready' | 'no model' | 'absent' = 'absent') =>
  chooseEngines(testConfig(env), async () => found);
const URL = { PARLEY_LLM_BASE_URL: 'http://127.0.0.1:1/v1' };
const KEY = { PARLEY_LLM_API_KEY: 'k', PARLEY_LLM_MODEL: 'm' };

describe('the choice of the engine', () => {
  it.each<[string, Environment, string, RegExp]>([
    ['nothing configured', {}, 'demo', /offline default/],
    ['a base URL', URL, 'openai', /PARLEY_LLM_BASE_URL/],
    ['a key and a model', KEY, 'openai', /PARLEY_LLM_API_KEY/],
    [
      'the demo asked for, though a server is configured',
      { ...URL, PARLEY_LLM_ENGINE: 'demo' },
      'demo',
      /PARLEY_LLM_ENGINE/,
    ],
    ['openai asked for', { ...URL, PARLEY_LLM_ENGINE: 'openai' }, 'openai', /PARLEY_LLM_ENGINE/],
    ['a module', { PARLEY_LLM_ENGINE: 'module:/x.ts' }, 'module:/x.ts', /PARLEY_LLM_ENGINE/],
  ])('with %s', async (_, env, engine, reason) => {
    const choice = await choose(env);
    expect(choice.engines.join()).toBe(engine);
    expect(choice.reason).toMatch(reason);
  });

  it('takes Ollama where nothing is configured and it answers with a model', async () => {
    expect(await choose({}, 'ready')).toMatchObject({ engines: ['ollama'], hint: '' });
    expect(await choose(URL, 'ready')).toMatchObject({ engines: ['openai'] });
    expect(await choose({}, 'no model')).toMatchObject({
      engines: ['demo'],
      hint: expect.stringContaining('ollama pull'),
    });
  });

  it('takes several engines in the order given', async () => {
    const choice = await choose({ ...URL, PARLEY_LLM_ENGINE: 'openai,ollama,demo' });
    expect(choice.engines).toEqual(['openai', 'ollama', 'demo']);
  });

  it('finds an Ollama server that answers, in no time where there is none', async () => {
    const ollama = await startScriptedOllama();
    const env = { PARLEY_LLM_OLLAMA_URL: ollama.url };
    expect(await chooseEngines(testConfig(env))).toMatchObject({ engines: ['ollama'] });
    ollama.setModels({});
    expect(await chooseEngines(testConfig(env))).toMatchObject({ engines: ['demo'] });
    ollama.setBehaviour({ status: 500 });
    expect(await chooseEngines(testConfig(env))).toMatchObject({ engines: ['demo'] });
    await ollama.close();
    const startedMs = performance.now();
    expect(await chooseEngines(testConfig(env))).toMatchObject({ engines: ['demo'] });
    expect(performance.now() - startedMs).toBeLessThan(1_000);
  });

  it('tells how to get a better engine than the demo', async () => {
    expect((await choose({})).hint).toContain('PARLEY_LLM_BASE_URL');
    expect((await choose(URL)).hint).toBe('');
  });

  it.each<[string, Environment]>([
    ['openai without a server', { PARLEY_LLM_ENGINE: 'openai' }],
    ['OpenAI without a model', { PARLEY_LLM_API_KEY: 'k' }],
  ])('finds fault with %s', async (_, env) => {
    await expect(choose(env)).rejects.toThrow(ConfigError);
  });

  it.each<[Environment, RegExp]>([
    [{ PARLEY_LLM_ENGINE: 'gpt' }, /PARLEY_LLM_ENGINE/],
    [{ PARLEY_LLM_ENGINE: 'auto,demo' }, /PARLEY_LLM_ENGINE/],
    [{ PARLEY_LLM_BASE_URL: 'http://a/v1,nowhere' }, /PARLEY_LLM_BASE_URL/],
    [{ PARLEY_LLM_BASE_URL: 'localhost' }, /PARLEY_LLM_BASE_URL/],
    [{ PARLEY_TIME_ZONE: 'Mars/Olympus' }, /PARLEY_TIME_ZONE/],
    [{ REDIS_URL: 'http://x' }, /REDIS_URL/],
  ])('refuses settings such as %j', (env, message) => {
    expect(() => testConfig(env)).toThrow(message);
  });

  it('loads an engine from a module', async () => {
    const path = join(folder, 'engine.mjs');
    writeFileSync(
      path,
      'export const createLanguageModel = ({ config }) => ({ name: `mine`, contextTokens: config.slots });',
    );
    const parts = testParts({ PARLEY_LLM_ENGINE: `module:${path}`, PARLEY_LLM_SLOTS: '3' });
    const model = await loadLanguageModel(await chooseEngines(parts.config), parts);
    expect(model).toEqual({ name: 'mine', contextTokens: 3 });
  });

  it.each<[string, string | undefined]>([
    ['is not there', undefined],
    ['exports something else', 'export const create = 1;'],
    ['cannot be run', 'throw new Error("no");'],
  ])('says when a module %s', async (_, source) => {
    const path = join(folder, `${Math.abs(source?.length ?? 0)}.mjs`);
    if (source !== undefined) writeFileSync(path, source);
    const parts = testParts({ PARLEY_LLM_ENGINE: `module:${path}` });
    await expect(loadLanguageModel(await chooseEngines(parts.config), parts)).rejects.toMatchObject({
      code: 'engine_missing',
    });
  });
});

import { type ScriptedLlm, startScriptedLlm, startScriptedOllama } from '@parley/testkit';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Engine, startEngine } from './engine.ts';
import { testParts } from './testing/config.ts';

let llm: ScriptedLlm;
let engine: Engine | undefined;

beforeEach(async () => {
  llm = await startScriptedLlm();
});
afterEach(async () => {
  await engine?.close();
  await llm.close();
});

const start = () => startEngine(testParts({ PARLEY_LLM_BASE_URL: llm.url }));

describe('the engine of a worker', () => {
  it('is ready once it has answered', async () => {
    engine = await start();
    expect(engine.status.ready).toBe(false);
    await engine.warmedUp;
    expect(engine.status).toMatchObject({ engine: 'openai', engineReason: 'set by PARLEY_LLM_BASE_URL', ready: true });
    expect(llm.warmUps).toBe(1);
  });

  it('says why it is not ready, and becomes ready when its server comes back', async () => {
    llm.setBehaviour({ status: 503 });
    engine = await start();
    await vi.waitFor(() => expect(engine?.status.engineReason).toMatch(/not ready: .*503/));
    expect(engine.status.ready).toBe(false);
    llm.setBehaviour({ status: undefined });
    await engine.warmedUp;
    expect(engine.status).toMatchObject({ engineReason: 'set by PARLEY_LLM_BASE_URL', ready: true });
  });

  it('names the command that gets a missing model', async () => {
    const ollama = await startScriptedOllama();
    const env = { PARLEY_LLM_ENGINE: 'ollama', PARLEY_LLM_OLLAMA_URL: ollama.url, PARLEY_LLM_MODEL: 'mine' };
    engine = await startEngine(testParts(env));
    await vi.waitFor(() => expect(engine?.status.engineHint).toContain('ollama pull mine'));
    expect(engine.status.ready).toBe(false);
    ollama.setModels({ mine: ['completion'] });
    await engine.warmedUp;
    expect(engine.status).toMatchObject({ engineHint: '', ready: true });
    await ollama.close();
  });

  it('is ready with a fallback, says what fails, and declares its languages', async () => {
    llm.setBehaviour({ status: 503 });
    engine = await startEngine(testParts({ PARLEY_LLM_ENGINE: 'openai,demo', PARLEY_LLM_BASE_URL: llm.url }));
    await engine.warmedUp;
    expect(engine.status).toMatchObject({
      ...{ engine: 'openai,demo', ready: true, languages: ['en'] },
      engineReason: 'set by PARLEY_LLM_ENGINE; openai does not answer',
    });
  });

  it('can be closed before it was ever ready', async () => {
    llm.setBehaviour({ firstTokenMs: 60_000 });
    engine = await start();
    await vi.waitFor(() => expect(llm.active).toBe(1));
    await engine.close();
    await vi.waitFor(() => expect(llm.active).toBe(0));
  });
});

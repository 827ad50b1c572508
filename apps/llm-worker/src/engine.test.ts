import { type ScriptedLlm, startScriptedLlm } from '@parley/testkit';
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

  it('can be closed before it was ever ready', async () => {
    llm.setBehaviour({ firstTokenMs: 60_000 });
    engine = await start();
    await vi.waitFor(() => expect(llm.active).toBe(1));
    await engine.close();
    await vi.waitFor(() => expect(llm.active).toBe(0));
  });
});

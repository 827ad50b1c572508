import { createMetrics } from '@parley/runtime';
import { type ScriptedLlm, startScriptedLlm } from '@parley/testkit';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { chooseEngines, loadLanguageModel } from '../choose.ts';
import type { LanguageModel } from '../language-model.ts';
import { llmMetrics } from '../metrics.ts';
import { testParts } from '../testing/config.ts';

let server: ScriptedLlm;
let model: LanguageModel;
let metrics = createMetrics({ processMetrics: false });

afterEach(async () => {
  await model.close();
  await server.close();
});

async function serve(): Promise<void> {
  server = await startScriptedLlm({ script: () => 'It is a fine day today.' });
  metrics = createMetrics({ processMetrics: false });
  const env = { PARLEY_LLM_ENGINE: 'openai,demo', PARLEY_LLM_BASE_URL: server.url, PARLEY_LLM_MODEL: 'm' };
  const parts = { ...testParts(env), metrics: llmMetrics(metrics) };
  model = await loadLanguageModel(await chooseEngines(parts.config), parts);
}

async function ask(firstPartTimeoutMs = 5_000): Promise<string> {
  let text = '';
  const options = { maxTokens: 50, language: 'en', firstPartTimeoutMs };
  const messages = [{ role: 'user', content: 'what is two plus two' }] as const;
  for await (const part of model.reply(messages, options, new AbortController().signal)) {
    if (part.kind === 'text') text += part.text;
  }
  return text;
}

const FIRST = 'It is a fine day today.';
const SECOND = 'Two plus two is four.';

describe('engines in order', () => {
  it('declare what all of them can do', async () => {
    await serve();
    expect(model).toMatchObject({ name: 'openai,demo', prefill: false, deterministic: false, languages: ['en'] });
  });

  it('leave the first one alone while it fails, and come back to it when it answers', async () => {
    await serve();
    expect(await ask()).toBe(FIRST);
    server.setBehaviour({ status: 500 });
    expect(await ask()).toBe(SECOND);
    expect(model.trouble).toBe('openai does not answer');
    const asked = server.requests.length;
    expect(await ask()).toBe(SECOND);
    expect(server.requests.length).toBe(asked);
    expect(await metrics.render()).toContain('parley_llm_handed_on_total{from="openai",code="engine_failed"} 1');
    server.setBehaviour({ status: undefined });
    await vi.waitFor(() => expect(model.trouble).toBeUndefined(), { timeout: 5_000, interval: 50 });
    expect(await ask()).toBe(FIRST);
  });

  it('hand a reply on in time where the first one hangs', async () => {
    await serve();
    server.setBehaviour({ hangAfterTokens: 0 });
    const startedMs = performance.now();
    expect(await ask(800)).toBe(SECOND);
    expect(performance.now() - startedMs).toBeLessThan(800);
  });

  it('fail where one breaks off, so that the next try is another’s', async () => {
    await serve();
    server.setBehaviour({ failAfterTokens: 2, tokensPerSecond: 50 });
    await expect(ask()).rejects.toMatchObject({ code: 'engine_failed', retryable: true });
    expect(await ask()).toBe(SECOND);
  });

  it('are ready when the second is, where the first does not answer', async () => {
    await serve();
    server.setBehaviour({ status: 503 });
    await model.warmUp(new AbortController().signal);
    expect(model.trouble).toBe('openai does not answer');
    expect(await ask()).toBe(SECOND);
  });
});

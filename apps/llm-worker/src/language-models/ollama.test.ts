import type { Environment } from '@parley/runtime';
import {
  type LlmBehaviour,
  type OllamaRequest,
  SCRIPTED_OLLAMA_MODEL,
  type ScriptedOllama,
  startScriptedOllama,
} from '@parley/testkit';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { ChatMessage, LanguageModel, ReplyOptions, ReplyPart } from '../language-model.ts';
import { testParts } from '../testing/config.ts';
import { createLanguageModel } from './ollama.ts';

const MESSAGES = [{ role: 'user', content: 'hello' }] as const;
const OPTIONS = { maxTokens: 100, language: 'en' };
const TOOL = { name: 'look', description: 'Looks.', parameters: { type: 'object', properties: {} } };
const TEXT = 'One two three, Ünïcödé and 你好 too.';

let server: ScriptedOllama;
let model: LanguageModel;

async function serve(behaviour: LlmBehaviour<OllamaRequest> = {}, env: Environment = {}): Promise<LanguageModel> {
  server = await startScriptedOllama({ script: () => TEXT, ...behaviour });
  model = await createLanguageModel(
    testParts({ PARLEY_LLM_ENGINE: 'ollama', PARLEY_LLM_OLLAMA_URL: server.url, ...env }),
  );
  return model;
}

afterEach(async () => {
  vi.restoreAllMocks();
  await model.close();
  await server.close();
});

async function read(messages: readonly ChatMessage[] = MESSAGES, options: Partial<ReplyOptions> = {}) {
  const parts: ReplyPart[] = [];
  for await (const part of model.reply(messages, { ...OPTIONS, ...options }, new AbortController().signal)) {
    if (part.kind !== 'text' || part.text !== '') parts.push(part);
  }
  return { parts, text: parts.map((part) => (part.kind === 'text' ? part.text : '')).join('') };
}

describe('the engine ollama', () => {
  it('asks the first model that can talk, within its context, and tells what it took', async () => {
    await serve({}, { PARLEY_LLM_TEMPERATURE: '0.3', PARLEY_LLM_CONTEXT_TOKENS: '8000' });
    const { parts, text } = await read();
    expect(text).toBe(TEXT);
    expect(parts.at(-1)).toMatchObject({ reason: 'stop', usage: { promptTokens: 7 } });
    expect(server.requests).toEqual([
      {
        ...{ model: SCRIPTED_OLLAMA_MODEL, messages: [...MESSAGES], stream: true, keep_alive: '30m', think: false },
        options: { num_ctx: 2_048, num_predict: 100, temperature: 0.3 },
      },
    ]);
    expect(model.contextTokens).toBe(2_048);
  });

  it('loads the model beforehand with the context that replies will ask for', async () => {
    await serve({}, { PARLEY_LLM_CONTEXT_TOKENS: '1000', PARLEY_LLM_KEEP_ALIVE: '-1' });
    await model.warmUp(new AbortController().signal);
    expect(server.loads).toEqual([
      expect.objectContaining({ messages: [], keep_alive: -1, options: { num_ctx: 1_000 } }),
    ]);
    await read();
    expect(server.requests[0]?.options?.num_ctx).toBe(1_000);
  });

  it('takes the address of its OpenAI-compatible side', async () => {
    await serve();
    await model.close();
    const env = { PARLEY_LLM_ENGINE: 'ollama', PARLEY_LLM_BASE_URL: `${server.url}/v1` };
    model = await createLanguageModel(testParts(env));
    expect((await read()).text).toBe(TEXT);
  });

  it('reads a stream cut at odd places', async () => {
    await serve({ raggedBytes: true });
    expect((await read()).text).toBe(TEXT);
  });

  it('tells the command that gets a missing model, and works as soon as it is there', async () => {
    await serve({}, { PARLEY_LLM_MODEL: 'mine:7b' });
    const warmUp = () => model.warmUp(new AbortController().signal);
    await expect(warmUp()).rejects.toMatchObject({
      code: 'engine_missing',
      message: expect.stringContaining('ollama pull mine:7b'),
    });
    server.setModels({ 'mine:7b': ['completion'] });
    await warmUp();
    server.setModels({});
    await expect(read()).rejects.toMatchObject({ code: 'engine_missing' });
  });

  it('says when no model is installed', async () => {
    await serve();
    server.setModels({ 'embed:latest': ['embedding'] });
    await expect(read()).rejects.toMatchObject({
      code: 'engine_missing',
      message: expect.stringMatching(/ollama pull/),
    });
  });

  it('closes the request when it is aborted before the first word, as while the model is loaded', async () => {
    await serve({ firstTokenMs: 60_000 });
    const abort = new AbortController();
    const reading = (async () => {
      for await (const _ of model.reply(MESSAGES, OPTIONS, abort.signal));
    })();
    await vi.waitFor(() => expect(server.active).toBe(1));
    abort.abort(new Error('cancelled'));
    await expect(reading).rejects.toThrow('cancelled');
    await vi.waitFor(() => expect(server.active).toBe(0));
  });

  it('has the server go on from a beginning', async () => {
    await serve({}, { PARLEY_LLM_PREFILL: 'true' });
    expect(model.prefill).toBe(true);
    await read(MESSAGES, { prefill: 'One two' });
    expect(server.requests[0]?.messages.at(-1)).toEqual({ role: 'assistant', content: 'One two' });
  });

  it('calls tools, and tells of their results', async () => {
    await serve({
      script: ({ messages }) =>
        messages.at(-1)?.role === 'tool' ? 'It is blue.' : [{ tool: 'look', arguments: '{"at":"sky"}' }],
    });
    const first = await read(MESSAGES, { tools: [TOOL] });
    const call = { call: 'call_0', name: 'look', arguments: '{"at":"sky"}' };
    expect(first.parts).toEqual([{ kind: 'toolCall', ...call }, expect.objectContaining({ reason: 'tool_calls' })]);
    expect(server.requests[0]?.tools).toEqual([{ type: 'function', function: TOOL }]);
    const told: ChatMessage[] = [
      ...MESSAGES,
      { role: 'assistant', content: '', toolCalls: [call] },
      { role: 'tool', call: 'call_0', name: 'look', content: 'blue' },
    ];
    expect((await read(told, { tools: [TOOL], noToolCalls: true })).text).toBe('It is blue.');
    expect(server.requests[1]?.tools).toBeUndefined();
    expect(server.requests[1]?.messages.slice(1)).toEqual([
      { role: 'assistant', content: '', tool_calls: [{ function: { name: 'look', arguments: { at: 'sky' } } }] },
      { role: 'tool', content: 'blue', tool_name: 'look' },
    ]);
  });

  it('leaves tools out for a model that cannot call any, for its server would refuse', async () => {
    await serve();
    server.setModels({ [SCRIPTED_OLLAMA_MODEL]: ['completion'] });
    await read(MESSAGES, { tools: [TOOL] });
    expect(server.requests[0]?.tools).toBeUndefined();
  });

  it('prints nothing of what was said, not even of an answer that cannot be read', async () => {
    const printed = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    const logged = vi.spyOn(console, 'log').mockImplementation(() => undefined);
    await serve({ script: () => 'secret words that are long enough', failAfterTokens: 3 });
    await expect(read()).rejects.toMatchObject({ code: 'engine_failed' });
    server.setBehaviour({ status: 500 });
    await expect(read()).rejects.toMatchObject({ code: 'engine_failed' });
    expect([printed.mock.calls, logged.mock.calls]).toEqual([[], []]);
  });
});

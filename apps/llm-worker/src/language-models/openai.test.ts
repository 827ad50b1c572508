import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type ErrorCode, VoiceError } from '@parley/protocol';
import { createLogger, type Environment } from '@parley/runtime';
import {
  type LlmBehaviour,
  type LlmRequest,
  SCRIPTED_MODEL,
  type ScriptedLlm,
  startScriptedLlm,
} from '@parley/testkit';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { LanguageModel, ReplyPart } from '../language-model.ts';
import { testParts } from '../testing/config.ts';
import { createLanguageModel } from './openai.ts';

const MESSAGES = [{ role: 'user', content: 'hello' }] as const;
const OPTIONS = { maxTokens: 100, language: 'en' };
const TEXT = 'One two three four five six seven eight nine ten, Ünïcödé and 你好 too.';

let server: ScriptedLlm;

async function serve(behaviour: LlmBehaviour<LlmRequest>, env: Environment = {}): Promise<LanguageModel> {
  server = await startScriptedLlm({ script: () => TEXT, ...behaviour });
  return await createLanguageModel(testParts({ PARLEY_LLM_BASE_URL: server.url, ...env }));
}

afterEach(() => server.close());

/** What came of a reply before it ended or failed. */
async function read(model: LanguageModel, signal = new AbortController().signal) {
  let text = '';
  const parts: ReplyPart[] = [];
  try {
    for await (const part of model.reply(MESSAGES, OPTIONS, signal)) {
      parts.push(part);
      if (part.kind === 'text') text += part.text;
    }
  } catch (error) {
    return { text, parts, error: error as VoiceError };
  }
  return { text, parts, error: undefined };
}

describe('the OpenAI-compatible engine', () => {
  it('asks for a stream with the messages and the greatest length', async () => {
    const model = await serve({}, { PARLEY_LLM_MODEL: 'm1', PARLEY_LLM_API_KEY: 'k', PARLEY_LLM_TEMPERATURE: '0.2' });
    expect((await read(model)).text).toBe(TEXT);
    expect(server.requests).toEqual([
      { model: 'm1', messages: [...MESSAGES], stream: true, max_tokens: 100, temperature: 0.2 },
    ]);
    expect(server.authorizations).toEqual(['Bearer k']);
  });

  it('sends no key to a server that has none', async () => {
    await read(await serve({}));
    expect(server.authorizations).toEqual([undefined]);
  });

  it("asks once for the server's models when none is configured, and takes the first", async () => {
    const model = await serve({});
    await read(model);
    await read(model);
    expect(server.requests.map((request) => request.model)).toEqual([SCRIPTED_MODEL, SCRIPTED_MODEL]);
  });

  it('reads a stream cut at odd places', async () => {
    expect((await read(await serve({ raggedBytes: true }))).text).toBe(TEXT);
  });

  it('gives the first words while the server still makes the rest', async () => {
    const model = await serve({ tokensPerSecond: 30 });
    for await (const part of model.reply(MESSAGES, OPTIONS, new AbortController().signal)) {
      if (part.kind === 'text') break;
    }
    await vi.waitFor(() => expect(server.abortedAtMs).toHaveLength(1));
  });

  it('closes the request when it is aborted in the middle', async () => {
    const model = await serve({ tokensPerSecond: 20 });
    const abort = new AbortController();
    const reading = read(model, abort.signal);
    await vi.waitFor(() => expect(server.active).toBe(1));
    const abortedAtMs = performance.now();
    abort.abort(new Error('cancelled'));
    expect((await reading).error?.message).toBe('cancelled');
    await vi.waitFor(() => expect(server.abortedAtMs).toHaveLength(1), { interval: 5 });
    expect((server.abortedAtMs[0] ?? 0) - abortedAtMs).toBeLessThan(50);
    expect(server.active).toBe(0);
  });

  it('closes the request when it is aborted before the first token', async () => {
    const model = await serve({ firstTokenMs: 60_000 });
    const abort = new AbortController();
    const reading = read(model, abort.signal);
    await vi.waitFor(() => expect(server.active).toBe(1));
    abort.abort(new Error('cancelled'));
    expect((await reading).error?.message).toBe('cancelled');
    await vi.waitFor(() => expect(server.abortedAtMs).toHaveLength(1));
  });

  it.each<[number, ErrorCode]>([
    [400, 'engine_rejected'],
    [401, 'engine_rejected'],
    [403, 'engine_rejected'],
    [404, 'engine_rejected'],
    [422, 'engine_rejected'],
    [408, 'engine_timeout'],
    [429, 'engine_failed'],
    [500, 'engine_failed'],
    [503, 'engine_failed'],
    [504, 'engine_timeout'],
  ])('fails on status %i with %s, having asked once', async (status, code) => {
    const model = await serve({ status }, { PARLEY_LLM_MODEL: 'm' });
    const { error } = await read(model);
    expect(error).toBeInstanceOf(VoiceError);
    expect(error?.code).toBe(code);
  });

  it("keeps to itself what a server's error repeats of the conversation", async () => {
    const refusing = createServer((request, response) => {
      request.resume();
      response.writeHead(400, { 'content-type': 'application/json' });
      response.end('{"error":{"message":"cannot answer: my secret","type":"invalid_request_error","code":"bad_role"}}');
    });
    await new Promise<void>((resolve) => refusing.listen(0, '127.0.0.1', resolve));
    server = await startScriptedLlm();
    const url = `http://127.0.0.1:${(refusing.address() as AddressInfo).port}/v1`;
    const parts = testParts({ PARLEY_LLM_BASE_URL: url, PARLEY_LLM_MODEL: 'm' });
    const { error } = await read(await createLanguageModel(parts));
    const lines: string[] = [];
    createLogger({ name: 'test', stream: { write: (line) => lines.push(line) } }).warn({ err: error }, 'failed');
    expect(lines.join()).toContain('invalid_request_error');
    expect(lines.join()).not.toContain('secret');
    refusing.closeAllConnections();
    await new Promise((resolve) => refusing.close(resolve));
  });

  it.each<[string, LlmBehaviour]>([
    ['hangs up in the middle', { failAfterTokens: 3 }],
    ['reports an error in the middle', { errorAfterTokens: 3 }],
    ['ends the stream without a finish', { endAfterTokens: 3 }],
  ])('fails when the server %s, after giving what came', async (_, behaviour) => {
    const { text, error } = await read(await serve({ tokensPerSecond: 50, ...behaviour }));
    expect(text).toBe('One two three');
    expect(error).toBeInstanceOf(VoiceError);
    expect(error).toMatchObject({ code: 'engine_failed', retryable: true });
  });

  it('fails when nobody listens at the address', async () => {
    const model = await serve({});
    await server.close();
    expect((await read(model)).error).toMatchObject({ code: 'engine_failed' });
    await expect(model.warmUp(new AbortController().signal)).rejects.toMatchObject({ code: 'engine_failed' });
  });

  it('times out when the server accepts the request and does not answer', async () => {
    server = await startScriptedLlm();
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/v1`;
    const env = { PARLEY_LLM_BASE_URL: url, PARLEY_LLM_MODEL: 'm', PARLEY_LLM_FIRST_TOKEN_TIMEOUT_MS: '100' };
    const model = await createLanguageModel(testParts(env));
    expect((await read(model)).error).toMatchObject({ code: 'engine_timeout', retryable: true });
    silent.closeAllConnections();
    await new Promise((resolve) => silent.close(resolve));
  });

  it('says when the server has no such thing as chat completions', async () => {
    const model = await serve({}, { PARLEY_LLM_MODEL: 'm' });
    const wrong = testParts({ PARLEY_LLM_BASE_URL: server.url.replace('/v1', '/other'), PARLEY_LLM_MODEL: 'm' });
    await model.close();
    expect((await read(await createLanguageModel(wrong))).error).toMatchObject({
      code: 'engine_rejected',
    });
  });

  it('has the server go on from a beginning', async () => {
    const model = await serve({}, { PARLEY_LLM_PREFILL: 'true' });
    expect(model.prefill).toBe(true);
    const options = { ...OPTIONS, prefill: 'One two' };
    for await (const _ of model.reply(MESSAGES, options, new AbortController().signal));
    expect(server.requests[0]).toMatchObject({
      messages: [...MESSAGES, { role: 'assistant', content: 'One two' }],
      continue_final_message: true,
      add_generation_prompt: false,
    });
  });

  it('puts the pieces of a tool call together', async () => {
    const model = await serve({ script: () => ({ tool: 'get_weather', arguments: '{"city":"Rome"}' }) });
    const { parts } = await read(model);
    expect(parts.filter(({ kind }) => kind !== 'text')).toEqual([
      { kind: 'toolCall', call: 'call_1', name: 'get_weather', arguments: '{"city":"Rome"}' },
      { kind: 'finish', reason: 'tool_calls' },
    ]);
  });

  it('serves fifty replies at once, each its own', async () => {
    const model = await serve({
      tokensPerSecond: 100,
      script: ({ messages }) => `You are ${messages.at(-1)?.content}.`,
    });
    const texts = await Promise.all(
      Array.from({ length: 50 }, async (_, index) => {
        let text = '';
        const messages = [{ role: 'user', content: `number ${index}` }] as const;
        for await (const part of model.reply(messages, OPTIONS, new AbortController().signal)) {
          if (part.kind === 'text') text += part.text;
        }
        return text;
      }),
    );
    expect(texts).toEqual(texts.map((_, index) => `You are number ${index}.`));
  });

  it('warms the server up with a single token', async () => {
    const model = await serve({});
    await model.warmUp(new AbortController().signal);
    expect(server.warmUps).toBe(1);
    expect(server.requests).toEqual([]);
  });
});

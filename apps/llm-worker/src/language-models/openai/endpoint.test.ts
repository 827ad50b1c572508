import { FakeClock, systemClock } from '@parley/runtime';
import { type ScriptedLlm, startScriptedLlm } from '@parley/testkit';
import OpenAI from 'openai';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Health } from '../../health.ts';
import type { LanguageModel, ReplyOptions } from '../../language-model.ts';
import { testParts } from '../../testing/config.ts';
import { createLanguageModel } from '../openai.ts';
import { Endpoint, endpointsFor } from './endpoint.ts';

const sessions = Array.from({ length: 300 }, (_, index) => `session-${index}`);
const client = new OpenAI({ apiKey: 'none', baseURL: 'http://127.0.0.1:1' });

const endpoint = (url: string): Endpoint =>
  new Endpoint({
    ...{ url, client },
    health: new Health({ clock: new FakeClock(), probeLimitMs: 1, probe: async () => undefined }),
  });
const firstFor = (endpoints: readonly Endpoint[], session: string | undefined, nowMs = 0) =>
  endpointsFor(endpoints, session, nowMs)[0];

describe('the choice among endpoints', () => {
  it('spreads sessions evenly, and sends each to the same one in every worker', () => {
    const here = ['a', 'b', 'c'].map(endpoint);
    const there = ['c', 'b', 'a'].map(endpoint);
    const counts = new Map<string | undefined, number>();
    for (const session of sessions) {
      const first = firstFor(here, session)?.url;
      expect(firstFor(there, session)?.url).toBe(first);
      counts.set(first, (counts.get(first) ?? 0) + 1);
    }
    for (const count of counts.values()) expect(count).toBeGreaterThan(sessions.length / 5);
    expect(counts.size).toBe(3);
  });

  it('moves only the sessions of one that has failed, and they come back', () => {
    const endpoints = ['a', 'b', 'c'].map(endpoint);
    const before = sessions.map((session) => firstFor(endpoints, session));
    endpoints[0]?.health.failed();
    for (const [index, session] of sessions.entries()) {
      const now = firstFor(endpoints, session);
      if (before[index] === endpoints[0]) expect(now).not.toBe(endpoints[0]);
      else expect(now).toBe(before[index]);
    }
    endpoints[0]?.health.succeeded();
    expect(sessions.map((session) => firstFor(endpoints, session))).toEqual(before);
  });

  it('leaves out one that is far slower than the best, until that is long ago', () => {
    const endpoints = ['a', 'b'].map(endpoint);
    endpoints[0]?.measured(100, 0);
    endpoints[1]?.measured(5_000, 0);
    expect(sessions.every((session) => firstFor(endpoints, session, 1) === endpoints[0])).toBe(true);
    expect(sessions.some((session) => firstFor(endpoints, session, 60_000) === endpoints[1])).toBe(true);
  });

  it('is not moved by small differences, and takes the fastest for requests of no session', () => {
    const endpoints = ['a', 'b'].map(endpoint);
    endpoints[0]?.measured(150, 0);
    endpoints[1]?.measured(100, 0);
    expect(sessions.some((session) => firstFor(endpoints, session, 1) === endpoints[0])).toBe(true);
    expect(firstFor(endpoints, undefined, 1)).toBe(endpoints[1]);
  });

  it('smooths what it measures', () => {
    const one = endpoint('a');
    one.measured(100, 0);
    one.measured(200, 1);
    expect(one.latencyMs(1)).toBeCloseTo(130);
    expect(one.latencyMs(60_000)).toBeUndefined();
  });
});

describe('an engine of two endpoints', () => {
  let servers: ScriptedLlm[] = [];
  let model: LanguageModel;

  afterEach(async () => {
    await model.close();
    for (const server of servers) await server.close();
  });

  async function serve(): Promise<void> {
    servers = [await startScriptedLlm(), await startScriptedLlm()];
    for (const [index, server] of servers.entries()) server.setBehaviour({ script: () => `I am ${index}.` });
    const parts = testParts({
      ...{ PARLEY_LLM_BASE_URL: servers.map(({ url }) => url).join(), PARLEY_LLM_MODEL: 'm' },
    });
    model = await createLanguageModel({ ...parts, clock: systemClock });
  }

  async function ask(session: string, options: Partial<ReplyOptions> = {}): Promise<string> {
    let text = '';
    const messages = [{ role: 'user', content: 'Who are you?' }] as const;
    const all = { maxTokens: 50, language: 'en', session, ...options };
    for await (const part of model.reply(messages, all, new AbortController().signal)) {
      if (part.kind === 'text') text += part.text;
    }
    return text;
  }

  it('keeps a session where it was, over connections that are kept', async () => {
    await serve();
    const texts = [];
    for (let turn = 0; turn < 6; turn += 1) texts.push(await ask('s'));
    expect(new Set(texts).size).toBe(1);
    // A connection is free again a moment after its reply.
    const [none, few] = servers.map(({ connections }) => connections).toSorted();
    expect(none).toBe(0);
    expect(few).toBeLessThanOrEqual(2);
    const others = await Promise.all(sessions.slice(0, 20).map((session) => ask(session)));
    expect(new Set(others)).toEqual(new Set(['I am 0.', 'I am 1.']));
  });

  it('routes around one that fails, within the turn, and comes back when it answers again', async () => {
    await serve();
    const home = Number((await ask('s')).match(/\d/)?.[0]);
    servers[home]?.setBehaviour({ status: 503 });
    const other = `I am ${1 - home}.`;
    expect(await ask('s')).toBe(other);
    expect(model.trouble).toContain(new URL(servers[home]?.url ?? '').host);
    // It is left alone meanwhile.
    const asked = servers[home]?.requests.length;
    expect(await ask('s')).toBe(other);
    expect(servers[home]?.requests.length).toBe(asked);
    servers[home]?.setBehaviour({ status: undefined });
    await vi.waitFor(() => expect(model.trouble).toBeUndefined(), { timeout: 5_000, interval: 50 });
    expect(await ask('s')).toBe(`I am ${home}.`);
  });

  it('routes around one that hangs, in a share of the time', async () => {
    await serve();
    const home = Number((await ask('s')).match(/\d/)?.[0]);
    servers[home]?.setBehaviour({ hangAfterTokens: 0 });
    const startedMs = performance.now();
    expect(await ask('s', { firstPartTimeoutMs: 600 })).toBe(`I am ${1 - home}.`);
    expect(performance.now() - startedMs).toBeLessThan(600);
    await vi.waitFor(() => expect(servers[home]?.active).toBe(0));
  });

  it('has a reply that broke off made by the other on its next try', async () => {
    await serve();
    const home = Number((await ask('s')).match(/\d/)?.[0]);
    servers[home]?.setBehaviour({ failAfterTokens: 2, tokensPerSecond: 50 });
    await expect(ask('s')).rejects.toMatchObject({ code: 'engine_failed', retryable: true });
    expect(await ask('s')).toBe(`I am ${1 - home}.`);
  });

  it('fails where both do, and warms up where one does', async () => {
    await serve();
    servers[0]?.setBehaviour({ status: 401 });
    await model.warmUp(new AbortController().signal);
    servers[1]?.setBehaviour({ status: 503 });
    // Another try can help as long as one of them may come back.
    await expect(ask('s')).rejects.toMatchObject({ code: 'engine_failed' });
    servers[1]?.setBehaviour({ status: 401 });
    await expect(ask('s')).rejects.toMatchObject({ code: 'engine_rejected' });
  });
});

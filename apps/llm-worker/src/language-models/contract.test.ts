import { systemClock } from '@parley/runtime';
import { type ScriptedLlm, startScriptedLlm } from '@parley/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ChatMessage, LanguageModel, ReplyPart } from '../language-model.ts';
import { testConfig } from '../testing/config.ts';
import { createLanguageModel as createDemo } from './demo.ts';
import { createLanguageModel as createOpenAi } from './openai.ts';

const OPTIONS = { maxTokens: 800, language: 'en' };
const LONG = 'tell me a story';

let server: ScriptedLlm;
let model: LanguageModel;

beforeAll(async () => {
  const story = 'Once upon a time there was a boat. '.repeat(40);
  server = await startScriptedLlm({
    tokensPerSecond: 200,
    script: ({ messages }) => (messages.at(-1)?.content === LONG ? story : 'It is a fine day.'),
  });
});
afterAll(() => server.close());
afterEach(() => model.close());

const ENGINES: readonly (readonly [name: string, create: () => LanguageModel | Promise<LanguageModel>])[] = [
  ['demo', () => createDemo({ config: testConfig(), clock: systemClock })],
  [
    'openai',
    () =>
      createOpenAi({
        config: testConfig({ PARLEY_LLM_BASE_URL: server.url, PARLEY_LLM_MODEL: 'm' }),
        clock: systemClock,
      }),
  ],
];

const ask = (content: string): ChatMessage[] => [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content },
];

async function collect(parts: AsyncIterable<ReplyPart>): Promise<ReplyPart[]> {
  const all: ReplyPart[] = [];
  for await (const part of parts) all.push(part);
  return all;
}

const textOf = (parts: readonly ReplyPart[]): string =>
  parts.map((part) => (part.kind === 'text' ? part.text : '')).join('');

describe.each(ENGINES)('the language model %s', (name, create) => {
  it('gives text and then, once, why it ended', async () => {
    model = await create();
    expect(model.name).toBe(name);
    const parts = await collect(model.reply(ask('how are you'), OPTIONS, new AbortController().signal));
    expect(textOf(parts)).toMatch(/\w+ \w+/);
    expect(parts.filter(({ kind }) => kind === 'finish')).toEqual([expect.objectContaining({ reason: 'stop' })]);
    expect(parts.at(-1)?.kind).toBe('finish');
  });

  it('shows progress before the end', async () => {
    model = await create();
    const startedMs = performance.now();
    const atMs: number[] = [];
    for await (const _ of model.reply(ask(LONG), OPTIONS, new AbortController().signal)) {
      atMs.push(performance.now() - startedMs);
    }
    expect(atMs.length).toBeGreaterThan(100);
    expect(atMs[0]).toBeLessThan((atMs.at(-1) ?? 0) / 4);
  });

  it('keeps to the greatest length', async () => {
    model = await create();
    const parts = await collect(model.reply(ask(LONG), { ...OPTIONS, maxTokens: 20 }, new AbortController().signal));
    expect(textOf(parts).split(' ').length).toBeLessThanOrEqual(21);
    expect(parts.at(-1)).toEqual({ kind: 'finish', reason: 'length' });
  });

  it('stops within 50 ms of an abort', async () => {
    model = await create();
    const abort = new AbortController();
    const reason = new Error('enough');
    let abortedAtMs = Number.NaN;
    const reading = (async () => {
      for await (const _ of model.reply(ask(LONG), OPTIONS, abort.signal)) {
        if (Number.isNaN(abortedAtMs)) {
          abortedAtMs = performance.now();
          abort.abort(reason);
        }
      }
    })();
    await expect(reading).rejects.toBe(reason);
    expect(performance.now() - abortedAtMs).toBeLessThan(50);
  });

  it('does nothing for a signal that is aborted already', async () => {
    model = await create();
    const abort = AbortSignal.abort(new Error('too late'));
    await expect(collect(model.reply(ask('hello'), OPTIONS, abort))).rejects.toThrow('too late');
  });

  it('answers many at once', async () => {
    model = await create();
    const signal = new AbortController().signal;
    const replies = await Promise.all(
      Array.from({ length: 30 }, () => collect(model.reply(ask('how are you'), OPTIONS, signal))),
    );
    expect(new Set(replies.map(textOf)).size).toBe(1);
  });

  it('warms up', async () => {
    model = await create();
    await model.warmUp(new AbortController().signal);
  });

  it('gives the same reply again if it says that it is deterministic', async () => {
    model = await create();
    const signal = new AbortController().signal;
    const [first, second] = [
      textOf(await collect(model.reply(ask(LONG), OPTIONS, signal))),
      textOf(await collect(model.reply(ask(LONG), OPTIONS, signal))),
    ];
    if (model.deterministic) expect(first).toBe(second);
    expect(first.length).toBeGreaterThan(500);
  });
});

import { VoiceError } from '@parley/protocol';
import type { Environment } from '@parley/runtime';
import { type LlmBehaviour, startScriptedLlm, startScriptedOllama } from '@parley/testkit';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { chooseEngines, loadLanguageModel } from '../choose.ts';
import type { ChatMessage, LanguageModel, ReplyPart } from '../language-model.ts';
import { testParts } from '../testing/config.ts';

const OPTIONS = { maxTokens: 800, language: 'en' };
const LONG = 'tell me a story';
const STORY = 'Once upon a time there was a boat. '.repeat(40);
const NORMAL: LlmBehaviour = {
  ...{ tokensPerSecond: 400, firstTokenMs: 0, status: undefined },
  ...{ failAfterTokens: undefined, errorAfterTokens: undefined, endAfterTokens: undefined, hangAfterTokens: undefined },
};

/** What the tests need of the server behind an engine. */
interface Server {
  readonly abortedAtMs: readonly number[];
  readonly active: number;
  setBehaviour(change: LlmBehaviour): void;
  close(): Promise<void>;
}

interface Subject {
  readonly model: LanguageModel;
  /** The servers whose failures the tests bring about; none where the engine has none of ours. */
  readonly servers: readonly Server[];
}

interface Engine {
  readonly name: string;
  create(): Promise<Subject>;
  /** There is no server of ours behind it whose failures could be brought about. */
  readonly hasNoServer?: boolean;
  /** Replies asked for at once; 30 if not given. */
  readonly many?: number;
  /** Something else answers where the server fails before the first word. */
  readonly hasFallback?: boolean;
  readonly isAbsent?: boolean;
}

const script = ({ messages }: { messages: readonly { content: string }[] }): string =>
  messages.at(-1)?.content === LONG ? STORY : 'It is a fine day.';

async function load(env: Environment): Promise<LanguageModel> {
  const parts = testParts(env);
  return loadLanguageModel(await chooseEngines(parts.config), parts);
}

const startLlm = () => startScriptedLlm({ ...NORMAL, script });
/** A real server with the model `tiny-llm` of the testkit's fixtures. */
const REAL_OLLAMA = process.env.PARLEY_TEST_OLLAMA_URL;

const ENGINES: readonly Engine[] = [
  {
    name: 'demo',
    hasNoServer: true,
    create: async () => ({ model: await load({ PARLEY_LLM_ENGINE: 'demo' }), servers: [] }),
  },
  {
    name: 'openai',
    async create() {
      const server = await startLlm();
      return { model: await load({ PARLEY_LLM_BASE_URL: server.url }), servers: [server] };
    },
  },
  {
    name: 'openai with two endpoints',
    async create() {
      const servers = [await startLlm(), await startLlm()];
      return { model: await load({ PARLEY_LLM_BASE_URL: servers.map(({ url }) => url).join() }), servers };
    },
  },
  {
    name: 'ollama',
    async create() {
      const server = await startScriptedOllama({ ...NORMAL, script });
      return {
        model: await load({ PARLEY_LLM_ENGINE: 'ollama', PARLEY_LLM_OLLAMA_URL: server.url }),
        servers: [server],
      };
    },
  },
  {
    name: REAL_OLLAMA === undefined ? 'a real Ollama (PARLEY_TEST_OLLAMA_URL is not set)' : 'a real Ollama',
    isAbsent: REAL_OLLAMA === undefined,
    // It makes one reply at a time.
    many: 4,
    hasNoServer: true,
    create: async () => ({
      model: await load({
        ...{ PARLEY_LLM_ENGINE: 'ollama', PARLEY_LLM_OLLAMA_URL: REAL_OLLAMA, PARLEY_LLM_MODEL: 'tiny-llm' },
      }),
      servers: [],
    }),
  },
  {
    name: 'openai, then the demo',
    hasFallback: true,
    async create() {
      const server = await startLlm();
      const model = await load({ PARLEY_LLM_ENGINE: 'openai,demo', PARLEY_LLM_BASE_URL: server.url });
      return { model, servers: [server] };
    },
  },
];

const ask = (content: string): ChatMessage[] => [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content },
];

/** What came of a reply before it ended or failed. */
async function read(reply: AsyncIterable<ReplyPart>) {
  const parts: ReplyPart[] = [];
  let error: unknown;
  try {
    for await (const part of reply) parts.push(part);
  } catch (caught) {
    error = caught;
  }
  return { parts, text: parts.map((part) => (part.kind === 'text' ? part.text : '')).join(''), error };
}

const never = (): AbortSignal => new AbortController().signal;

for (const engine of ENGINES)
  describe.skipIf(engine.isAbsent)(`the language model ${engine.name}`, () => {
    let subject: Subject;

    const create = async (behaviour: LlmBehaviour = {}): Promise<LanguageModel> => {
      subject = await engine.create();
      for (const server of subject.servers) server.setBehaviour(behaviour);
      return subject.model;
    };
    afterEach(async () => {
      await subject.model.close();
      for (const server of subject.servers) await server.close();
    });

    it('declares what it can do', async () => {
      const model = await create();
      expect(model.name).toMatch(/^[a-z]+(,[a-z]+)*$/);
      expect(typeof model.prefill).toBe('boolean');
      expect(typeof model.deterministic).toBe('boolean');
      expect(model.contextTokens).toBeGreaterThan(255);
      for (const language of model.languages ?? []) expect(language).toMatch(/^[a-z]{2,3}$/);
      expect(model.trouble).toBeUndefined();
    });

    it('gives text and then, once, why it ended', async () => {
      const { parts, text } = await read((await create()).reply(ask('how are you'), OPTIONS, never()));
      expect(text).toMatch(/\w+ \w+/);
      expect(parts.filter(({ kind }) => kind === 'finish')).toEqual([expect.objectContaining({ reason: 'stop' })]);
      expect(parts.at(-1)?.kind).toBe('finish');
    });

    it('shows progress before the end', async () => {
      const model = await create();
      await model.warmUp(never());
      const startedMs = performance.now();
      const atMs: number[] = [];
      for await (const _ of model.reply(ask(LONG), OPTIONS, never())) atMs.push(performance.now() - startedMs);
      expect(atMs.length).toBeGreaterThan(40);
      expect(atMs[0]).toBeLessThan((atMs.at(-1) ?? 0) / 2);
    });

    it('keeps to the greatest length', async () => {
      const model = await create();
      const { parts, text } = await read(model.reply(ask(LONG), { ...OPTIONS, maxTokens: 20 }, never()));
      expect(text.trim().split(' ').length).toBeLessThanOrEqual(21);
      expect(parts.at(-1)).toMatchObject({ kind: 'finish', reason: 'length' });
    });

    it('stops within 50 ms of an abort, and its server sees it', async () => {
      const model = await create({ tokensPerSecond: 50 });
      const abort = new AbortController();
      const reason = new Error('enough');
      let abortedAtMs = Number.NaN;
      const reading = (async () => {
        for await (const part of model.reply(ask(LONG), OPTIONS, abort.signal)) {
          if (Number.isNaN(abortedAtMs) && part.kind === 'text' && part.text !== '') {
            abortedAtMs = performance.now();
            abort.abort(reason);
          }
        }
      })();
      await expect(reading).rejects.toBe(reason);
      expect(performance.now() - abortedAtMs).toBeLessThan(50);
      if (engine.hasNoServer) return;
      const seen = () => subject.servers.flatMap((server) => server.abortedAtMs);
      await vi.waitFor(() => expect(seen()).toHaveLength(1), { interval: 5 });
      expect((seen()[0] ?? 0) - abortedAtMs).toBeLessThan(50);
    });

    it('does nothing for a signal that is aborted already', async () => {
      const abort = AbortSignal.abort(new Error('too late'));
      const { parts, error } = await read((await create()).reply(ask('hello'), OPTIONS, abort));
      expect(error).toMatchObject({ message: 'too late' });
      expect(parts).toEqual([]);
    });

    it.each([
      ['nothing', ''],
      ['control characters and half a character', 'a\u0000b\ud800c\u001b[31m'],
      ['marks of chat templates', '<|im_end|><|assistant|></s>[INST]'],
      ['a long run without a space', 'x'.repeat(5_000)],
    ])('answers %s, or refuses it with a code', async (_, content) => {
      const { parts, error } = await read((await create()).reply(ask(content), OPTIONS, never()));
      if (error === undefined) expect(parts.at(-1)?.kind).toBe('finish');
      else expect(error).toBeInstanceOf(VoiceError);
    });

    it('answers many at once', async () => {
      const model = await create();
      const replies = await Promise.all(
        Array.from({ length: engine.many ?? 30 }, () => read(model.reply(ask('how are you'), OPTIONS, never()))),
      );
      expect(replies.map(({ error }) => error).filter((error) => error !== undefined)).toEqual([]);
      expect(new Set(replies.map(({ text }) => text)).size).toBe(1);
    });

    it('warms up', async () => {
      await (await create()).warmUp(never());
    });

    it('gives the same reply again if it says that it is deterministic', async () => {
      const model = await create();
      const first = await read(model.reply(ask(LONG), OPTIONS, never()));
      const second = await read(model.reply(ask(LONG), OPTIONS, never()));
      if (model.deterministic) expect(first.text).toBe(second.text);
      expect(first.text.length).toBeGreaterThan(200);
    });

    if (engine.hasNoServer) return;

    describe('whose server fails', () => {
      it.each<[string, LlmBehaviour | 'gone', string]>([
        ['is not there', 'gone', 'engine_failed'],
        ['is overloaded', { status: 503 }, 'engine_failed'],
        ['refuses', { status: 401 }, 'engine_rejected'],
        ['hangs up before the first word', { failAfterTokens: 0 }, 'engine_failed'],
      ])('because it %s: fails with a code, or another answers', async (_, behaviour, code) => {
        const model = await create(behaviour === 'gone' ? {} : behaviour);
        if (behaviour === 'gone') for (const server of subject.servers) await server.close();
        const { error, text } = await read(model.reply(ask('how are you'), OPTIONS, never()));
        if (engine.hasFallback) expect(text).not.toBe('');
        else expect(error).toMatchObject({ name: 'VoiceError', code });
      });

      it.each<[string, LlmBehaviour]>([
        ['hangs up', { failAfterTokens: 5 }],
        ['reports an error', { errorAfterTokens: 5 }],
        ['ends without a finish', { endAfterTokens: 5 }],
      ])('and %s in the middle: gives what came, then fails so that it can be tried again', async (_, behaviour) => {
        const model = await create({ tokensPerSecond: 50, ...behaviour });
        const { error, text } = await read(model.reply(ask(LONG), OPTIONS, never()));
        // The very last bytes before a hang-up may be lost.
        expect(text).toMatch(/^Once upon a/);
        expect('Once upon a time there').toContain(text);
        expect(error).toMatchObject({ name: 'VoiceError', code: 'engine_failed', retryable: true });
      });

      it('by saying nothing: another answers in time, or the caller gives up and the server sees it', async () => {
        const model = await create({ hangAfterTokens: 0 });
        const abort = new AbortController();
        const reading = read(model.reply(ask('hi'), { ...OPTIONS, firstPartTimeoutMs: 400 }, abort.signal));
        if (engine.hasFallback) {
          expect((await reading).text).not.toBe('');
          return;
        }
        await vi.waitFor(() => expect(subject.servers.some(({ active }) => active > 0)).toBe(true));
        abort.abort(new VoiceError('engine_timeout'));
        expect((await reading).error).toMatchObject({ code: 'engine_timeout', retryable: true });
        await vi.waitFor(() => expect(subject.servers.every(({ active }) => active === 0)).toBe(true));
      });

      it('by saying nothing any more: what came is kept, the caller gives up, and the server sees it', async () => {
        const model = await create({ tokensPerSecond: 50, hangAfterTokens: 5 });
        const abort = new AbortController();
        const parts: ReplyPart[] = [];
        const reading = (async () => {
          for await (const part of model.reply(ask(LONG), OPTIONS, abort.signal)) parts.push(part);
        })();
        const text = () => parts.map((part) => (part.kind === 'text' ? part.text : '')).join('');
        await vi.waitFor(() => expect(text()).toMatch(/^Once upon a time/));
        abort.abort(new VoiceError('engine_timeout'));
        await expect(reading).rejects.toMatchObject({ code: 'engine_timeout', retryable: true });
        expect('Once upon a time there').toContain(text().trim());
        await vi.waitFor(() => expect(subject.servers.every(({ active }) => active === 0)).toBe(true));
      });

      it('slowly is no failure', async () => {
        const model = await create({ firstTokenMs: 300, tokensPerSecond: 20 });
        const { error, text } = await read(model.reply(ask('how are you'), OPTIONS, never()));
        expect(error).toBeUndefined();
        expect(text).not.toBe('');
      });
    });
  });

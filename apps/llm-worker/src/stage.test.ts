import type { Bus } from '@parley/bus';
import type { NewEvent, SessionEvent } from '@parley/protocol';
import type { Environment } from '@parley/runtime';
import {
  type LlmBehaviour,
  type ScriptedLlm,
  ScriptedOwner,
  startRedis,
  startScriptedLlm,
  type TestRedis,
} from '@parley/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { StageBench } from './testing/stage-bench.ts';

const REF = { stage: 'reply', turn: 1, attempt: 0 } as const;
const TALE =
  'Once upon a time, there was a small boat. It was blue and it was very old. Every morning a man came to look at it, ' +
  'and every evening he went home again. One day the wind came from the north. The man was afraid, but he went out all ' +
  'the same, for he had heard a voice. It was a bird that sat on a stone and could not fly. He took it home and made ' +
  'a fire. The bird slept for three days. Then it flew away, and it was never seen again. That is the end.';
let redis: TestRedis;
let llm: ScriptedLlm;
let gateway: Bus;
let owner: ScriptedOwner;
let bench: StageBench;

beforeAll(async () => {
  redis = await startRedis();
  llm = await startScriptedLlm();
});
afterAll(async () => {
  await llm.close();
  await redis.stop();
});
beforeEach(async () => {
  llm.setBehaviour({
    tokensPerSecond: 400,
    firstTokenMs: 0,
    script: () => TALE,
    ...{ failAfterTokens: undefined, hangAfterTokens: undefined, status: undefined },
  });
  bench = new StageBench(redis);
  gateway = await bench.connect('gateway-1');
  owner = await ScriptedOwner.open(gateway);
});
afterEach(() => bench.close());

const startWorker = (env: Environment = {}, engine = 'openai') =>
  bench.startWorker({ env: { PARLEY_LLM_BASE_URL: llm.url, PARLEY_LLM_MODEL: 'm', ...env }, engine });

const doneEvents = (): Promise<SessionEvent<'reply.done'>[]> => owner.events('reply.done');
async function whole(): Promise<{ deltas: string; clauses: string[]; done: SessionEvent<'reply.done'> }> {
  const done = await vi.waitFor(async () => {
    const [event] = await doneEvents();
    if (event === undefined) throw new Error('not done');
    return event;
  }, 8_000);
  const deltas = (await owner.events('reply.delta')).map(({ text }) => text).join('');
  const clauses = await owner.events('reply.clause');
  expect(clauses.map(({ clause }) => clause)).toEqual([...clauses.keys()]);
  expect(done.clauses).toBe(clauses.length);
  expect(await doneEvents()).toHaveLength(1);
  return { deltas, clauses: clauses.map(({ text }) => text), done };
}

describe('the reply stage', () => {
  it('publishes deltas, clauses and the whole text, in one order, and is done', async () => {
    await startWorker();
    await owner.start(REF, { text: 'Tell me a tale.', language: 'en' });
    const { deltas, clauses, done } = await whole();
    expect(deltas).toBe(TALE);
    expect(clauses.join('')).toBe(TALE);
    expect(clauses[0]).toBe('Once upon a time, ');
    expect(done).toMatchObject({ turn: 1, attempt: 0, text: TALE, finish: 'stop' });
    expect(await owner.work(REF)).toMatchObject({ done: true, resumeAt: TALE.length });
    // A clause is never ahead of the text that it is part of.
    let shownChars = 0;
    let saidChars = 0;
    for (const event of await owner.events()) {
      if (event.type === 'reply.delta') shownChars += event.text.length;
      if (event.type === 'reply.clause') saidChars += event.text.length;
      expect(saidChars).toBeLessThanOrEqual(shownChars);
    }
  });

  it('publishes the first text at once, clauses before the reply is complete, and few events', async () => {
    llm.setBehaviour({ tokensPerSecond: 200 });
    await startWorker();
    await owner.start(REF, { text: 'Tell me a tale.', language: 'en' });
    const { done, clauses } = await whole();
    const deltas = await owner.events('reply.delta');
    const [firstClause] = await owner.events('reply.clause');
    expect(deltas[0]?.text).toBe('Once');
    expect((firstClause?.at ?? done.at) - (deltas[0]?.at ?? 0)).toBeLessThan(150);
    const seconds = (done.at - (deltas[0]?.at ?? 0)) / 1_000;
    expect(deltas.length).toBeLessThan(seconds * 25 + clauses.length + 5);
  });

  it('asks with the earlier turns once, only what was heard of them, and what was said now', async () => {
    await owner.remember(
      { role: 'user', turn: 1, text: 'I am Anna.' },
      { role: 'assistant', turn: 1, attempt: 0, text: 'Hello, Anna. It is', truncated: true },
      { role: 'user', turn: 2, text: 'What is my name?' },
    );
    await startWorker();
    const before = llm.requests.length;
    await owner.start({ ...REF, turn: 2 }, { text: 'What is my name?', language: 'en' });
    await whole();
    const { messages } = llm.requests[before] ?? { messages: [] };
    expect(messages.map(({ role }) => role)).toEqual(['system', 'user', 'assistant', 'user']);
    expect(messages.slice(1).map(({ content }) => content)).toEqual([
      'I am Anna.',
      'Hello, Anna. It is—',
      'What is my name?',
    ]);
    expect(messages[0]?.content).toContain('has not heard the rest');
  });

  it('flags all that belongs to a held reply', async () => {
    await startWorker();
    await owner.start(REF, { text: 'Go on.', language: 'en' }, { held: true });
    await whole();
    const own = (await owner.events()).filter(({ type }) => type.startsWith('reply.'));
    expect(own.every((event) => 'held' in event && event.held === true)).toBe(true);
  });

  it('flags nothing any more once the reply has been released', async () => {
    llm.setBehaviour({ tokensPerSecond: 60 });
    await startWorker();
    await owner.start(REF, { text: 'Go on.', language: 'en' }, { held: true });
    await vi.waitFor(async () => expect(await owner.events('reply.clause')).not.toEqual([]), { interval: 5 });
    await owner.release(REF);
    llm.setBehaviour({ tokensPerSecond: 1_000 });
    const { done } = await whole();
    expect(done.held).toBeUndefined();
    const own = (await owner.events()).filter(({ type }) => type.startsWith('reply.') && type !== 'reply.released');
    const flags = own.map((event) => 'held' in event && event.held === true);
    expect(flags[0]).toBe(true);
    expect(flags).toEqual(flags.toSorted((a, b) => Number(b) - Number(a)));
  });

  it('stops the engine as soon as the reply is cancelled, and says no more', async () => {
    llm.setBehaviour({ tokensPerSecond: 30 });
    await startWorker();
    await owner.start(REF, { text: 'Tell me a tale.', language: 'en' });
    await vi.waitFor(async () => expect((await owner.events('reply.clause')).length).toBeGreaterThan(0), {
      interval: 10,
    });
    const aborted = llm.abortedAtMs.length;
    const cancelledAtMs = performance.now();
    await owner.cancel(REF);
    await vi.waitFor(() => expect(llm.abortedAtMs).toHaveLength(aborted + 1), { interval: 5 });
    expect((llm.abortedAtMs.at(-1) ?? 0) - cancelledAtMs).toBeLessThan(150);
    const events = await owner.events();
    expect(events.some(({ type }) => type === 'reply.done' || type === 'work.failed')).toBe(false);
  });

  it.each<[string, LlmBehaviour, string]>([
    ['hangs up in the middle', { failAfterTokens: 10 }, 'engine_failed'],
    ['refuses', { status: 401 }, 'engine_rejected'],
    ['is overloaded', { status: 503 }, 'engine_failed'],
    ['says nothing', { hangAfterTokens: 0 }, 'engine_timeout'],
    ['goes silent in the middle', { hangAfterTokens: 10 }, 'engine_timeout'],
  ])('reports an engine that %s', async (_, behaviour, code) => {
    llm.setBehaviour(behaviour);
    await startWorker({ PARLEY_LLM_FIRST_TOKEN_TIMEOUT_MS: '300', PARLEY_LLM_STALL_TIMEOUT_MS: '300' });
    await owner.start(REF, { text: 'Tell me a tale.', language: 'en' });
    const [failed] = await vi.waitFor(async () => {
      const events = await owner.events('work.failed');
      expect(events).toHaveLength(1);
      return events;
    });
    expect(failed).toMatchObject({ stage: 'reply', turn: 1, attempt: 0, code, try: 1 });
    expect(await doneEvents()).toEqual([]);
  });

  it('answers twenty sessions at once, each its own question', async () => {
    llm.setBehaviour({ script: ({ messages }) => `You asked about ${messages.at(-1)?.content}, I think. Right?` });
    await startWorker();
    const owners = await Promise.all(Array.from({ length: 20 }, () => ScriptedOwner.open(gateway)));
    await Promise.all(owners.map((one, index) => one.start(REF, { text: `nonce${index}`, language: 'en' })));
    await vi.waitFor(async () => {
      const texts = await Promise.all(owners.map(async (one) => (await one.events('reply.done'))[0]?.text));
      expect(texts).toEqual(owners.map((_, index) => `You asked about nonce${index}, I think. Right?`));
    }, 8_000);
  });

  it('ends with a reply of nothing where the engine says nothing that can be spoken', async () => {
    llm.setBehaviour({ script: () => '🙂 …' });
    await startWorker();
    await owner.start(REF, { text: 'Smile.', language: 'en' });
    const { clauses, done } = await whole();
    expect(clauses).toEqual([]);
    expect(done.clauses).toBe(0);
  });

  it('answers with the offline engine', async () => {
    await startWorker({}, 'demo');
    await owner.start(REF, { text: 'what is seven times eight', language: 'en' });
    expect((await whole()).done.text).toBe('Seven times eight is fifty six.');
  });
});

describe('a reply taken over in the middle', () => {
  const input = { text: 'Tell me a tale.', language: 'en' };
  const clauses = async () => (await owner.events('reply.clause')).length;

  /** The first worker is gone after so many clauses and some text more; the owner offers the reply again. */
  async function loseWorkerAfter(count: number, knownClauses?: number): Promise<void> {
    llm.setBehaviour({ tokensPerSecond: 100 });
    const first = await startWorker();
    await owner.start(REF, input);
    await vi.waitFor(async () => expect(await clauses()).toBeGreaterThanOrEqual(count), {
      interval: 5,
      timeout: 8_000,
    });
    await first.vanish();
    const texts = (await owner.events('reply.clause')).map(({ text }) => text);
    llm.setBehaviour({ tokensPerSecond: 1_000 });
    await owner.raiseTry(REF, 2, { ...input, published: texts.slice(0, knownClauses) });
  }

  it.each([1, 2, 4])('goes on behind %i clauses: nothing is said or shown twice, nothing is missing', async (count) => {
    await loseWorkerAfter(count);
    await startWorker();
    const { deltas, clauses, done } = await whole();
    expect(deltas).toBe(TALE);
    expect(clauses.join('')).toBe(TALE);
    expect(done).toMatchObject({ text: TALE, finish: 'stop' });
  });

  it('finds in the log what was published after its owner last looked', async () => {
    await loseWorkerAfter(3, 1);
    await startWorker();
    const { deltas, clauses } = await whole();
    expect(deltas).toBe(TALE);
    expect(clauses.join('')).toBe(TALE);
  });

  it('cuts the reply into the clauses of an undisturbed one', async () => {
    const undisturbed = await ScriptedOwner.open(gateway);
    await loseWorkerAfter(2);
    await startWorker();
    await undisturbed.start(REF, input);
    const { clauses } = await whole();
    await vi.waitFor(async () => expect(await undisturbed.events('reply.done')).toHaveLength(1));
    expect(clauses).toEqual((await undisturbed.events('reply.clause')).map(({ text }) => text));
  });

  it('ends at the last clause published where the engine now says something else', async () => {
    await loseWorkerAfter(2);
    const said = (await owner.events('reply.clause')).map(({ text }) => text).join('');
    llm.setBehaviour({ script: () => 'Once upon a time, there were two large ships. And so on.' });
    await startWorker();
    const { clauses, done } = await whole();
    expect(clauses.join('')).toBe(said);
    expect(done).toMatchObject({ text: said, finish: 'cut' });
  });

  it('has an engine that can go on from what was published', async () => {
    await loseWorkerAfter(2);
    const shown = (await owner.events('reply.delta')).map(({ text }) => text).join('');
    llm.setBehaviour({ script: () => ' and that is all. Good night.' });
    await startWorker({ PARLEY_LLM_PREFILL: 'true' });
    const { deltas, clauses, done } = await whole();
    expect(llm.requests.at(-1)?.messages.at(-1)).toEqual({ role: 'assistant', content: shown });
    expect(deltas).toBe(`${shown} and that is all. Good night.`);
    expect(clauses.join('')).toBe(deltas);
    expect(done).toMatchObject({ text: deltas, finish: 'stop' });
  });

  it('begins anew where nothing was published', async () => {
    llm.setBehaviour({ firstTokenMs: 60_000 });
    const first = await startWorker();
    const active = llm.active;
    await owner.start(REF, input);
    await vi.waitFor(() => expect(llm.active).toBe(active + 1));
    await first.vanish();
    llm.setBehaviour({ firstTokenMs: 0 });
    await owner.raiseTry(REF, 2);
    await startWorker();
    expect((await whole()).deltas).toBe(TALE);
  });

  it('is handed back by a worker that leaves, and goes on elsewhere', async () => {
    llm.setBehaviour({ tokensPerSecond: 100 });
    const first = await startWorker();
    await owner.start(REF, input);
    await vi.waitFor(async () => expect(await clauses()).toBeGreaterThan(1), { interval: 5 });
    await first.drain();
    expect(await owner.events('work.failed')).toEqual([
      expect.objectContaining({ code: 'going_away', handedBack: true, try: 1 } satisfies Partial<
        NewEvent<'work.failed'>
      >),
    ]);
    await startWorker();
    await owner.raiseTry(REF, 2);
    const { deltas, clauses: said } = await whole();
    expect(deltas).toBe(TALE);
    expect(said.join('')).toBe(TALE);
  });

  it('survives a restart of Redis', async () => {
    llm.setBehaviour({ tokensPerSecond: 100 });
    await startWorker();
    await owner.start(REF, input);
    await vi.waitFor(async () => expect(await clauses()).toBeGreaterThan(1), { interval: 5 });
    await redis.restart();
    await vi.waitFor(() => expect(gateway.connected).toBe(true), { timeout: 5_000 });
    const { deltas, clauses: said } = await whole();
    expect(deltas).toBe(TALE);
    expect(said.join('')).toBe(TALE);
  });

  it('is not written by the worker that lost it', async () => {
    llm.setBehaviour({ tokensPerSecond: 60 });
    await startWorker();
    await owner.start(REF, input);
    await vi.waitFor(async () => expect(await clauses()).toBeGreaterThan(1), { interval: 5 });
    const aborted = llm.abortedAtMs.length;
    llm.setBehaviour({ tokensPerSecond: 1_000 });
    // The same worker has a free slot and may take the next try itself, while the first one still runs.
    await owner.raiseTry(REF, 2);
    const { deltas, clauses: said } = await whole();
    expect(deltas).toBe(TALE);
    expect(said.join('')).toBe(TALE);
    await vi.waitFor(() => expect(llm.abortedAtMs.length).toBeGreaterThan(aborted));
  });
});

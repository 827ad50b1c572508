import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Settings } from '@parley/protocol';
import {
  type LlmRequest,
  type ScriptedLlm,
  ScriptedOwner,
  type ScriptedReply,
  startRedis,
  startScriptedLlm,
  type TestRedis,
} from '@parley/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { StageBench } from '../testing/stage-bench.ts';
import { loadServerTools } from './server-tools.ts';

const REF = { stage: 'reply', turn: 1, attempt: 0 } as const;
const INPUT = { text: 'How is the weather in Rome?', language: 'en' };
const WEATHER = {
  name: 'weather',
  description: 'The weather of a city.',
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
};
const CALL = { tool: 'weather', arguments: '{"city":"Rome"}' };
const folder = mkdtempSync(join(tmpdir(), 'parley-tools-'));

let redis: TestRedis;
let llm: ScriptedLlm;
let bench: StageBench;
let owner: ScriptedOwner;
let endpoint: Server;
let asked: {
  method: string | undefined;
  url: string | undefined;
  key: string;
  auth: string | undefined;
  body: string;
}[];
let answer: (response: ServerResponse) => void;
let closedEarly: number;

beforeAll(async () => {
  redis = await startRedis();
  llm = await startScriptedLlm();
  endpoint = createServer((request, response) => {
    response.on('close', () => {
      if (!response.writableFinished) closedEarly += 1;
    });
    note(request).then(
      () => answer(response),
      () => response.destroy(),
    );
  });
  await new Promise<void>((resolve) => endpoint.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  endpoint.closeAllConnections();
  await new Promise((resolve) => endpoint.close(resolve));
  await llm.close();
  await redis.stop();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  asked = [];
  closedEarly = 0;
  answer = (response) => response.end('{"sky":"sunny"}');
  llm.setBehaviour({ tokensPerSecond: 500, firstTokenMs: 0, script: callsOnce(CALL) });
  bench = new StageBench(redis);
});
afterEach(() => bench.close());

async function note(request: IncomingMessage): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const { method, url, headers } = request;
  asked.push({
    ...{ method, url, key: String(headers['idempotency-key']), auth: headers.authorization },
    body: Buffer.concat(chunks).toString(),
  });
}

const endpointUrl = (): string => `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}/weather`;

/** Calls, and once it has results tells them. */
function callsOnce(...calls: readonly { readonly tool: string; readonly arguments: string }[]) {
  return ({ messages }: LlmRequest): ScriptedReply => {
    const results = messages.filter(({ role }) => role === 'tool');
    return results.length === 0 ? [...calls] : `The result is: ${results.map(({ content }) => content).join(' and ')}.`;
  };
}

/** A worker with these tools of the operator. */
async function start({
  file = [] as readonly object[],
  env = {} as Readonly<Record<string, string>>,
} = {}): Promise<void> {
  const path = join(folder, 'tools.json');
  writeFileSync(path, JSON.stringify(file));
  await bench.startWorker({
    env: { PARLEY_LLM_BASE_URL: llm.url, PARLEY_LLM_MODEL: 'm', PARLEY_TOOLS_FILE: path, ...env },
  });
}

const server = (change: object = {}) => ({ ...WEATHER, url: endpointUrl(), ...change });

async function open(tools: Settings['tools'] = []): Promise<void> {
  owner = await ScriptedOwner.open(await bench.connect('gateway-1'), { tools });
}

const done = () =>
  vi.waitFor(async () => {
    const [event] = await owner.events('reply.done');
    if (event === undefined) throw new Error('not done');
    return event;
  }, 8_000);
const clauses = async (): Promise<string[]> => (await owner.events('reply.clause')).map(({ text }) => text);
const toolCall = () =>
  vi.waitFor(
    async () => {
      const [event] = await owner.events('tool.call');
      if (event === undefined) throw new Error('no call');
      return event;
    },
    { interval: 10, timeout: 5_000 },
  );
const toldResults = (): unknown[] =>
  llm.requests.at(-1)?.messages.flatMap((message) => (message.role === 'tool' ? [message.content] : [])) ?? [];

describe("a tool of the operator's", () => {
  it('is called over HTTP, and the model answers with its result', async () => {
    await open();
    await start({ file: [server({ headers: { authorization: 'Bearer t' } })] });
    const before = llm.requests.length;
    await owner.start(REF, INPUT);
    expect((await done()).text).toBe('The result is: {"sky":"sunny"}.');
    expect(asked).toEqual([
      { method: 'POST', url: '/weather', key: `${owner.session}.1.0.1`, auth: 'Bearer t', body: CALL.arguments },
    ]);
    const [first, second] = llm.requests.slice(before);
    expect(first).toMatchObject({ tool_choice: 'auto', tools: [{ type: 'function', function: WEATHER }] });
    expect(second?.messages.slice(-2)).toEqual([
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'weather', arguments: CALL.arguments } }],
      },
      { role: 'tool', tool_call_id: 'call_1', content: '{"sky":"sunny"}' },
    ]);
    // The client has nothing to do with it.
    expect(await owner.events('tool.call')).toEqual([]);
  });

  it('is asked by the query of a GET', async () => {
    await open();
    await start({ file: [server({ method: 'GET' })] });
    await owner.start(REF, INPUT);
    await done();
    expect(asked).toMatchObject([{ method: 'GET', url: '/weather?city=Rome', body: '' }]);
  });

  it('may be called several times at once, and again after a result', async () => {
    llm.setBehaviour({
      script: ({ messages }) => {
        const results = messages.filter(({ role }) => role === 'tool').length;
        return results === 0 ? [CALL, CALL] : results === 2 ? CALL : `${results} results.`;
      },
    });
    await open();
    await start({ file: [server()] });
    await owner.start(REF, INPUT);
    expect((await done()).text).toBe('3 results.');
    expect(asked.map(({ key }) => key.split('.').at(-1)).toSorted()).toEqual(['1', '2', '3']);
  });

  it('is called in five rounds at most; then the model has to answer', async () => {
    llm.setBehaviour({ script: ({ tool_choice }) => (tool_choice === 'none' ? 'Enough.' : CALL) });
    await open();
    await start({ file: [server()] });
    await owner.start(REF, INPUT);
    expect((await done()).text).toBe('Enough.');
    expect(asked).toHaveLength(5);
  });

  it.each<[string, object, (response: ServerResponse) => void, RegExp]>([
    ['fails', {}, (response) => response.writeHead(503).end('closed'), /status 503: closed/],
    ['breaks off', {}, (response) => response.destroy(), /cannot be reached|broke off/],
    ['says nothing', { timeoutMs: 100 }, () => undefined, /no answer within/],
    ['says too much', {}, (response) => response.end('x'.repeat(200_000)), /x… \(the rest is left out\)$/],
  ])('that %s gives a result that says so', async (_, change, behaviour, expected) => {
    answer = behaviour;
    await open();
    await start({ file: [server(change)] });
    await owner.start(REF, INPUT);
    expect((await done()).finish).toBe('stop');
    expect(toldResults()).toEqual([expect.stringMatching(expected)]);
    expect(String(toldResults()[0]).length).toBeLessThan(20_000);
  });

  it.each([
    ['wrong arguments', { tool: 'weather', arguments: '{"town":1}' }, /must have required property 'city'/],
    ['arguments that are no JSON', { tool: 'weather', arguments: '{"city' }, /no JSON object/],
    ['a name that there is not', { tool: 'wether', arguments: '{}' }, /no such function/],
  ])('is not called with %s', async (_, call, expected) => {
    llm.setBehaviour({ script: callsOnce(call) });
    await open();
    await start({ file: [server()] });
    await owner.start(REF, INPUT);
    await done();
    expect(asked).toEqual([]);
    expect(toldResults()).toEqual([expect.stringMatching(expected)]);
  });

  it('is given up with its reply', async () => {
    answer = () => undefined;
    await open();
    await start({ file: [server({ filler: '' })] });
    await owner.start(REF, INPUT);
    await vi.waitFor(() => expect(asked).toHaveLength(1));
    await owner.cancel(REF);
    await vi.waitFor(() => expect(closedEarly).toBe(1));
    expect(await owner.events('reply.done')).toEqual([]);
  });

  it('is not called while the reply may still be thrown away', async () => {
    await open();
    await start({ file: [server()] });
    const before = llm.requests.length;
    await owner.start(REF, INPUT, { held: true });
    await vi.waitFor(() => expect(llm.requests).toHaveLength(before + 1));
    await vi.waitFor(() => expect(llm.active).toBe(0));
    expect(asked).toEqual([]);
    // The message to the worker is lost; the event is not.
    await owner.release(REF, { heard: false });
    await done();
    expect(asked).toHaveLength(1);
  });
});

describe('a filler', () => {
  const slow = (ms: number) => (response: ServerResponse) => void setTimeout(() => response.end('done'), ms);

  it('is said, as a clause of its own, while a tool takes long', async () => {
    answer = slow(400);
    await open();
    await start({ file: [server({ fillerAfterMs: 100 })] });
    await owner.start(REF, INPUT);
    const { text } = await done();
    expect(await clauses()).toEqual(['One moment please.\n', 'The result is: done.']);
    expect(text).toBe('One moment please.\nThe result is: done.');
    const deltas = await owner.events('reply.delta');
    expect(deltas.map((delta) => delta.text).join('')).toBe(text);
  });

  it('is that of the tool where it has one, and is said once', async () => {
    answer = slow(150);
    llm.setBehaviour({
      script: ({ messages }) => (messages.filter(({ role }) => role === 'tool').length < 2 ? CALL : 'There.'),
    });
    await open();
    await start({ file: [server({ fillerAfterMs: 20, filler: 'I am looking.' })] });
    await owner.start(REF, INPUT);
    expect((await done()).text).toBe('I am looking.\nThere.');
  });

  it('is left out where the model itself has said something, which is spoken at once', async () => {
    answer = slow(300);
    llm.setBehaviour({
      script: ({ messages }) =>
        messages.at(-1)?.role === 'tool' ? 'It is sunny.' : { text: 'Let me look', calls: [CALL] },
    });
    await open();
    await start({ file: [server({ fillerAfterMs: 20 })] });
    await owner.start(REF, INPUT);
    await done();
    const [first, second] = await owner.events('reply.clause');
    expect([first?.text, second?.text]).toEqual(['Let me look\n', 'It is sunny.']);
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThan(200);
  });

  it.each([
    ['is not missed by a worker that takes the reply over when the tool is fast now', 0],
    ['is not said again where the tool is still slow', 150],
  ])('%s', async (_, laterMs) => {
    const story =
      'It will rain, and then the sun will shine. After that it will rain again for a long time. Take a coat.';
    llm.setBehaviour({
      tokensPerSecond: 60,
      script: ({ messages }) => (messages.at(-1)?.role === 'tool' ? story : CALL),
    });
    answer = slow(150);
    await open();
    const path = join(folder, 'filler.json');
    writeFileSync(path, JSON.stringify([server({ fillerAfterMs: 20 })]));
    const env = { PARLEY_LLM_BASE_URL: llm.url, PARLEY_LLM_MODEL: 'm', PARLEY_TOOLS_FILE: path };
    const first = await bench.startWorker({ env });
    await owner.start(REF, INPUT);
    await vi.waitFor(async () => expect((await clauses()).length).toBeGreaterThanOrEqual(2), { interval: 5 });
    await first.vanish();
    answer = slow(laterMs);
    await owner.raiseTry(REF, 2, { ...INPUT, published: await clauses() });
    await bench.startWorker({ env });
    const { text, finish } = await done();
    expect(finish).toBe('stop');
    expect(text).toBe(`One moment please.\n${story}`);
    expect((await clauses()).join('')).toBe(text);
    // The same call has the same key, so that the endpoint can act once.
    expect(new Set(asked.map(({ key }) => key)).size).toBe(1);
  });

  it('is called with the same key by a reply that goes on where a cough has stopped it', async () => {
    answer = slow(10_000);
    await open();
    await start({ file: [server()] });
    await owner.start(REF, INPUT);
    await vi.waitFor(() => expect(asked).toHaveLength(1), { interval: 5 });
    await owner.cancel(REF);
    answer = slow(0);
    await owner.start({ ...REF, attempt: 1 }, { ...INPUT, origin: 0 });
    await done();
    const key = `${owner.session}.1.0.1`;
    expect(asked).toMatchObject([{ key }, { key }]);
  });

  it('is in the language of the session', async () => {
    answer = slow(200);
    owner = await ScriptedOwner.open(await bench.connect('gateway-1'), { language: 'de-CH' });
    await start({ file: [server({ fillerAfterMs: 20 })] });
    await owner.start(REF, { ...INPUT, language: 'de-CH' });
    await done();
    expect((await clauses())[0]).toBe('Einen Moment bitte.\n');
  });
});

describe("a tool of the client's", () => {
  it('is asked for by an event and answered by one; nothing is said before', async () => {
    await open([WEATHER]);
    await start();
    await owner.start(REF, INPUT);
    const event = await toolCall();
    expect(event).toMatchObject({ turn: 1, attempt: 0, name: 'weather', arguments: CALL.arguments });
    expect(await clauses()).toEqual([]);
    await owner.toolResult('1.0.another', 'wrong');
    await owner.toolResult(event.call, 'rain');
    await owner.toolResult(event.call, 'too late');
    expect((await done()).text).toBe('The result is: rain.');
  });

  it('that gives no result in time is reported to the model', async () => {
    await open([WEATHER]);
    await start({ env: { PARLEY_LLM_CLIENT_TOOL_TIMEOUT_MS: '100' } });
    await owner.start(REF, INPUT);
    await done();
    expect(toldResults()).toEqual([expect.stringMatching(/no result within/)]);
  });

  it('does not take the place of the operator’s of the same name', async () => {
    await open([WEATHER]);
    await start({ file: [server()] });
    await owner.start(REF, INPUT);
    await done();
    expect(asked).toHaveLength(1);
    expect(await owner.events('tool.call')).toEqual([]);
  });

  it('is given up with its reply', async () => {
    await open([WEATHER]);
    await start();
    await owner.start(REF, INPUT);
    await toolCall();
    await owner.cancel(REF);
    const { call } = await toolCall();
    const before = llm.requests.length;
    await owner.toolResult(call, 'rain');
    await owner.start({ ...REF, turn: 2 }, { text: 'Another.', language: 'en' });
    await vi.waitFor(() => expect(llm.requests).toHaveLength(before + 1));
    expect(await owner.events('reply.done')).toEqual([]);
  });

  it('is not asked again by a worker that takes the reply over, and its answer is found', async () => {
    await open([WEATHER]);
    const path = join(folder, 'none.json');
    writeFileSync(path, '[]');
    const env = { PARLEY_LLM_BASE_URL: llm.url, PARLEY_LLM_MODEL: 'm', PARLEY_TOOLS_FILE: path };
    const first = await bench.startWorker({ env });
    await owner.start(REF, INPUT);
    const { call } = await toolCall();
    await first.vanish();
    await owner.toolResult(call, 'snow');
    await owner.raiseTry(REF, 2);
    await bench.startWorker({ env });
    expect((await done()).text).toBe('The result is: snow.');
    expect(await owner.events('tool.call')).toHaveLength(1);
  });

  /** The reply is stopped while its tool runs, and tried once more. */
  async function stoppedAndTriedAgain(input: object): Promise<{ readonly call: string }> {
    await open([WEATHER]);
    await start();
    await owner.start(REF, INPUT);
    const asked = await toolCall();
    await owner.cancel(REF);
    await owner.start({ ...REF, attempt: 1 }, input);
    return asked;
  }

  it('is not asked again by a reply that goes on where a cough has stopped it', async () => {
    const { call } = await stoppedAndTriedAgain({ ...INPUT, origin: 0 });
    await owner.toolResult(call, 'snow');
    expect((await done()).text).toBe('The result is: snow.');
    expect(await owner.events('tool.call')).toHaveLength(1);
  });

  it('is asked again by another attempt at the turn', async () => {
    await stoppedAndTriedAgain(INPUT);
    await vi.waitFor(async () => expect(await owner.events('tool.call')).toHaveLength(2), { interval: 10 });
    const [, again] = await owner.events('tool.call');
    await owner.toolResult(again?.call ?? '', 'snow');
    expect((await done()).text).toBe('The result is: snow.');
  });

  it('is behind what was said before a worker was lost: nothing is said twice', async () => {
    const story =
      'It will rain, and then the sun will shine. After that it will rain again for a long time. Take a coat.';
    llm.setBehaviour({
      tokensPerSecond: 60,
      script: ({ messages }) => (messages.at(-1)?.role === 'tool' ? story : { text: 'Let me look.', calls: [CALL] }),
    });
    await open([WEATHER]);
    const env = { PARLEY_LLM_BASE_URL: llm.url, PARLEY_LLM_MODEL: 'm' };
    const first = await bench.startWorker({ env });
    await owner.start(REF, INPUT);
    await owner.toolResult((await toolCall()).call, 'rain');
    await vi.waitFor(async () => expect((await clauses()).length).toBeGreaterThanOrEqual(2), { interval: 5 });
    await first.vanish();
    await owner.raiseTry(REF, 2, { ...INPUT, published: await clauses() });
    await bench.startWorker({ env });
    const { text, finish } = await done();
    expect(finish).toBe('stop');
    expect(text).toBe(`Let me look.\n${story}`);
    expect((await clauses()).join('')).toBe(text);
    expect((await owner.events('reply.delta')).map((delta) => delta.text).join('')).toBe(text);
  });
});

describe("the file of the operator's tools", () => {
  const load = (content: string) => {
    const path = join(folder, 'bad.json');
    writeFileSync(path, content);
    return loadServerTools(path);
  };

  it.each<[string, string, RegExp]>([
    ['is no JSON', '{', /PARLEY_TOOLS_FILE/],
    ['has a wrong URL', JSON.stringify([{ ...WEATHER, url: 'ftp://x' }]), /0\.url/],
    ['has a misspelt field', JSON.stringify([{ ...WEATHER, url: 'http://x', timeout: 1 }]), /timeout/],
    [
      'has no schema for parameters',
      JSON.stringify([{ ...WEATHER, url: 'http://x', parameters: { type: 'x' } }]),
      /schema/,
    ],
    ['has a name twice', JSON.stringify(['http://x', 'http://y'].map((url) => ({ ...WEATHER, url }))), /twice/],
  ])('is refused when it %s', async (_, content, message) => {
    await expect(load(content)).rejects.toThrow(message);
  });

  it('is refused when it is not there', async () => {
    await expect(loadServerTools(join(folder, 'nowhere.json'))).rejects.toThrow(/PARLEY_TOOLS_FILE/);
  });
});

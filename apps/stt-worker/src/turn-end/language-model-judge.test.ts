import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createLogger, createMetrics, systemClock } from '@parley/runtime';
import { expect, onTestFinished, test, vi } from 'vitest';
import { z } from 'zod';
import { LanguageModelJudge } from './language-model-judge.ts';
import { wordsJudgeMetrics } from './words-judge-metrics.ts';

const TEXT = 'i would like to know something about';
const LIMIT_MS = 2_000;
const never = new AbortController().signal;

const RequestSchema = z.object({
  model: z.string(),
  max_tokens: z.number(),
  logprobs: z.boolean(),
  messages: z.array(z.object({ role: z.string(), content: z.string() })),
});

interface Asked extends z.infer<typeof RequestSchema> {
  readonly authorization: string | undefined;
}

/** A server that answers as told, and a judge that asks it. */
async function judgeWith(respond: (response: ServerResponse, index: number) => void, limitMs = LIMIT_MS) {
  const asked: Asked[] = [];
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const body: unknown = JSON.parse(Buffer.concat(chunks).toString());
    respond(response, asked.push({ ...RequestSchema.parse(body), authorization: request.headers.authorization }) - 1);
  };
  const server = createServer((request, response) => void take(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = (): void => {
    server.closeAllConnections();
    server.close();
  };
  onTestFinished(close);
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  const metrics = createMetrics({ processMetrics: false });
  const logger = createLogger({ name: 'test', level: 'silent' });
  const warn = vi.spyOn(logger, 'warn');
  const judge = new LanguageModelJudge({
    ...{ baseUrl: `http://127.0.0.1:${address.port}/v1`, model: 'small', apiKey: 'secret', limitMs },
    ...{ clock: systemClock, logger, metrics: wordsJudgeMetrics(metrics) },
  });
  const outcomes = async (outcome: string): Promise<number> => {
    const found = (await metrics.render()).match(new RegExp(`llm_scores_total\\{outcome="${outcome}"\\} (\\d+)`));
    return Number(found?.[1] ?? 0);
  };
  return { judge, asked, close, warn, outcomes };
}

function send(response: ServerResponse, content: string, tokens?: Readonly<Record<string, number>>): void {
  const top = Object.entries(tokens ?? {}).map(([token, share]) => ({ token, logprob: Math.log(share) }));
  const logprobs = tokens && { content: [{ token: content, logprob: 0, top_logprobs: top }] };
  const choice = { index: 0, finish_reason: 'length', message: { role: 'assistant', content }, logprobs };
  response.setHeader('content-type', 'application/json').end(JSON.stringify({ id: 'x', choices: [choice] }));
}

test('what was said is put to the model, of which one word is wanted', async () => {
  const { judge, asked } = await judgeWith((response) => send(response, 'No', { No: 0.9, Yes: 0.05 }));
  await judge.score(`${'well '.repeat(1_000)}${TEXT}`, 'en-GB', never);
  expect(asked[0]).toMatchObject({ model: 'small', max_tokens: 1, logprobs: true, authorization: 'Bearer secret' });
  const [instruction, said] = asked[0]?.messages ?? [];
  expect(instruction).toMatchObject({ role: 'system', content: expect.stringContaining('Yes') });
  expect(said?.role).toBe('user');
  expect(said?.content.endsWith(TEXT)).toBe(true);
  expect(said?.content).toContain('en-GB');
  expect(said?.content.length).toBeLessThan(700);
});

test.each([
  ['how sure it is', 'Yes', { Yes: 0.6, ' yes': 0.12, No: 0.2, Maybe: 0.05 }, 0.72 / 0.92],
  ['a no in all its spellings', 'no', { no: 0.5, No: 0.3, n: 0.1, yes: 0.1 }, 0.1],
  ['a plain yes of a server that does not tell', 'Yes.', undefined, 0.85],
  ['a plain no', ' No', undefined, 0.15],
  ['nothing where it wants to say something else', 'The', { The: 0.9, Yes: 0.02 }, undefined],
  ['nothing where it says something else', 'Certainly', undefined, undefined],
] as const)('it takes from the answer %s', async (_, content, tokens, expected) => {
  const { judge, outcomes } = await judgeWith((response) => send(response, content, tokens));
  const probability = await judge.score(TEXT, 'en', never);
  if (expected === undefined) expect(probability).toBeUndefined();
  else expect(probability).toBeCloseTo(expected);
  expect(await outcomes(expected === undefined ? 'unclear' : 'used')).toBe(1);
});

const FAULTS: readonly (readonly [fault: string, respond: (response: ServerResponse) => void])[] = [
  ['refuses', (response) => response.writeHead(500).end('no')],
  ['answers nonsense', (response) => response.end('{"choices": 7}')],
  ['breaks off', (response) => response.destroy()],
  ['takes too long', () => undefined],
];

test.each(FAULTS)('a server that %s leaves the turn to others, and is told of once', async (_, respond) => {
  let isWell = false;
  const { judge, warn, outcomes } = await judgeWith(
    (response) => (isWell ? send(response, 'Yes', { Yes: 1 }) : respond(response)),
    300,
  );
  expect(await judge.score(TEXT, 'en', never)).toBeUndefined();
  expect(await judge.score(TEXT, 'en', never)).toBeUndefined();
  expect(await outcomes('failed')).toBe(2);
  expect(warn).toHaveBeenCalledTimes(1);
  expect(JSON.stringify(warn.mock.calls)).not.toContain(TEXT);
  isWell = true;
  expect(await judge.score(TEXT, 'en', never)).toBeCloseTo(1);
});

test('a pause that is over closes its request, and is no failure of the server', async () => {
  const over = new AbortController();
  const closed = Promise.withResolvers<void>();
  const { judge, outcomes, warn, asked } = await judgeWith((response) =>
    response.once('close', () => closed.resolve()),
  );
  const answer = judge.score(TEXT, 'en', over.signal);
  await vi.waitFor(() => expect(asked).toHaveLength(1));
  over.abort();
  expect(await answer).toBeUndefined();
  await closed.promise;
  expect(await outcomes('late')).toBe(1);
  expect(warn).not.toHaveBeenCalled();
});

test('more questions at once than it asks get no answer, and are counted', async () => {
  const waiting: ServerResponse[] = [];
  const { judge, outcomes } = await judgeWith((response) => void waiting.push(response));
  const answers = Array.from({ length: 20 }, () => judge.score(TEXT, 'en', never));
  await vi.waitFor(() => expect(waiting).toHaveLength(16));
  for (const response of waiting) send(response, 'Yes', { Yes: 1 });
  const known = (await Promise.all(answers)).filter((probability) => probability !== undefined);
  expect(known).toHaveLength(16);
  expect(await outcomes('refused')).toBe(4);
});

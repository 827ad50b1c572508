// A language model and a speech synthesiser behind OpenAI's HTTP interface, as a process of their own: what they cost is
// not counted as Parley's. Far simpler than the testkit's, and far cheaper, since they share the machine with what is
// measured.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicMs } from '../clock.ts';
import { type EngineCommand, type EngineReply, type EngineTimes, QUICK_ANSWER } from './script.ts';

const RATE_HZ = 24_000;
const BYTES_PER_SECOND = 2 * RATE_HZ;
const SPEECH_PIECE_BYTES = 9_600;
/** "Answer", the number with its full stop, and the token that shows that the sentence is over. */
const FIRST_CLAUSE_TOKENS = 2;
const MAX_LOGGED = 100_000;
/** Numbers of the scripted recogniser; shorter ones may be part of a prompt. */
const NUMBER = /\d{7,}/g;

type Times = { -readonly [Key in keyof EngineTimes]: EngineTimes[Key] };

let script = QUICK_ANSWER;
const log = { llm: [] as Times[], tts: [] as Times[] };

/** A tone; any piece of it will do as speech. */
const TONE = (() => {
  const samples = new Int16Array(60 * RATE_HZ);
  for (let index = 0; index < samples.length; index += 1) {
    samples[index] = Math.round(6_000 * Math.sin((2 * Math.PI * 220 * index) / RATE_HZ));
  }
  return Buffer.from(samples.buffer);
})();

function note(times: Times[], number: string): Times {
  const noted: Times = { number, requestedMs: monotonicMs() };
  times.push(noted);
  if (times.length > MAX_LOGGED) times.shift();
  return noted;
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** Follows whether the client is still there. */
function watchClient(response: ServerResponse, times: Times): { isGone: boolean } {
  const state = { isGone: false };
  response.on('close', () => {
    if (!response.writableFinished) times.abortedMs = monotonicMs();
    state.isGone = true;
  });
  return state;
}

const sse = (delta: object, finish: string | null = null): string =>
  `data: ${JSON.stringify({
    ...{ id: 'reply', object: 'chat.completion.chunk', created: 0, model: 'scripted' },
    choices: [{ index: 0, delta, finish_reason: finish }],
  })}\n\n`;

async function think(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const requestedMs = monotonicMs();
  const body = await readBody(request);
  const times = note(log.llm, body.match(NUMBER)?.at(-1) ?? '0');
  times.requestedMs = requestedMs;
  const client = watchClient(response, times);
  const { firstTokenMs, tokensPerSecond, rest } = script;
  const tokens = `Answer ${times.number}. ${rest}`.match(/\s*\S+/g) ?? [];
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.flushHeaders();
  if (firstTokenMs > 0) await sleep(requestedMs + firstTokenMs - monotonicMs());
  const startMs = monotonicMs();
  for (const [index, token] of tokens.entries()) {
    if (client.isGone) return;
    response.write(sse({ content: token }));
    if (index === FIRST_CLAUSE_TOKENS) times.firstMs = monotonicMs();
    if (tokensPerSecond > 0) await sleep(startMs + ((index + 1) * 1_000) / tokensPerSecond - monotonicMs());
  }
  response.end(`${sse({}, 'stop')}data: [DONE]\n\n`);
}

async function speak(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const requestedMs = monotonicMs();
  const { input } = JSON.parse(await readBody(request)) as { input: string };
  // Only the first clause of a reply has the number in it.
  const times = note(log.tts, input.match(NUMBER)?.at(-1) ?? '0');
  times.requestedMs = requestedMs;
  const client = watchClient(response, times);
  const { firstByteMs, realTimeFactor, secondsPerCharacter } = script;
  const samples = Math.round(input.length * secondsPerCharacter * RATE_HZ);
  const speech = TONE.subarray(0, Math.min(TONE.length, 2 * samples));
  response.writeHead(200, { 'content-type': 'audio/pcm' });
  response.flushHeaders();
  if (firstByteMs > 0) await sleep(requestedMs + firstByteMs - monotonicMs());
  const startMs = monotonicMs();
  times.firstMs = startMs;
  for (let at = 0; at < speech.length && !client.isGone; at += SPEECH_PIECE_BYTES) {
    response.write(speech.subarray(at, at + SPEECH_PIECE_BYTES));
    const madeSeconds = Math.min(speech.length, at + SPEECH_PIECE_BYTES) / BYTES_PER_SECOND;
    if (realTimeFactor > 0) await sleep(startMs + madeSeconds * 1_000 * realTimeFactor - monotonicMs());
  }
  if (!client.isGone) response.end();
}

function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  switch (request.url) {
    case '/v1/chat/completions':
      return think(request, response);
    case '/v1/audio/speech':
      return speak(request, response);
    default:
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ object: 'list', data: [{ id: 'scripted', object: 'model' }] }));
      return Promise.resolve();
  }
}

const tell = (reply: EngineReply): void => {
  process.send?.(reply);
};
const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  answer(request, response).catch(() => response.destroy());
});
process.on('message', (command: EngineCommand) => {
  switch (command.do) {
    case 'script':
      script = command.script;
      return tell({ type: 'scripted' });
    case 'log': {
      const taken = { llm: log.llm, tts: log.tts };
      log.llm = log.llm.filter(({ firstMs }) => firstMs === undefined);
      log.tts = log.tts.filter(({ firstMs }) => firstMs === undefined);
      return tell({ type: 'log', log: taken });
    }
    default:
      return command satisfies never;
  }
});
process.on('disconnect', () => process.exit());
server.listen(0, '127.0.0.1', () => {
  tell({ type: 'listening', url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1` });
});

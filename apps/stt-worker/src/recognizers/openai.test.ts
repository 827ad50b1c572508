import { hearKnownSpeech, type ScriptedStt, type SttBehaviour, startScriptedStt } from '@parley/testkit';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Recognizer, RecognizerOptions, SpokenWord } from '../recognizer.ts';
import { speech, speechItems } from '../testing/lab.ts';
import { createRecognizer } from './openai.ts';

const SAID = speechItems().find(({ file }) => file === 'slt-02.wav')?.text ?? '';
const BASE: RecognizerOptions = { slots: 0, stallTimeoutMs: 5_000, onTrouble: () => undefined };

let server: ScriptedStt;
beforeEach(async () => {
  server = await startScriptedStt();
});
afterEach(() => server.close());

async function create(options: Partial<RecognizerOptions> = {}): Promise<Recognizer> {
  const recognizer = await createRecognizer({ ...BASE, baseUrl: server.url, ...options });
  onTestFinished(() => recognizer.close());
  return recognizer;
}

describe('the request', () => {
  test('is a WAV file with what is set, and the audio is that of the segment', async () => {
    const recognizer = await create({
      ...{ model: 'whisper-large-v3', apiKey: 'secret', language: 'en-GB', hotwords: 'Parley, Dublin' },
    });
    const stream = await recognizer.open();
    const samples = speech('slt-02.wav');
    stream.accept(samples.slice(0, 10_000));
    stream.accept(samples.slice(10_000));
    expect(await stream.settle()).toBe(SAID);
    const request = server.requests.at(-1);
    expect(request).toMatchObject({
      ...{ model: 'whisper-large-v3', authorization: 'Bearer secret', language: 'en', prompt: 'Parley, Dublin' },
      ...{ responseFormat: 'verbose_json', granularities: ['word'] },
      ...{ fileName: 'segment.wav', fileType: 'audio/wav' },
    });
    expect(request?.samples).toEqual(samples);
  });

  test('brings the words with their times, from the second recording too, as far as the segment goes', async () => {
    const stream = await (await create()).open();
    for (const file of ['slt-01.wav', 'slt-02.wav']) {
      const samples = speech(file);
      stream.accept(samples.slice());
      const words: SpokenWord[] = [];
      const text = await stream.settle((told) => words.push(...told));
      // The server tells seconds with two decimals.
      const known = hearKnownSpeech(samples);
      expect(words.map(({ word }) => word).join(' ')).toBe(text);
      for (const [index, { word, ...said }] of words.entries()) {
        expect(known[index]?.word).toBe(word);
        expect(Math.abs(said.startSample - (known[index]?.startSample ?? 0))).toBeLessThanOrEqual(80);
        expect(Math.abs(said.endSample - (known[index]?.endSample ?? 0))).toBeLessThanOrEqual(80);
        expect(said).not.toHaveProperty('confidence');
      }
    }
  });

  test('is plain where the server knows no other form, and then no words are told', async () => {
    server.setBehaviour({ plainOnly: true });
    const recognizer = await create();
    const stream = await recognizer.open();
    stream.accept(speech('slt-02.wav'));
    const words: SpokenWord[] = [];
    expect(await stream.settle((told) => words.push(...told))).toBe(SAID);
    expect(words).toEqual([]);
    // Asked once, at the start.
    expect(server.requests.map(({ responseFormat }) => responseFormat)).toEqual(['json', 'json']);
    const newer = await create({ model: 'gpt-4o-mini-transcribe' });
    expect(newer.languages).toContain('de');
  });

  test('is not made for silence, nor for less than a server takes', async () => {
    const stream = await (await create()).open();
    const before = server.requests.length;
    stream.accept(new Int16Array(16_000));
    expect(await stream.settle()).toBe('');
    expect(server.requests).toHaveLength(before);
    stream.accept(speech('slt-02.wav').slice(8_000, 9_000));
    expect(await stream.settle()).toBe('');
    expect(server.requests.at(-1)?.samples).toHaveLength(8_000);
  });
});

test('partials are asked for when they are wanted, one at a time, with what is there', async () => {
  const silent = await (await create()).open();
  const before = server.requests.length;
  silent.accept(speech('slt-01.wav'));
  await silent.settle();
  expect(server.requests).toHaveLength(before + 1);

  const stream = await (await create({ partialMs: 100 })).open();
  const partials: string[] = [];
  stream.onPartial((text) => partials.push(text));
  const samples = speech('slt-01.wav');
  const first = server.requests.length;
  for (let offset = 0; offset < samples.length; offset += 8_000) {
    stream.accept(samples.slice(offset, offset + 8_000));
    if (offset === 24_000) await vi.waitFor(() => expect(partials).not.toEqual([]));
  }
  const text = await stream.settle();
  expect(partials.every((partial) => text.startsWith(partial))).toBe(true);
  // Never more often than every second.
  expect(server.requests.length - first).toBeLessThanOrEqual(5);
});

test.each<[string, SttBehaviour, string]>([
  ['is overloaded', { status: 503 }, 'engine_failed'],
  ['wants another key', { status: 401 }, 'engine_rejected'],
  ['hangs up', { hangUp: 'before' }, 'engine_failed'],
  ['breaks off', { hangUp: 'midway' }, 'engine_failed'],
])('a server that %s fails the segment, and no later one', async (_, behaviour, code) => {
  const stream = await (await create()).open();
  server.setBehaviour(behaviour);
  stream.accept(speech('slt-02.wav'));
  await expect(stream.settle()).rejects.toMatchObject({ code });
  server.setBehaviour({ status: undefined, hangUp: undefined });
  stream.accept(speech('slt-02.wav'));
  expect(await stream.settle()).toBe(SAID);
});

test('a server that never answers is given up in time', async () => {
  const stream = await (await create({ stallTimeoutMs: 300 })).open();
  server.setBehaviour({ hang: true });
  stream.accept(speech('slt-02.wav'));
  await expect(stream.settle()).rejects.toMatchObject({ code: 'engine_timeout' });
  await vi.waitFor(() => expect(server.active).toBe(0));
});

test('a slow server keeps segments in order of their audio, and those behind count as backlog', async () => {
  const stream = await (await create()).open();
  server.setBehaviour({ delayMs: 200 });
  const settles = Array.from({ length: 6 }, () => {
    stream.accept(speech('slt-02.wav'));
    return stream.settle();
  });
  await vi.waitFor(() => expect(server.active).toBe(4));
  expect(stream.backlogMs).toBeGreaterThan(4_000);
  expect(await Promise.all(settles)).toEqual(Array.from({ length: 6 }, () => SAID));
  expect(stream.backlogMs).toBe(0);
});

test('closing a stream ends its requests at once, at the server too', async () => {
  const stream = await (await create()).open();
  server.setBehaviour({ hang: true });
  stream.accept(speech('slt-02.wav'));
  const settled = stream.settle();
  settled.catch(() => undefined);
  await vi.waitFor(() => expect(server.active).toBe(1));
  const closedAtMs = performance.now();
  stream.close();
  await expect(settled).rejects.toMatchObject({ code: 'engine_failed' });
  expect(performance.now() - closedAtMs).toBeLessThan(50);
  await vi.waitFor(() => expect(server.abortedAtMs).toHaveLength(1));
  expect((server.abortedAtMs[0] ?? 0) - closedAtMs).toBeLessThan(50);
});

test('many sessions at once each get their own text', async () => {
  const recognizer = await create();
  const items = speechItems().filter(({ text }) => text !== '');
  server.setBehaviour({ delayMs: 30 });
  const texts = await Promise.all(
    Array.from({ length: 60 }, async (_, index) => {
      const stream = await recognizer.open();
      stream.accept(speech(items[index % items.length]?.file ?? ''));
      return stream.settle().finally(() => stream.close());
    }),
  );
  expect(texts).toEqual(Array.from({ length: 60 }, (_, index) => items[index % items.length]?.text));
});

test.each<[string, SttBehaviour, string]>([
  ['refuses the key', { status: 401 }, 'engine_rejected'],
  ['is broken', { status: 500 }, 'engine_failed'],
])('a server that %s is no engine', async (_, behaviour, code) => {
  server.setBehaviour(behaviour);
  await expect(create()).rejects.toMatchObject({ code });
});

test('a server that is not there is no engine', async () => {
  await expect(create({ baseUrl: 'http://127.0.0.1:9/v1' })).rejects.toMatchObject({ code: 'engine_failed' });
});

import { type DeepgramBehaviour, hearKnownSpeech, type ScriptedDeepgram, startScriptedDeepgram } from '@parley/testkit';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Recognizer, RecognizerOptions, SpokenWord } from '../recognizer.ts';
import { silence, speech, speechItems } from '../testing/lab.ts';
import { createRecognizer } from './deepgram.ts';

const textOf = (name: string): string => speechItems().find(({ file }) => file === name)?.text ?? '';
const SAID = textOf('slt-02.wav');
const BASE: RecognizerOptions = { slots: 0, stallTimeoutMs: 5_000, onTrouble: () => undefined };

let server: ScriptedDeepgram;
beforeEach(async () => {
  server = await startScriptedDeepgram({ key: 'secret' });
});
afterEach(() => server.close());

async function create(options: Partial<RecognizerOptions> = {}): Promise<Recognizer> {
  const recognizer = await createRecognizer({
    ...{ ...BASE, deepgramUrl: server.url, deepgramApiKey: 'secret' },
    ...options,
  });
  onTestFinished(() => recognizer.close());
  return recognizer;
}

/** The connection of the newest stream. */
const connection = () => server.connections.at(-1);

async function openStream(options: Partial<RecognizerOptions> = {}) {
  const recognizer = await create(options);
  const before = server.connections.length;
  const stream = await recognizer.open();
  await vi.waitFor(() => expect(server.connections.length).toBe(before + 1));
  return stream;
}

describe('the connection', () => {
  test('says what it sends and what it wants', async () => {
    const stream = await openStream({ language: 'en-GB', hotwords: 'Parley, Dublin' });
    expect(connection()).toMatchObject({
      authorization: 'Token secret',
      query: {
        ...{ model: 'nova-3', language: 'en-GB', encoding: 'linear16', sample_rate: '16000', channels: '1' },
        ...{ interim_results: 'true', punctuate: 'true', endpointing: 'false', keyterm: 'Parley,Dublin' },
      },
    });
    stream.close();
    await openStream({ deepgramModel: 'nova-2', hotwords: 'Parley' });
    expect(connection()?.query).toMatchObject({ model: 'nova-2', language: 'en', keywords: 'Parley' });
  });

  test('takes the base URL with or without the path, as http or ws', async () => {
    const base = server.url.replace('ws:', 'http:');
    for (const deepgramUrl of [`${base}/`, `${base}/v1`, `${server.url}/v1/listen`]) await create({ deepgramUrl });
    expect(server.connections).toHaveLength(3);
  });

  test('is kept alive in silence, and asked to close at the end', async () => {
    server.setBehaviour({ idleTimeoutMs: 9_000 });
    const stream = await openStream();
    await vi.waitFor(() => expect(connection()?.messages).toEqual(['KeepAlive', 'KeepAlive']), { timeout: 12_000 });
    stream.close();
    await vi.waitFor(() => expect(connection()?.closedWith).toBe(1000));
    expect(connection()?.messages.at(-1)).toBe('CloseStream');
    expect(server.active).toBe(0);
  }, 20_000);

  test('is closed within moments when the stream is, whatever it is doing', async () => {
    const stream = await openStream();
    server.setBehaviour({ hang: true });
    stream.accept(speech('slt-02.wav'));
    const settled = stream.settle();
    settled.catch(() => undefined);
    await vi.waitFor(() => expect(connection()?.messages).toEqual(['Finalize']));
    const closedAtMs = performance.now();
    stream.close();
    await expect(settled).rejects.toMatchObject({ code: 'engine_failed' });
    expect(performance.now() - closedAtMs).toBeLessThan(50);
    await vi.waitFor(() => expect(connection()?.closedWith).toBe(1000));
  });
});

describe('a segment', () => {
  test('is settled from everything that the server settles, up to the answer to Finalize', async () => {
    server.setBehaviour({ finalEveryMs: 700, delayMs: 20 });
    const stream = await openStream();
    const partials: string[] = [];
    stream.onPartial((text) => partials.push(text));
    const samples = speech('slt-01.wav');
    for (let offset = 0; offset < samples.length; offset += 640) stream.accept(samples.slice(offset, offset + 640));
    expect(await stream.settle()).toBe(textOf('slt-01.wav'));
    expect(connection()?.messages).toEqual(['Finalize']);
    stream.accept(samples);
    await vi.waitFor(() => expect(partials).not.toEqual([]));
    stream.close();
  });

  test('has its words with their times and confidence, counted from its own first sample', async () => {
    server.setBehaviour({ finalEveryMs: 700 });
    const stream = await openStream();
    for (const file of ['slt-01.wav', 'slt-02.wav', 'slt-01.wav']) {
      const samples = speech(file);
      for (let offset = 0; offset < samples.length; offset += 640) stream.accept(samples.slice(offset, offset + 640));
      const words: SpokenWord[] = [];
      const text = await stream.settle((told) => words.push(...told));
      const known = hearKnownSpeech(samples);
      expect(words.map(({ word }) => word).join(' ')).toBe(text);
      for (const [index, { word, startSample, endSample, confidence = 0 }] of words.entries()) {
        expect(known[index]?.word).toBe(word);
        expect(Math.abs(startSample - (known[index]?.startSample ?? 0))).toBeLessThanOrEqual(16);
        expect(Math.abs(endSample - (known[index]?.endSample ?? 0))).toBeLessThanOrEqual(16);
        expect(confidence).toBeGreaterThan(0);
        expect(confidence).toBeLessThanOrEqual(1);
      }
    }
    stream.close();
  });

  test('is settled although the server has nothing to say to Finalize', async () => {
    server.setBehaviour({ silentFinalize: true, finalEveryMs: 10 });
    const stream = await openStream();
    stream.accept(speech('slt-02.wav'));
    expect(await stream.settle()).toBe(SAID);
    stream.accept(silence(1_000));
    server.setBehaviour({ silentFinalize: false });
    expect(await stream.settle()).toBe('');
    stream.close();
  });

  test('that is abandoned leaves no word to the next', async () => {
    server.setBehaviour({ delayMs: 50 });
    const stream = await openStream();
    stream.accept(speech('slt-01.wav'));
    await vi.waitFor(() => expect(connection()?.audioBytes).toBe(speech('slt-01.wav').byteLength));
    stream.abandon();
    stream.accept(speech('slt-02.wav'));
    expect(await stream.settle()).toBe(SAID);
    stream.close();
  });

  test.each<[string, DeepgramBehaviour]>([
    ['fails', { failAfterBytes: 40_000 }],
    ['hangs up', { hangUpAfterBytes: 40_000 }],
  ])('is sent again, whole, when the server %s in the middle of it', async (_, behaviour) => {
    const stream = await openStream();
    stream.accept(speech('slt-01.wav'));
    expect(await stream.settle()).toBe(textOf('slt-01.wav'));
    const before = server.connections.length;
    server.setBehaviour(behaviour);
    const samples = speech('slt-02.wav');
    stream.accept(samples.slice(0, 10_000));
    await vi.waitFor(() => expect(server.connections.length).toBe(before + 1));
    await vi.waitFor(() => expect(connection()?.audioBytes).toBe(20_000));
    stream.accept(samples.slice(10_000, 24_000));
    await vi.waitFor(() => expect(server.connections.length).toBeGreaterThan(before + 1));
    server.setBehaviour({ failAfterBytes: undefined, hangUpAfterBytes: undefined });
    stream.accept(samples.slice(24_000));
    expect(await stream.settle()).toBe(SAID);
    stream.close();
  });

  test('is sent again when the connection breaks while it is being settled', async () => {
    const stream = await openStream();
    server.setBehaviour({ hang: true });
    stream.accept(speech('slt-02.wav'));
    const settled = stream.settle();
    await vi.waitFor(() => expect(connection()?.messages).toEqual(['Finalize']));
    server.setBehaviour({ hang: false });
    server.hangUp();
    expect(await settled).toBe(SAID);
    expect(connection()?.audioBytes).toBe(speech('slt-02.wav').byteLength);
    stream.close();
  });

  test('is given up when every connection breaks', async () => {
    const stream = await openStream();
    const failed = new Promise((resolve) => stream.onFailure(resolve));
    server.setBehaviour({ hangUpAfterBytes: 1_000 });
    stream.accept(speech('slt-02.wav'));
    expect(await failed).toMatchObject({ code: 'engine_failed' });
    await expect(stream.settle()).rejects.toMatchObject({ code: 'engine_failed' });
    expect(server.connections.length).toBeLessThanOrEqual(6);
  });

  test('is given up when the server does not settle it', async () => {
    const stream = await openStream({ stallTimeoutMs: 300 });
    server.setBehaviour({ hang: true });
    stream.accept(speech('slt-02.wav'));
    await expect(stream.settle()).rejects.toMatchObject({ code: 'engine_timeout' });
    stream.close();
  });
});

test('a connection that breaks in silence is there again for the next word', async () => {
  const stream = await openStream();
  stream.accept(speech('slt-01.wav'));
  await stream.settle();
  server.hangUp();
  await vi.waitFor(() => expect(server.active).toBe(1), { timeout: 3_000 });
  stream.accept(speech('slt-02.wav'));
  expect(await stream.settle()).toBe(SAID);
  stream.close();
});

test('many sessions at once each get their own text', async () => {
  const recognizer = await create();
  server.setBehaviour({ delayMs: 10 });
  const items = speechItems().filter(({ text }) => text !== '');
  const texts = await Promise.all(
    Array.from({ length: 40 }, async (_, index) => {
      const stream = await recognizer.open();
      const samples = speech(items[index % items.length]?.file ?? '');
      for (let offset = 0; offset < samples.length; offset += 8_000) {
        stream.accept(samples.slice(offset, offset + 8_000));
      }
      return stream.settle().finally(() => stream.close());
    }),
  );
  expect(texts).toEqual(Array.from({ length: 40 }, (_, index) => items[index % items.length]?.text));
}, 20_000);

test.each<[string, Partial<RecognizerOptions>, DeepgramBehaviour, string]>([
  ['refuses the key', { deepgramApiKey: 'wrong' }, {}, 'engine_rejected'],
  ['does not know what it is asked', { deepgramModel: '' }, { status: 400 }, 'engine_rejected'],
  ['is overloaded', {}, { status: 503 }, 'engine_failed'],
  ['is not there', { deepgramUrl: 'ws://127.0.0.1:9' }, {}, 'engine_failed'],
])('a server that %s is no engine', async (_, options, behaviour, code) => {
  server.setBehaviour(behaviour);
  await expect(create(options)).rejects.toMatchObject({ code });
});

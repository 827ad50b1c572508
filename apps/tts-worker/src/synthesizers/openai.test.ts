import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { int16ToBytes, writeWav } from '@parley/audio';
import { type ScriptedTts, scriptedSpeech, startScriptedTts } from '@parley/testkit';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { SpeechRequest } from '../synthesizer.ts';
import { createOpenAiSynthesizer, type OpenAiSynthesizerOptions } from './openai.ts';

const never = new AbortController().signal;
const request = (more: Partial<SpeechRequest> = {}): SpeechRequest => ({
  ...{ text: 'Hello there.', voice: '', speed: 1, language: 'en' },
  ...more,
});

async function render(options: OpenAiSynthesizerOptions, more: Partial<SpeechRequest> = {}) {
  const samples: number[] = [];
  let rateHz = 0;
  for await (const chunk of createOpenAiSynthesizer(options).speak(request(more), never)) {
    samples.push(...chunk.samples);
    rateHz = chunk.sampleRateHz;
  }
  return { samples, rateHz };
}

describe('the openai engine', () => {
  let closers: (() => Promise<unknown> | unknown)[] = [];
  afterEach(async () => {
    for (const close of closers) await close();
    closers = [];
  });

  const scripted = async (behaviour: Parameters<typeof startScriptedTts>[0] = {}): Promise<ScriptedTts> => {
    const server = await startScriptedTts(behaviour);
    closers.push(() => server.close());
    return server;
  };
  const serve = async (answer: RequestListener): Promise<string> => {
    const server: Server = createServer((message, response) => {
      message.resume();
      message.on('end', () => answer(message, response));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(() => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  };

  it('asks for what is configured or set by the session, and gives every sample', async () => {
    const server = await scripted();
    const options = { baseUrl: server.url, model: 'kokoro', voice: 'af_heart', apiKey: 'key-1' };
    const { samples, rateHz } = await render(options, { speed: 1.25 });
    await render(options, { voice: 'bella' });
    expect(rateHz).toBe(24_000);
    expect(samples).toEqual([...scriptedSpeech('Hello there.')]);
    expect(server.requests[0]).toEqual({
      ...{ model: 'kokoro', voice: 'af_heart', speed: 1.25, input: 'Hello there.', response_format: 'pcm' },
    });
    expect(server.requests[1]).toMatchObject({ voice: 'bella' });
    expect(server.requests[1]).not.toHaveProperty('speed');
    expect(server.authorizations[0]).toBe('Bearer key-1');
  });

  it('closes the request when it is cancelled', { retry: 2 }, async () => {
    const server = await scripted({ realTimeFactor: 1 });
    const controller = new AbortController();
    const speech = createOpenAiSynthesizer({ baseUrl: server.url }).speak(request(), controller.signal);
    const iterator = speech[Symbol.asyncIterator]();
    await iterator.next();
    const cancelledAt = performance.now();
    controller.abort(new Error('enough'));
    await expect(iterator.next()).rejects.toThrow('enough');
    await vi.waitFor(() => expect(server.abortedAtMs).toHaveLength(1), { interval: 2 });
    expect((server.abortedAtMs[0] ?? 0) - cancelledAt).toBeLessThan(50);
  });

  it('closes the request when it is cancelled before the answer', async () => {
    const server = await scripted({ firstByteMs: 60_000 });
    const controller = new AbortController();
    const speech = createOpenAiSynthesizer({ baseUrl: server.url }).speak(request(), controller.signal);
    const first = speech[Symbol.asyncIterator]().next();
    await vi.waitFor(() => expect(server.active).toBe(1), { interval: 2 });
    controller.abort(new Error('enough'));
    await expect(first).rejects.toThrow('enough');
    await vi.waitFor(() => expect(server.active).toBe(0), { interval: 2 });
  });

  it.each([
    [401, 'engine_rejected'],
    [403, 'engine_rejected'],
    [404, 'engine_rejected'],
    [400, 'engine_rejected'],
    [408, 'engine_failed'],
    [429, 'engine_failed'],
    [500, 'engine_failed'],
    [503, 'engine_failed'],
  ])('turns an answer of %i into %s, asking once', async (status, code) => {
    let asked = 0;
    const baseUrl = await serve((_, response) => {
      asked += 1;
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end('{"error":{"message":"about: Hello there."}}');
    });
    const error = await render({ baseUrl }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code, message: `the server answers ${status}` });
    expect(error).not.toHaveProperty('cause');
    expect(asked).toBe(1);
  });

  it.each([
    ['hangs up midway', { failAfterBytes: 9_601, realTimeFactor: 0.2 }],
    ['hangs up at a whole sample', { failAfterBytes: 9_600, realTimeFactor: 0.2 }],
  ])('gives what came before a server %s', async (_, behaviour) => {
    const server = await scripted(behaviour);
    let samples = 0;
    const listen = async (): Promise<void> => {
      const speech = createOpenAiSynthesizer({ baseUrl: server.url }).speak(request(), never);
      for await (const chunk of speech) samples += chunk.samples.length;
    };
    await expect(listen()).rejects.toMatchObject({ code: 'engine_failed', retryable: true });
    // What the server had not flushed when it hung up is lost.
    expect(samples).toBeGreaterThanOrEqual(2_400);
    expect(samples).toBeLessThanOrEqual(4_800);
  });

  it('takes WAV too, at its own rate, cut anywhere and with its length left open', async () => {
    const spoken = Int16Array.from({ length: 4_000 }, (_, index) => index - 2_000);
    const wav = Buffer.from(writeWav(spoken, 22_050));
    wav.writeUInt32LE(0xffff_ffff, 40);
    const baseUrl = await serve((_, response) => {
      response.writeHead(200, { 'content-type': 'audio/wav' });
      const write = (at: number): void => {
        if (at >= wav.length) return void response.end();
        response.write(wav.subarray(at, at + 997));
        setImmediate(write, at + 997);
      };
      write(0);
    });
    const { samples, rateHz } = await render({ baseUrl });
    expect(rateHz).toBe(22_050);
    expect(samples).toEqual([...spoken]);
  });

  it('believes a rate that the answer names', async () => {
    const baseUrl = await serve((_, response) => {
      response.writeHead(200, { 'content-type': 'audio/pcm;rate=16000' });
      response.end(int16ToBytes(Int16Array.of(1, 2, 3)));
    });
    expect(await render({ baseUrl })).toEqual({ samples: [1, 2, 3], rateHz: 16_000 });
  });

  it.each(['audio/mpeg', 'text/html; charset=utf-8', 'application/json'])('plays no %s as noise', async (type) => {
    const baseUrl = await serve((_, response) => {
      response.writeHead(200, { 'content-type': type });
      response.end('ID3 and much more');
    });
    await expect(render({ baseUrl })).rejects.toMatchObject({ code: 'engine_failed' });
  });

  it('fails when nothing listens', async () => {
    const server = await scripted();
    await server.close();
    await expect(render({ baseUrl: server.url })).rejects.toMatchObject({ code: 'engine_failed', retryable: true });
  });
});

describe('the openai engine with servers of other makers', () => {
  let server: ScriptedTts;
  afterEach(() => server.close());

  it('knows the voices that Kokoro-FastAPI lists, mixtures of them, and names it translates', async () => {
    server = await startScriptedTts({ dialect: 'kokoro' });
    const engine = createOpenAiSynthesizer({ baseUrl: server.url, model: 'kokoro' });
    expect(engine.voices).toEqual([]);
    await engine.warmUp(never);
    expect(engine.voices).toEqual(['af_alloy', 'af_bella', 'af_heart', 'bm_george']);
    const voices = ['af_heart', 'af_bella+bm_george', 'af_bella(2)+af_heart(1)', 'alloy'];
    for (const voice of voices) expect(engine.hasVoice?.(voice)).toBe(true);
    for (const voice of ['slt', 'af_bella+slt']) expect(engine.hasVoice?.(voice)).toBe(false);
    const spoken = [];
    for (const voice of ['', ...voices]) {
      for await (const { samples } of engine.speak(request({ voice }), never)) spoken.push(samples.length);
    }
    expect(server.requests.slice(1).map(({ voice }) => voice)).toEqual(['alloy', ...voices]);
  });

  it('reports a model or a voice that Kokoro-FastAPI does not have as rejected', async () => {
    server = await startScriptedTts({ dialect: 'kokoro' });
    const rejected = { code: 'engine_rejected', message: 'the server answers 400' };
    await expect(render({ baseUrl: server.url, model: 'tts-9' })).rejects.toMatchObject(rejected);
    await expect(render({ baseUrl: server.url, voice: 'slt' })).rejects.toMatchObject(rejected);
  });

  it('takes the whole WAV that Orpheus-FastAPI answers whatever it was asked for, and its first voice', async () => {
    server = await startScriptedTts({ dialect: 'orpheus' });
    const engine = createOpenAiSynthesizer({ baseUrl: server.url, model: 'orpheus' });
    await engine.warmUp(never);
    expect(engine.voices).toEqual(['tara', 'leah', 'leo', 'zoe']);
    const samples: number[] = [];
    for await (const chunk of engine.speak(request(), never)) samples.push(...chunk.samples);
    expect(samples).toEqual([...scriptedSpeech('Hello there.')]);
    expect(server.requests.at(-1)?.voice).toBe('tara');
  });

  it.each([
    ['tts-1', 22_050],
    ['tts-1-hd', 24_000],
  ])('believes the rate that openedai-speech names for %s', async (model, rateHz) => {
    server = await startScriptedTts({ dialect: 'xtts' });
    expect((await render({ baseUrl: server.url, model })).rateHz).toBe(rateHz);
    await expect(render({ baseUrl: server.url, model: 'tts-1-hd', voice: 'nobody' })).rejects.toMatchObject({
      code: 'engine_rejected',
    });
  });

  it('plays a WAV of open length without its header', async () => {
    server = await startScriptedTts({ dialect: 'streamed-wav' });
    expect((await render({ baseUrl: server.url })).samples).toEqual([...scriptedSpeech('Hello there.')]);
  });
});

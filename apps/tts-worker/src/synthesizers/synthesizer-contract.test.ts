import { execFileSync } from 'node:child_process';
import { concatInt16, rmsDbfs } from '@parley/audio';
import { VoiceError } from '@parley/protocol';
import { type ScriptedTts, startScriptedTts } from '@parley/testkit';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { SpeechRequest, Synthesizer } from '../synthesizer.ts';
import { createFlite } from './flite.ts';
import { createOpenAiSynthesizer } from './openai.ts';

const TEXT =
  'This is the first sentence. Here comes a second one, and it is longer. The third one ends it all, at last.';

const request = (text: string, more: Partial<SpeechRequest> = {}): SpeechRequest => ({
  ...{ text, voice: '', speed: 1, language: 'en' },
  ...more,
});
const never = new AbortController().signal;

let server: ScriptedTts;
beforeAll(async () => {
  server = await startScriptedTts({ realTimeFactor: 0.05 });
});
afterAll(() => server.close());

/** Child processes of this process that run flite. */
const flites = (): number => {
  const table = execFileSync('ps', ['-o', 'comm=', '--ppid', String(process.pid)], { encoding: 'utf8' });
  return table.split('\n').filter((name) => name === 'flite').length;
};

const engines = [
  { name: 'flite', create: (): Synthesizer => createFlite(), isIdle: () => flites() === 0 },
  {
    name: 'openai',
    create: (): Synthesizer => createOpenAiSynthesizer({ baseUrl: server.url }),
    isIdle: () => server.active === 0,
  },
];

describe.each(engines)('the engine $name', ({ create, isIdle }) => {
  it('speaks at one rate, and gives speech before the end', async () => {
    const arrivals: number[] = [];
    const rates = new Set<number>();
    const chunks: Int16Array[] = [];
    for await (const { samples, sampleRateHz } of create().speak(request(TEXT), never)) {
      arrivals.push(performance.now());
      rates.add(sampleRateHz);
      chunks.push(samples);
    }
    const [rateHz = 0] = rates;
    expect(rates.size).toBe(1);
    expect(concatInt16(chunks).length / rateHz).toBeGreaterThan(3);
    expect(rmsDbfs(concatInt16(chunks))).toBeGreaterThan(-40);
    expect((arrivals.at(-1) ?? 0) - (arrivals[0] ?? 0)).toBeGreaterThan(20);
  });

  it('stops within 50 ms of a cancel and leaves nothing behind', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const speech = create()
      .speak(request(TEXT.repeat(8)), controller.signal)
      [Symbol.asyncIterator]();
    await speech.next();
    expect(isIdle()).toBe(false);
    const cancelledAt = performance.now();
    controller.abort(reason);
    const rest = (async () => {
      while (!(await speech.next()).done);
    })();
    await expect(rest).rejects.toBe(reason);
    expect(performance.now() - cancelledAt).toBeLessThan(50);
    await vi.waitFor(() => expect(isIdle()).toBe(true), { timeout: 1_000, interval: 5 });
  });

  it('starts nothing when it was cancelled before', async () => {
    const speech = create()
      .speak(request(TEXT), AbortSignal.abort(new Error('too late')))
      [Symbol.asyncIterator]();
    await expect(speech.next()).rejects.toThrow('too late');
    expect(isIdle()).toBe(true);
  });

  it('leaves nothing behind when its reader loses interest', async () => {
    for await (const _ of create().speak(request(TEXT.repeat(8)), never)) break;
    await vi.waitFor(() => expect(isIdle()).toBe(true), { timeout: 1_000, interval: 5 });
  });

  it('speaks many texts at once, each its own', async () => {
    const synthesizer = create();
    const speak = async (text: string): Promise<number> => {
      let samples = 0;
      for await (const chunk of synthesizer.speak(request(text), never)) samples += chunk.samples.length;
      return samples;
    };
    const texts = Array.from({ length: 12 }, (_, index) => 'one more word '.repeat(1 + (index % 4)));
    const together = await Promise.all(texts.map(speak));
    const alone = await Promise.all(texts.slice(0, 4).map(speak));
    expect(together).toEqual(texts.map((_, index) => alone[index % 4]));
  });

  it('speaks faster when told to', async () => {
    if (create().name === 'openai') return; // the server decides
    const length = async (speed: number): Promise<number> => {
      let samples = 0;
      for await (const chunk of create().speak(request(TEXT, { speed }), never)) samples += chunk.samples.length;
      return samples;
    };
    expect((await length(2)) / (await length(1))).toBeCloseTo(0.5, 1);
  });

  it('warms up', async () => {
    await expect(create().warmUp(never)).resolves.toBeUndefined();
  });

  it('gives the same samples for the same text if it says so', async () => {
    const synthesizer = create();
    if (!synthesizer.deterministic) return;
    const render = async (): Promise<Int16Array> => {
      const chunks: Int16Array[] = [];
      for await (const { samples } of synthesizer.speak(request(TEXT), never)) chunks.push(samples.slice());
      return concatInt16(chunks);
    };
    expect(await render()).toEqual(await render());
  });
});

it('every failure of an engine is a VoiceError with a code', async () => {
  const missing = createFlite({ command: 'no-such-flite' }).speak(request('Hello.'), never);
  const unreachable = createOpenAiSynthesizer({ baseUrl: 'http://127.0.0.1:9/v1' }).speak(request('Hello.'), never);
  for (const [speech, code] of [
    [missing, 'engine_missing'],
    [unreachable, 'engine_failed'],
  ] as const) {
    const error: unknown = await speech[Symbol.asyncIterator]()
      .next()
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(VoiceError);
    expect(error).toMatchObject({ code });
  }
});

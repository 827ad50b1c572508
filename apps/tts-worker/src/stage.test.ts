import { once } from 'node:events';
import { concatInt16, resample, rmsDbfs } from '@parley/audio';
import { type Bus, connectBus } from '@parley/bus';
import type { SpeakInput } from '@parley/protocol';
import { createLogger, createMetrics, systemClock } from '@parley/runtime';
import { runStage } from '@parley/stage';
import { ScriptedOwner, type ScriptedTts, scriptedSpeech, startRedis, startScriptedTts } from '@parley/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { speechMetrics } from './metrics.ts';
import { prepareEngines } from './prepare-engines.ts';
import { speakStage } from './stage.ts';
import type { SpeechRequest, Synthesizer } from './synthesizer.ts';
import { createFlite } from './synthesizers/flite.ts';
import { createOpenAiSynthesizer } from './synthesizers/openai.ts';
import { createSherpa } from './synthesizers/sherpa.ts';
import { TINY_VOICE_DIR } from './testing/lab.ts';

const REF = { stage: 'speak', turn: 1, attempt: 0, clause: 0 } as const;
const TEXT = 'The quick brown fox jumps over the lazy dog, and then it goes home. It sleeps for the rest of the day.';
const logger = createLogger({ name: 'test', level: 'silent' });
const never = new AbortController().signal;

const input = (more: Partial<SpeakInput> = {}): SpeakInput => ({
  ...{ text: TEXT, voice: '', speed: 1, language: 'en', rateHz: 24_000 },
  ...more,
});

async function renderAll(synthesizer: Synthesizer, text = TEXT): Promise<Int16Array> {
  const request: SpeechRequest = { text, voice: '', speed: 1, language: 'en' };
  const chunks: Int16Array[] = [];
  for await (const { samples } of synthesizer.speak(request, never)) chunks.push(samples.slice());
  return concatInt16(chunks);
}

/** The same engine, which hangs in the middle of a text. */
function hangingAfter(ms: number, synthesizer: Synthesizer): Synthesizer {
  return {
    ...synthesizer,
    async *speak(request, signal) {
      let spoken = 0;
      for await (const { samples, sampleRateHz } of synthesizer.speak(request, signal)) {
        for (let at = 0; at < samples.length; at += sampleRateHz / 50) {
          if ((spoken * 1_000) / sampleRateHz > ms) await once(signal, 'abort');
          signal.throwIfAborted();
          const piece = samples.subarray(at, at + sampleRateHz / 50);
          spoken += piece.length;
          yield { samples: piece, sampleRateHz };
        }
      }
    },
  };
}

describe('the speak stage', () => {
  let redis: Awaited<ReturnType<typeof startRedis>>;
  let server: ScriptedTts;
  let owner: ScriptedOwner;
  let closers: (() => Promise<unknown>)[] = [];
  let workers = 0;
  beforeAll(async () => {
    redis = await startRedis();
    server = await startScriptedTts();
  });
  afterAll(async () => {
    await server.close();
    await redis.stop();
  });
  beforeEach(async () => {
    server.setBehaviour({ firstByteMs: 0, realTimeFactor: 0, hangAfterBytes: Number.POSITIVE_INFINITY });
    owner = await ScriptedOwner.open(await connect('gateway'));
  });
  afterEach(async () => {
    for (const close of closers.reverse()) await close();
    closers = [];
  });

  const connect = async (id: string): Promise<Bus> => {
    const metrics = createMetrics({ processMetrics: false });
    const bus = await connectBus({ url: redis.url, process: { id, host: 'here', pid: process.pid }, logger, metrics });
    closers.push(() => bus.close());
    return bus;
  };

  const startWorker = async (
    synthesizer: Synthesizer | Synthesizer[],
    timeoutMs = 5_000,
  ): Promise<{ stop(): Promise<void> }> => {
    workers += 1;
    const bus = await connect(`tts-${workers}`);
    const metrics = createMetrics({ processMetrics: false });
    const controller = new AbortController();
    const speech = speechMetrics(metrics);
    const prepared = prepareEngines([synthesizer].flat(), {
      ...{ firstAudioTimeoutMs: timeoutMs, stallTimeoutMs: timeoutMs, fallbackAfterMs: 300, cacheMegabytes: 0 },
      ...{ clock: systemClock, logger, metrics: speech },
    });
    const stage = speakStage({ bus, synthesizer: prepared, slots: 4, metrics: speech });
    const finished = runStage(stage, {
      ...{ bus, logger, metrics, clock: systemClock, signal: controller.signal, drainGraceMs: 0 },
      heartbeat: () => ({ engine: prepared.name, engineReason: '', engineHint: '', ready: true }),
    });
    const stop = async (): Promise<void> => {
      controller.abort(new Error('stop'));
      await finished;
    };
    closers.push(stop);
    return { stop };
  };

  const untilComplete = (ref: typeof REF = REF): Promise<Int16Array> =>
    vi.waitFor(
      async () => {
        const { samples, isComplete } = await owner.speech(ref);
        expect(isComplete).toBe(true);
        return samples;
      },
      { timeout: 8_000 },
    );

  it.each([8_000, 16_000, 24_000, 44_100] as const)('publishes a whole clause once, at %i Hz', async (rateHz) => {
    await startWorker(createFlite());
    await owner.start(REF, input({ rateHz }));
    const samples = await untilComplete();
    expect(samples).toEqual(await resample(await renderAll(createFlite()), 16_000, rateHz));
    const chunks = await owner.events('audio.chunk');
    expect(chunks[0]?.samples).toBe((80 * rateHz) / 1_000);
    expect(Math.max(...chunks.map((chunk) => chunk.samples))).toBeLessThanOrEqual(rateHz * 0.4);
    expect(chunks.reduce((sum, chunk) => sum + chunk.samples, 0)).toBe(samples.length);
    expect(await owner.events('audio.done')).toMatchObject([
      { turn: 1, attempt: 0, clause: 0, samples: samples.length },
    ]);
    expect(await owner.work(REF)).toMatchObject({ done: true, resumeAt: samples.length });
  });

  it('publishes what a server streams, as it comes', async () => {
    server.setBehaviour({ realTimeFactor: 0.2 });
    await startWorker(createOpenAiSynthesizer({ baseUrl: server.url }));
    await owner.start(REF, input());
    await vi.waitFor(async () => expect(await owner.events('audio.chunk')).not.toHaveLength(0), { interval: 5 });
    expect(server.active).toBe(1);
    expect(await untilComplete()).toEqual(scriptedSpeech(TEXT));
  });

  it('says nothing, and fails nothing, for a clause of punctuation and emoji', async () => {
    await startWorker(createFlite());
    await owner.start(REF, input({ text: ' … 😀!' }));
    expect(await untilComplete()).toHaveLength(0);
    expect(await owner.events('audio.done')).toMatchObject([{ samples: 0 }]);
    expect(await owner.events('work.failed')).toEqual([]);
  });

  it('speaks a very long text piece by piece', async () => {
    await startWorker(createOpenAiSynthesizer({ baseUrl: server.url }));
    server.setBehaviour({ secondsPerCharacter: 0.005 });
    const asked = server.requests.length;
    await owner.start(REF, input({ text: 'One more sentence. '.repeat(300) }));
    const samples = await untilComplete();
    const texts = server.requests.slice(asked).map((request) => request.input);
    expect(texts.length).toBeGreaterThan(4);
    expect(Math.max(...texts.map((text) => text.length))).toBeLessThanOrEqual(1_000);
    expect(texts.join('')).toBe('One more sentence. '.repeat(300));
    expect(samples.length).toBeGreaterThan(20 * 24_000);
    server.setBehaviour({ secondsPerCharacter: 0.06 });
  });

  it('speaks many clauses at once without mixing them', async () => {
    await startWorker(createFlite());
    const texts = Array.from({ length: 10 }, (_, index) => `This is clause number ${index}.`);
    const refs = texts.map((_, clause) => ({ ...REF, clause }) as unknown as typeof REF);
    await Promise.all(texts.map((text, index) => owner.start(refs[index] ?? REF, input({ text, rateHz: 16_000 }))));
    for (const [index, text] of texts.entries()) {
      expect(await untilComplete(refs[index])).toEqual(await renderAll(createFlite(), text));
    }
  });

  it('uses the default voice where the engine does not know the one asked for', async () => {
    await startWorker(createFlite());
    await owner.start(REF, input({ voice: 'af_heart', rateHz: 16_000 }));
    expect(await untilComplete()).toEqual(await renderAll(createFlite()));
  });

  it.each([
    ['a missing engine', createFlite({ command: 'no-such-flite' }), { code: 'engine_missing', retryable: false }],
    [
      'an engine that is down',
      createOpenAiSynthesizer({ baseUrl: 'http://127.0.0.1:9/v1' }),
      { code: 'engine_failed', retryable: true },
    ],
  ])('reports %s with its code', async (_, synthesizer, verdict) => {
    await startWorker(synthesizer);
    await owner.start(REF, input());
    await vi.waitFor(async () => expect(await owner.events('work.failed')).toMatchObject([{ ...verdict, clause: 0 }]));
  });

  it('reports an input that is not one, without quoting it', async () => {
    await startWorker(createFlite());
    await owner.start(REF, { text: 7 });
    await vi.waitFor(async () => expect(await owner.events('work.failed')).toMatchObject([{ code: 'internal' }]));
  });

  it('times out a server that goes silent midway, and closes the request', async () => {
    server.setBehaviour({ hangAfterBytes: 48_000 });
    await startWorker(createOpenAiSynthesizer({ baseUrl: server.url }), 300);
    await owner.start(REF, input());
    await vi.waitFor(async () => expect(await owner.events('work.failed')).toMatchObject([{ code: 'engine_timeout' }]));
    await vi.waitFor(() => expect(server.active).toBe(0));
  });

  it('frees the engine within milliseconds of a cancel', async () => {
    server.setBehaviour({ realTimeFactor: 1 });
    await startWorker(createOpenAiSynthesizer({ baseUrl: server.url }));
    await owner.start(REF, input());
    await vi.waitFor(async () => expect(await owner.events('audio.chunk')).not.toHaveLength(0), { interval: 5 });
    const cancelledAt = performance.now();
    const aborted = server.abortedAtMs.length;
    await owner.cancel({ turn: 1, attempt: 0 });
    await vi.waitFor(() => expect(server.abortedAtMs.length).toBe(aborted + 1), { interval: 2 });
    expect((server.abortedAtMs.at(-1) ?? 0) - cancelledAt).toBeLessThan(100);
  });

  it.each([8_000, 24_000] as const)(
    'goes on with a half-published clause sample for sample, at %i Hz, when its worker is replaced',
    async (rateHz) => {
      const undisturbed = await resample(await renderAll(createFlite()), 16_000, rateHz);
      // Three workers in a row hang in the middle of the clause; a fourth ends it.
      for (const attempt of [1, 2, 3]) {
        const worker = await startWorker(hangingAfter(attempt * 1_111, createFlite()), 60_000);
        if (attempt === 1) await owner.start(REF, input({ rateHz }));
        else await owner.raiseTry(REF, attempt);
        const reached = (attempt * 1_111 - 250) * (rateHz / 1_000);
        await vi.waitFor(async () => expect((await owner.work(REF))?.resumeAt).toBeGreaterThan(reached));
        await worker.stop();
      }
      await startWorker(createFlite());
      await owner.raiseTry(REF, 4);
      expect(await untilComplete()).toEqual(undisturbed);
      expect(await owner.events('work.failed')).toMatchObject([1, 2, 3].map((n) => ({ handedBack: true, try: n })));
    },
  );

  it('goes on sample for sample where a server repeats itself, though it does not promise to', async () => {
    const worker = await startWorker(hangingAfter(1_500, createOpenAiSynthesizer({ baseUrl: server.url })), 60_000);
    await owner.start(REF, input({ rateHz: 16_000 }));
    await vi.waitFor(async () => expect((await owner.work(REF))?.resumeAt).toBeGreaterThan(20_000));
    await worker.stop();
    await startWorker(createOpenAiSynthesizer({ baseUrl: server.url }));
    await owner.raiseTry(REF, 2);
    expect(await untilComplete()).toEqual(await resample(scriptedSpeech(TEXT), 24_000, 16_000));
  });

  it('does not cut into a word where an engine that calls itself deterministic takes over from another', async () => {
    const worker = await startWorker(hangingAfter(1_000, createFlite()), 60_000);
    await owner.start(REF, input({ rateHz: 16_000 }));
    await vi.waitFor(async () => expect((await owner.work(REF))?.resumeAt).toBeGreaterThan(12_000));
    await worker.stop();
    const resumeAt = (await owner.work(REF))?.resumeAt ?? 0;
    await startWorker(createFlite({ voice: 'rms' }));
    await owner.raiseTry(REF, 2);
    const samples = await untilComplete();
    const first = await renderAll(createFlite());
    expect(samples.subarray(0, resumeAt)).toEqual(first.subarray(0, resumeAt));
    expect(rmsDbfs(samples.subarray(resumeAt, resumeAt + 160))).toBeLessThan(-40);
    const other = await renderAll(createFlite({ voice: 'rms' }));
    expect(samples.subarray(-8_000)).toEqual(other.subarray(-8_000));
  });

  it('ends a clause with a second engine when the first hangs up, or goes silent, midway', async () => {
    await startWorker([createOpenAiSynthesizer({ baseUrl: server.url }), createFlite()]);
    server.setBehaviour({ hangAfterBytes: 96_000 });
    await owner.start(REF, input());
    const samples = await untilComplete();
    const other = await resample(await renderAll(createFlite()), 16_000, 24_000);
    expect(samples.subarray(-24_000)).toEqual(other.subarray(-24_000));
    expect(samples.subarray(0, 24_000)).toEqual(scriptedSpeech(TEXT).subarray(0, 24_000));
    expect(await owner.events('work.failed')).toEqual([]);
    await vi.waitFor(() => expect(server.active).toBe(0));
  });

  it('goes on with a clause of a sherpa voice sample for sample when its worker is replaced', async () => {
    const engines = [1, 2].map(() => createSherpa({ modelDir: TINY_VOICE_DIR, threads: 1 }));
    closers.push(...engines.map((engine) => () => engine.close()));
    const [first, second] = engines as [Synthesizer, Synthesizer];
    const undisturbed = await renderAll(second);
    const hanging = hangingAfter(1_500, { ...first, speak: (...args) => first.speak(...args) });
    const worker = await startWorker(hanging, 60_000);
    await owner.start(REF, input({ rateHz: 16_000 }));
    await vi.waitFor(async () => expect((await owner.work(REF))?.resumeAt).toBeGreaterThan(20_000), { timeout: 5_000 });
    await worker.stop();
    await startWorker(second);
    await owner.raiseTry(REF, 2);
    expect(await untilComplete()).toEqual(undisturbed);
  });

  it('goes on at a silence where the engine gives another rendering', async () => {
    const worker = await startWorker(hangingAfter(1_000, createFlite()), 60_000);
    await owner.start(REF, input({ rateHz: 16_000 }));
    await vi.waitFor(async () => expect((await owner.work(REF))?.resumeAt).toBeGreaterThan(12_000));
    await worker.stop();
    const resumeAt = (await owner.work(REF))?.resumeAt ?? 0;
    await startWorker({ ...createFlite({ voice: 'rms' }), deterministic: false });
    await owner.raiseTry(REF, 2);
    const samples = await untilComplete();
    const other = await renderAll(createFlite({ voice: 'rms' }));
    const rest = samples.subarray(resumeAt);
    expect(rest.subarray(200)).toEqual(other.subarray(other.length - rest.length + 200));
    expect(rmsDbfs(rest.subarray(0, 160))).toBeLessThan(-40);
    expect(rest.length).toBeGreaterThan(other.length - resumeAt - 16_000);
  });
});

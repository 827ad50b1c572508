import { concatInt16, resample, rmsDbfs } from '@parley/audio';
import { VoiceError } from '@parley/protocol';
import { FakeClock } from '@parley/runtime';
import { type ScriptedTts, scriptedSpeech, startScriptedTts } from '@parley/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { withFallback } from './fallback.ts';
import type { Synthesizer } from './synthesizer.ts';
import { createFlite } from './synthesizers/flite.ts';
import { createOpenAiSynthesizer } from './synthesizers/openai.ts';
import { never, render, silentLogger, speechRequest, testMetrics } from './testing/lab.ts';

const TEXT = 'The quick brown fox jumps over the lazy dog, and then it goes home. It sleeps for the rest of the day.';
const WHOLE = { failAfterBytes: undefined, hangAfterBytes: undefined, status: undefined, realTimeFactor: 0 };

describe('engines in order', () => {
  let server: ScriptedTts;
  beforeAll(async () => {
    server = await startScriptedTts();
  });
  afterAll(() => server.close());
  beforeEach(() => server.setBehaviour(WHOLE));

  const serverAndFlite = (flite: Synthesizer = createFlite()) => {
    const clock = new FakeClock();
    const { metrics, registry } = testMetrics();
    const engines = [createOpenAiSynthesizer({ baseUrl: server.url }), flite] as const;
    const engine = withFallback([...engines], { clock, logger: silentLogger, metrics });
    return { engine, clock, page: () => registry.render() };
  };

  it('are one engine that is none of them', async () => {
    const { engine } = serverAndFlite();
    expect(engine).toMatchObject({ name: 'openai,flite', deterministic: false, sampleRateHz: undefined });
    expect(engine.voices).toEqual(createFlite().voices);
    expect(await render(engine, TEXT)).toEqual({ samples: scriptedSpeech(TEXT), rateHz: 24_000 });
  });

  it('are tried until one speaks', async () => {
    server.setBehaviour({ status: 503 });
    const { engine, page } = serverAndFlite();
    expect(await render(engine, TEXT)).toEqual(await render(createFlite(), TEXT));
    expect(await page()).toContain('parley_tts_fallbacks_total{engine="flite",when="unheard"} 1');
    expect(await page()).toContain('parley_tts_engine_failures_total{engine="openai",code="engine_failed"} 1');
  });

  it('go on at a silence, at the same rate, where one fails midway', async () => {
    server.setBehaviour({ failAfterBytes: 96_001, realTimeFactor: 0.05 });
    const { engine, page } = serverAndFlite();
    const { samples, rateHz } = await render(engine, TEXT);
    const flite = await render(createFlite(), TEXT);
    const other = await resample(flite.samples, flite.rateHz, 24_000);
    expect(rateHz).toBe(24_000);
    const first = scriptedSpeech(TEXT);
    const switched = samples.findIndex((value, index) => value !== first[index]);
    expect(switched).toBeGreaterThan(24_000);
    expect(switched).toBeLessThanOrEqual(48_240);
    expect(samples.subarray(-24_000)).toEqual(other.subarray(-24_000));
    expect(rmsDbfs(samples.subarray(switched, switched + 120))).toBeLessThan(-40);
    expect(samples.length).toBeLessThanOrEqual(other.length);
    expect(await page()).toContain('parley_tts_fallbacks_total{engine="flite",when="midway"} 1');
  });

  it('leave one that failed alone for a while, and come back to it', async () => {
    server.setBehaviour({ status: 503 });
    const { engine, clock, page } = serverAndFlite();
    await render(engine, 'One.');
    server.setBehaviour(WHOLE);
    const asked = server.requests.length;
    const flite = await render(createFlite(), 'Two.');
    expect(await render(engine, 'Two.')).toEqual(flite);
    expect(server.requests).toHaveLength(asked);
    expect(await page()).toContain('parley_tts_skipped_engines_total{engine="openai"} 1');
    await clock.advance(1_000);
    expect((await render(engine, 'Two.')).samples).toEqual(scriptedSpeech('Two.'));
    expect((await render(engine, 'Three.')).samples).toEqual(scriptedSpeech('Three.'));
  });

  it('do not leave one alone for a text that it refused', async () => {
    server.setBehaviour({ status: 400 });
    const { engine } = serverAndFlite();
    expect(await render(engine, 'One.')).toEqual(await render(createFlite(), 'One.'));
    server.setBehaviour(WHOLE);
    expect((await render(engine, 'Two.')).samples).toEqual(scriptedSpeech('Two.'));
  });

  it('are all tried, however lately they failed, before a text is given up', async () => {
    server.setBehaviour({ status: 503 });
    const { engine } = serverAndFlite(createFlite({ command: 'no-such-flite' }));
    for (const _ of [1, 2]) {
      const error = await render(engine, TEXT).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(VoiceError);
    }
    server.setBehaviour(WHOLE);
    expect((await render(engine, TEXT)).samples).toEqual(scriptedSpeech(TEXT));
  });

  it('do not take over from one that was cancelled', async () => {
    server.setBehaviour({ realTimeFactor: 1 });
    const { engine, page } = serverAndFlite();
    const controller = new AbortController();
    const listen = async (): Promise<void> => {
      for await (const _ of engine.speak(speechRequest(TEXT), controller.signal)) controller.abort(new Error('enough'));
    };
    await expect(listen()).rejects.toThrow('enough');
    expect(await page()).not.toContain('parley_tts_fallbacks_total{');
  });

  it('are not asked for the voice of another', async () => {
    const { engine } = serverAndFlite();
    await render(engine, TEXT, { voice: 'rms' });
    await render(engine, TEXT, { voice: 'af_heart' });
    expect(server.requests.at(-2)?.voice).toBe('alloy');
    expect(server.requests.at(-1)?.voice).toBe('af_heart');
  });

  it('are ready as soon as one of them is', async () => {
    server.setBehaviour({ status: 503 });
    const { engine } = serverAndFlite();
    await expect(engine.warmUp(never)).resolves.toBeUndefined();
    const nothing = serverAndFlite(createFlite({ command: 'no-such-flite' })).engine;
    await expect(nothing.warmUp(never)).rejects.toMatchObject({ code: 'engine_failed' });
  });

  it('say everything once where the next one gives exactly the same', async () => {
    const flite = createFlite();
    const { metrics } = testMetrics();
    const breaking: Synthesizer = {
      ...flite,
      async *speak(request, signal) {
        for await (const { samples, sampleRateHz } of flite.speak(request, signal)) {
          yield { samples: samples.subarray(0, 9_999), sampleRateHz };
          throw new VoiceError('engine_failed', 'broken');
        }
      },
    };
    const options = { clock: new FakeClock(), logger: silentLogger, metrics };
    const engine = withFallback([breaking, flite], options);
    expect(concatInt16([(await render(engine, TEXT)).samples])).toEqual((await render(flite, TEXT)).samples);
  });
});

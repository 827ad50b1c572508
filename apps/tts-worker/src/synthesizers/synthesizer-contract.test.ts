import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { concatInt16, rmsDbfs } from '@parley/audio';
import { VoiceError } from '@parley/protocol';
import { systemClock } from '@parley/runtime';
import { childProcesses, type ScriptedTts, startScriptedTts, type TtsDialect } from '@parley/testkit';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { equipEngine } from '../equip-engine.ts';
import { withFallback } from '../fallback.ts';
import type { Synthesizer } from '../synthesizer.ts';
import { never, render, speechRequest as request, silentLogger, TINY_VOICE_DIR, testMetrics } from '../testing/lab.ts';
import { createFlite } from './flite.ts';
import { createOpenAiSynthesizer } from './openai.ts';
import { createSherpa } from './sherpa.ts';

const TEXT =
  'This is the first sentence. Here comes a second one, and it is longer. The third one ends it all, at last.';
const NOBODY = 'http://127.0.0.1:9/v1';

interface Subject {
  readonly name: string;
  create(): Synthesizer;
  /** Nothing is left running; undefined where only the engine itself could tell. */
  isIdle?(): boolean;
  /** Gives nothing before all of it has been made. */
  readonly isWhole?: boolean;
  readonly ignoresSpeed?: boolean;
}

const { metrics } = testMetrics();
const fallbackOptions = { clock: systemClock, logger: silentLogger, metrics };
const servers = new Map<TtsDialect, ScriptedTts>();
const serverOf = (dialect: TtsDialect): ScriptedTts => {
  const server = servers.get(dialect);
  if (server === undefined) throw new Error(`no server for ${dialect}`);
  return server;
};
const flitesIdle = (): boolean => childProcesses('duration_stretch').length === 0;

const remote = (dialect: TtsDialect, more: Partial<Subject> = {}): Subject => ({
  name: `openai, with a server like ${dialect}`,
  create: () => createOpenAiSynthesizer({ baseUrl: serverOf(dialect).url, model: 'tts-1-hd' }),
  isIdle: () => serverOf(dialect).active === 0,
  ignoresSpeed: true, // scripted
  ...more,
});

let sherpa: Synthesizer;
const subjects: Subject[] = [
  { name: 'flite', create: () => createFlite(), isIdle: flitesIdle },
  { name: 'sherpa', create: () => sherpa },
  remote('openai'),
  remote('kokoro'),
  remote('orpheus', { isWhole: true }),
  remote('xtts'),
  remote('streamed-wav'),
  {
    ...remote('openai'),
    name: 'a server with flite behind it',
    create: () =>
      withFallback([createOpenAiSynthesizer({ baseUrl: serverOf('openai').url }), createFlite()], fallbackOptions),
  },
  {
    name: 'flite in place of a server that is down',
    create: () => withFallback([createOpenAiSynthesizer({ baseUrl: NOBODY }), createFlite()], fallbackOptions),
    isIdle: flitesIdle,
  },
];

beforeAll(async () => {
  sherpa = createSherpa({ modelDir: TINY_VOICE_DIR, threads: 1, slots: 4 });
  for (const dialect of ['openai', 'kokoro', 'orpheus', 'xtts', 'streamed-wav'] as const) {
    servers.set(dialect, await startScriptedTts({ dialect, realTimeFactor: 0.05 }));
  }
});
afterAll(async () => {
  await sherpa.close();
  for (const server of servers.values()) await server.close();
});

describe.each(subjects)('the engine $name', ({ create, isIdle = () => true, isWhole, ignoresSpeed }) => {
  const untilIdle = (): Promise<void> => vi.waitFor(() => expect(isIdle()).toBe(true), { timeout: 2_000, interval: 5 });

  it('warms up', async () => {
    await expect(create().warmUp(never)).resolves.toBeUndefined();
  });

  it('declares what it can do', async () => {
    const engine = create();
    await engine.warmUp(never);
    expect(engine.name).toMatch(/^[a-z]+(,[a-z]+)*$/);
    expect(typeof engine.deterministic).toBe('boolean');
    expect(typeof engine.repeatable).toBe('boolean');
    expect(['at_once', 'after_sentence']).toContain(engine.cancels);
    expect(engine.sampleRateHz ?? 8_000).toBeGreaterThanOrEqual(8_000);
    for (const language of engine.languages) expect(Intl.getCanonicalLocales(language)).toEqual([language]);
    expect(new Set(engine.voices).size).toBe(engine.voices.length);
    expect(engine.voices).not.toContain('');
  });

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
    expect([rateHz, undefined]).toContain(create().sampleRateHz);
    expect(concatInt16(chunks).length / rateHz).toBeGreaterThan(3);
    expect(rmsDbfs(concatInt16(chunks))).toBeGreaterThan(-40);
    if (isWhole) return;
    expect((arrivals.at(-1) ?? 0) - (arrivals[0] ?? 0)).toBeGreaterThan(10);
  });

  // Another process may have the processor for longer than that.
  it('stops within 50 ms of a cancel and leaves nothing behind', { retry: 2 }, async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const speech = create()
      .speak(request(TEXT.repeat(8)), controller.signal)
      [Symbol.asyncIterator]();
    await speech.next();
    const cancelledAt = performance.now();
    controller.abort(reason);
    const rest = (async () => {
      while (!(await speech.next()).done);
    })();
    await expect(rest).rejects.toBe(reason);
    expect(performance.now() - cancelledAt).toBeLessThan(50);
    await untilIdle();
  });

  it('is free for others after a cancel: at once, or when the sentence in work is done', { retry: 2 }, async () => {
    const engine = create();
    const alone = await render(engine, 'Hello.');
    const controller = new AbortController();
    const begun = Array.from({ length: 4 }, async () => {
      for await (const _ of engine.speak(request(TEXT.repeat(8)), controller.signal)) controller.abort(new Error('no'));
    });
    await Promise.allSettled(begun);
    const startMs = performance.now();
    expect((await render(engine, 'Hello.')).samples).toHaveLength(alone.samples.length);
    expect(performance.now() - startMs).toBeLessThan(1_500);
    expect(['at_once', 'after_sentence']).toContain(engine.cancels);
  });

  it('starts nothing when it was cancelled before', async () => {
    await untilIdle();
    const speech = create()
      .speak(request(TEXT), AbortSignal.abort(new Error('too late')))
      [Symbol.asyncIterator]();
    await expect(speech.next()).rejects.toThrow('too late');
    expect(isIdle()).toBe(true);
  });

  it('leaves nothing behind when its reader loses interest', async () => {
    for await (const _ of create().speak(request(TEXT.repeat(8)), never)) break;
    await untilIdle();
  });

  it('speaks many texts at once, each its own', async () => {
    const engine = create();
    const speak = async (text: string): Promise<number> => (await render(engine, text)).samples.length;
    const texts = Array.from({ length: 12 }, (_, index) => 'one more word '.repeat(1 + (index % 4)));
    const together = await Promise.all(texts.map(speak));
    const alone = await Promise.all(texts.slice(0, 4).map(speak));
    expect(together).toEqual(texts.map((_, index) => alone[index % 4]));
  });

  it('speaks faster when told to', async () => {
    if (ignoresSpeed) return;
    const length = async (speed: number): Promise<number> => (await render(create(), TEXT, { speed })).samples.length;
    expect((await length(2)) / (await length(1))).toBeCloseTo(0.5, 1);
  });

  it('gives the same samples for the same text if it says so', async () => {
    const engine = create();
    await engine.warmUp(never);
    if (!engine.deterministic) return;
    expect(await render(engine, TEXT)).toEqual(await render(engine, TEXT));
  });

  it.each(['你好', '', '…', '<speak>&amp;</speak>', 'a'.repeat(1_000), '\u0000\u0007 bell'])(
    'speaks %j or refuses it, and goes on',
    async (text) => {
      const engine = create();
      const error = await render(engine, text).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      if (error !== undefined) expect(error).toBeInstanceOf(VoiceError);
      if (error !== undefined) expect(error).toMatchObject({ code: expect.stringMatching(/^engine_/) });
      expect((await render(engine, 'Hello.')).samples.length).toBeGreaterThan(1_000);
    },
  );

  it('says only voices it can speak in', async () => {
    const engine = create();
    await engine.warmUp(never);
    for (const voice of engine.voices.slice(0, 3)) {
      expect((await render(engine, 'Hello.', { voice })).samples.length).toBeGreaterThan(1_000);
    }
  });
});

describe('an engine that fails', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'failing-'));
    await writeFile(join(folder, 'half'), '#!/bin/sh\nflite -voice kal16 -f - -o /dev/stdout; exit 3\n', {
      mode: 0o755,
    });
    await writeFile(join(folder, 'late'), '#!/bin/sh\nsleep 0.3; exec flite "$@"\n', { mode: 0o755 });
    await writeFile(join(folder, 'stuck'), '#!/bin/sh\nflite -voice kal16 -f - -o /dev/stdout; exec sleep 60\n', {
      mode: 0o755,
    });
    await writeFile(join(folder, 'mute'), '#!/bin/sh\nexec sleep 60\n', { mode: 0o755 });
  });
  afterAll(() => rm(folder, { recursive: true }));

  const outcome = async (engine: Synthesizer, timeoutMs = 5_000): Promise<{ error: unknown; samples: number }> => {
    const watched = equipEngine(engine, {
      ...{ firstAudioTimeoutMs: timeoutMs, stallTimeoutMs: timeoutMs },
      ...{ clock: systemClock, metrics },
    });
    let samples = 0;
    try {
      for await (const chunk of watched.speak(request(TEXT), never)) samples += chunk.samples.length;
      return { error: undefined, samples };
    } catch (error) {
      return { error, samples };
    } finally {
      await engine.close();
    }
  };
  const scripted = async (behaviour: Parameters<typeof startScriptedTts>[0]): Promise<Synthesizer> => {
    const server = await startScriptedTts({ realTimeFactor: 0.02, ...behaviour });
    const engine = createOpenAiSynthesizer({ baseUrl: server.url });
    return { ...engine, speak: (...args) => engine.speak(...args), close: () => server.close() };
  };

  it.each([
    ['flite', () => createFlite({ command: 'no-such-flite' }), 'engine_missing'],
    ['sherpa', () => createSherpa({ modelDir: '/nowhere' }), 'engine_missing'],
    ['sherpa without a folder', () => createSherpa({}), 'engine_missing'],
    ['openai', () => createOpenAiSynthesizer({ baseUrl: NOBODY }), 'engine_failed'],
    [
      'the last of several',
      () =>
        withFallback(
          [createOpenAiSynthesizer({ baseUrl: NOBODY }), createFlite({ command: 'no-such-flite' })],
          fallbackOptions,
        ),
      'engine_missing',
    ],
  ])('because it is not there says so: %s', async (_, create, code) => {
    const { error, samples } = await outcome(create());
    expect(error).toBeInstanceOf(VoiceError);
    expect(error).toMatchObject({ code });
    expect(samples).toBe(0);
  });

  /** Sherpa, whose process stops, for a while or for good, once it has said something or before. */
  const stopping = ({ afterChunks, forMs }: { readonly afterChunks: number; readonly forMs?: number }): Synthesizer => {
    const engine = createSherpa({ modelDir: TINY_VOICE_DIR, threads: 1 });
    return {
      ...{ name: engine.name, deterministic: false, repeatable: false, cancels: engine.cancels },
      ...{ sampleRateHz: undefined, voices: [], languages: [], warmUp: (signal) => engine.warmUp(signal) },
      async *speak(request, signal) {
        await engine.warmUp(signal);
        const pid = childProcesses('sherpa-process.ts').at(-1) ?? 0;
        const stop = (): void => {
          process.kill(pid, 'SIGSTOP');
          if (forMs !== undefined) setTimeout(() => process.kill(pid, 'SIGCONT'), forMs);
        };
        let chunks = 0;
        if (afterChunks === 0) stop();
        for await (const chunk of engine.speak({ ...request, text: request.text.repeat(4) }, signal)) {
          yield chunk;
          chunks += 1;
          if (chunks === afterChunks) stop();
        }
      },
      close: () => engine.close(),
    };
  };

  it.each([
    ['flite', async () => createFlite({ command: join(folder, 'late') })],
    ['sherpa', async () => stopping({ afterChunks: 0, forMs: 300 })],
    ['sherpa, midway', async () => stopping({ afterChunks: 1, forMs: 300 })],
    ['openai', () => scripted({ firstByteMs: 300, realTimeFactor: 0.2 })],
    ['kokoro', () => scripted({ dialect: 'kokoro', firstByteMs: 300, realTimeFactor: 0.2 })],
    ['orpheus', () => scripted({ dialect: 'orpheus', realTimeFactor: 0.1 })],
    ['xtts', () => scripted({ dialect: 'xtts', firstByteMs: 300, realTimeFactor: 0.2 })],
    ['streamed-wav', () => scripted({ dialect: 'streamed-wav', firstByteMs: 300, realTimeFactor: 0.2 })],
  ])('by being slow does not: %s', async (_, create) => {
    const { error, samples } = await outcome(await create());
    expect(error).toBeUndefined();
    expect(samples).toBeGreaterThan(3 * 8_000);
  });

  it.each([
    ['flite', async () => createFlite({ command: join(folder, 'stuck') })],
    ['sherpa', async () => stopping({ afterChunks: 1 })],
    ['openai', () => scripted({ hangAfterBytes: 48_000 })],
    ['kokoro', () => scripted({ dialect: 'kokoro', hangAfterBytes: 48_000 })],
    ['xtts', () => scripted({ dialect: 'xtts', hangAfterBytes: 48_000 })],
    ['streamed-wav', () => scripted({ dialect: 'streamed-wav', hangAfterBytes: 48_000 })],
  ])('to go on is given up, with what it had said before: %s', async (_, create) => {
    const { error, samples } = await outcome(await create(), 1_500);
    expect(error).toMatchObject({ code: 'engine_timeout', retryable: true });
    expect(samples).toBeGreaterThan(0);
  });

  it.each([
    ['flite', async () => createFlite({ command: join(folder, 'mute') })],
    ['sherpa', async () => stopping({ afterChunks: 0 })],
    ['kokoro', () => scripted({ dialect: 'kokoro', firstByteMs: 60_000 })],
    ['xtts', () => scripted({ dialect: 'xtts', firstByteMs: 60_000 })],
    ['streamed-wav', () => scripted({ dialect: 'streamed-wav', firstByteMs: 60_000 })],
    ['openai', () => scripted({ firstByteMs: 60_000 })],
    ['orpheus', () => scripted({ dialect: 'orpheus', realTimeFactor: 100 })],
  ])('to answer in time is given up: %s', async (_, create) => {
    const startMs = performance.now();
    expect((await outcome(await create(), 300)).error).toMatchObject({ code: 'engine_timeout', retryable: true });
    expect(performance.now() - startMs).toBeLessThan(1_000);
  });

  it.each([
    ['flite', async () => createFlite({ command: join(folder, 'half') })],
    ['openai', () => scripted({ failAfterBytes: 48_001 })],
    ['kokoro', () => scripted({ dialect: 'kokoro', failAfterBytes: 48_000 })],
    ['xtts', () => scripted({ dialect: 'xtts', failAfterBytes: 48_000 })],
    ['streamed-wav', () => scripted({ dialect: 'streamed-wav', failAfterBytes: 48_000 })],
  ])('midway, or hangs up, gives what it had said before: %s', async (_, create) => {
    const { error, samples } = await outcome(await create());
    expect(error).toMatchObject({ code: 'engine_failed', retryable: true });
    expect(samples).toBeGreaterThan(0);
  });

  it('in the middle of a whole file is an engine that failed', async () => {
    const { error } = await outcome(await scripted({ dialect: 'orpheus', failAfterBytes: 48_000 }));
    expect(error).toMatchObject({ code: 'engine_failed', retryable: true });
  });

  it('as a process, sherpa, is started anew for the next text', async () => {
    const engine = createSherpa({ modelDir: TINY_VOICE_DIR, threads: 1 });
    try {
      const speech = engine.speak(request(TEXT.repeat(40)), never)[Symbol.asyncIterator]();
      await speech.next();
      const before = new Set(childProcesses('sherpa-process.ts'));
      const mine = [...before].at(-1) ?? 0;
      process.kill(mine, 'SIGKILL');
      const rest = (async () => {
        while (!(await speech.next()).done);
      })();
      await expect(rest).rejects.toMatchObject({ code: 'engine_failed', retryable: true });
      expect((await render(engine, 'Hello.')).samples.length).toBeGreaterThan(1_000);
    } finally {
      await engine.close();
    }
  });
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { concatInt16, resample } from '@parley/audio';
import { type Bus, connectBus } from '@parley/bus';
import type { Heartbeat, SpeakInput } from '@parley/protocol';
import { createLogger, createMetrics } from '@parley/runtime';
import { childProcesses, ScriptedOwner, SystemProcess, startRedis, type TestRedis } from '@parley/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createFlite } from './synthesizers/flite.ts';
import { TINY_VOICE_DIR } from './testing/lab.ts';
import { createSynthesizer as createPacedFlite } from './testing/paced-flite.ts';

const REF = { stage: 'speak', turn: 1, attempt: 0, clause: 0 } as const;
const TEXT = 'The quick brown fox jumps over the lazy dog, and then it goes home to sleep.';
const INPUT: SpeakInput = { text: TEXT, voice: '', speed: 1, language: 'en', rateHz: 24_000 };
const PACED = { PARLEY_TTS_ENGINE: `module:${fileURLToPath(new URL('./testing/paced-flite.ts', import.meta.url))}` };

async function undisturbed(): Promise<Int16Array> {
  const request = { text: TEXT, voice: '', speed: 1, language: 'en' };
  const chunks: Int16Array[] = [];
  for await (const { samples } of createFlite().speak(request, new AbortController().signal)) chunks.push(samples);
  return resample(concatInt16(chunks), 16_000, INPUT.rateHz);
}

describe('a tts-worker process', () => {
  let redis: TestRedis;
  let gateway: Bus;
  let owner: ScriptedOwner;
  let expected: Int16Array;
  let started: SystemProcess[] = [];
  beforeAll(async () => {
    redis = await startRedis();
    expected = await undisturbed();
    gateway = await connectBus({
      ...{ url: redis.url, process: { id: 'gateway', host: 'here', pid: process.pid } },
      ...{ logger: createLogger({ name: 'test', level: 'silent' }), metrics: createMetrics({ processMetrics: false }) },
    });
  });
  afterAll(async () => {
    await gateway.close();
    await redis.stop();
  });
  beforeEach(async () => {
    owner = await ScriptedOwner.open(gateway);
  });
  afterEach(async () => {
    await Promise.all(started.map((worker) => worker.stop()));
    started = [];
  });

  const start = (env: Record<string, string> = {}): SystemProcess => {
    const worker = new SystemProcess('tts-worker', { REDIS_URL: redis.url, ...env });
    started.push(worker);
    return worker;
  };
  const heartbeatOf = async ({ pid }: SystemProcess): Promise<Heartbeat | undefined> =>
    (await gateway.presence.list('tts')).find((heartbeat) => heartbeat.pid === pid);
  const untilReady = (...workers: SystemProcess[]): Promise<void> =>
    vi.waitFor(
      async () => {
        for (const worker of workers) expect(await heartbeatOf(worker)).toMatchObject({ ready: true });
      },
      { timeout: 10_000 },
    );
  const untilComplete = (): Promise<Int16Array> =>
    vi.waitFor(
      async () => {
        const { samples, isComplete } = await owner.speech(REF);
        expect(isComplete).toBe(true);
        return samples;
      },
      { timeout: 10_000 },
    );
  /** Has one of two workers begun a clause, and says which holds it and which does not. */
  const startClause = async (): Promise<{ holder: SystemProcess; other: SystemProcess }> => {
    const workers = [start(PACED), start(PACED)] as const;
    await untilReady(...workers);
    await owner.start(REF, INPUT);
    const pid = await vi.waitFor(async () => {
      const work = await owner.work(REF);
      expect(work?.resumeAt).toBeGreaterThan(0.5 * INPUT.rateHz);
      return work?.holder?.pid;
    });
    const [first, second] = workers;
    return first.pid === pid ? { holder: first, other: second } : { holder: second, other: first };
  };

  it('speaks with the offline engine unless told otherwise, and says so', async () => {
    const worker = start();
    await untilReady(worker);
    expect(await heartbeatOf(worker)).toMatchObject({
      ...{ stage: 'tts', engine: 'flite', engineReason: 'offline default', slots: 4, busy: 0 },
      engineHint: expect.stringContaining('PARLEY_TTS_BASE_URL'),
    });
    await owner.start(REF, INPUT);
    expect(await untilComplete()).toEqual(expected);
    worker.leave();
    expect(await worker.exited()).toBe(0);
    expect(worker.output).not.toContain('fox');
  });

  it('speaks with a model from disk, keeps what it says out of its output, and ends the process of the engine', async () => {
    const worker = start({ PARLEY_TTS_MODEL_DIR: TINY_VOICE_DIR, PARLEY_TTS_THREADS: '1' });
    await untilReady(worker);
    expect(await heartbeatOf(worker)).toMatchObject({
      ...{ engine: 'sherpa', engineReason: 'PARLEY_TTS_MODEL_DIR is set', voices: ['0', '1'], languages: ['en'] },
    });
    const [engine = 0] = childProcesses('sherpa-process.ts', worker.pid);
    await owner.start(REF, { ...INPUT, text: 'The zxqwv is out of words.' });
    expect((await untilComplete()).length).toBeGreaterThan(INPUT.rateHz);
    worker.leave();
    expect(await worker.exited()).toBe(0);
    expect(worker.output).not.toContain('zxqwv');
    expect(() => process.kill(engine, 0)).toThrow('ESRCH');
  });

  it('speaks with the second engine while the first is down, and gives both engines', async () => {
    const worker = start({ PARLEY_TTS_ENGINE: 'openai,flite', PARLEY_TTS_BASE_URL: 'http://127.0.0.1:9/v1' });
    await untilReady(worker);
    expect(await heartbeatOf(worker)).toMatchObject({ engine: 'openai,flite', voices: ['slt', 'rms', 'awb', 'kal'] });
    await owner.start(REF, INPUT);
    expect(await untilComplete()).toEqual(expected);
    worker.leave();
    expect(await worker.exited()).toBe(0);
  });

  it('is replaced sample for sample after it was killed in the middle of a clause', async () => {
    const { holder, other } = await startClause();
    await holder.kill();
    await owner.raiseTry(REF, 2);
    expect(await untilComplete()).toEqual(expected);
    expect(other.running).toBe(true);
  });

  it('is refused when it wakes up after others have taken its clause, and lives on', async () => {
    const { holder, other } = await startClause();
    holder.signal('SIGSTOP');
    await owner.raiseTry(REF, 2);
    await vi.waitFor(async () => expect((await owner.work(REF))?.holder?.pid).toBe(other.pid), { timeout: 5_000 });
    await vi.waitFor(async () => expect((await owner.work(REF))?.resumeAt).toBeGreaterThan(INPUT.rateHz), {
      timeout: 5_000,
    });
    holder.signal('SIGCONT');
    expect(await untilComplete()).toEqual(expected);
    await untilReady(holder);
    expect(await owner.events('work.failed')).toEqual([]);
  });

  it('hands its clause back at once when it is told to leave', async () => {
    const { holder } = await startClause();
    const toldAt = performance.now();
    holder.leave();
    await vi.waitFor(async () => expect(await owner.events('work.failed')).toHaveLength(1), { interval: 10 });
    expect(performance.now() - toldAt).toBeLessThan(700);
    expect(await owner.events('work.failed')).toMatchObject([{ code: 'going_away', handedBack: true }]);
    await owner.raiseTry(REF, 2);
    expect(await holder.exited()).toBe(0);
    expect(await untilComplete()).toEqual(expected);
  });

  it('stays up without its engine, takes nothing, and says what to install', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'empty-'));
    try {
      const worker = start({ PATH: folder });
      await vi.waitFor(
        async () =>
          expect(await heartbeatOf(worker)).toMatchObject({ ready: false, engineHint: 'apt-get install flite' }),
        { timeout: 10_000 },
      );
      worker.leave();
      expect(await worker.exited()).toBe(0);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('does not start with a configuration that cannot work', async () => {
    const worker = start({ PARLEY_TTS_ENGINE: 'openai', REDIS_URL: 'unix:///nowhere.sock' });
    expect(await worker.exited()).toBe(78);
    expect(worker.output).toContain('PARLEY_TTS_ENGINE=openai needs PARLEY_TTS_BASE_URL or PARLEY_TTS_API_KEY');
    expect(createPacedFlite().deterministic).toBe(true);
  });
});

import { fileURLToPath } from 'node:url';
import { concatInt16 } from '@parley/audio';
import type { Bus } from '@parley/bus';
import type { Heartbeat } from '@parley/protocol';
import { SystemProcess, startRedis, type TestRedis } from '@parley/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { connectTestBus, SpokenSession, silence, speech } from './testing/lab.ts';

const ECHO = { PARLEY_STT_ENGINE: `module:${fileURLToPath(new URL('./testing/echo-engine.ts', import.meta.url))}` };
const POISON = 31_337;
const WEATHER = 'could you tell me what the weather will be like in dublin on friday';

describe('an stt-worker process', () => {
  let redis: TestRedis;
  let gateway: Bus;
  let spoken: SpokenSession;
  let started: SystemProcess[] = [];

  beforeAll(async () => {
    redis = await startRedis();
    ({ bus: gateway } = await connectTestBus(redis));
  });
  afterAll(async () => {
    await gateway.close();
    await redis.stop();
  });
  beforeEach(async () => {
    spoken = await SpokenSession.open(gateway);
  });
  afterEach(async () => {
    await spoken.close();
    await Promise.all(started.map((worker) => worker.stop()));
    started = [];
  });

  const start = (env: Record<string, string> = {}): SystemProcess => {
    const worker = new SystemProcess('stt-worker', { REDIS_URL: redis.url, ...env });
    started.push(worker);
    return worker;
  };
  const heartbeatOf = async ({ pid }: SystemProcess): Promise<Heartbeat | undefined> =>
    (await gateway.presence.list('stt')).find((heartbeat) => heartbeat.pid === pid);
  const untilReady = (...workers: SystemProcess[]): Promise<void> =>
    vi.waitFor(
      async () => {
        for (const worker of workers) expect(await heartbeatOf(worker)).toMatchObject({ ready: true });
      },
      { timeout: 20_000 },
    );
  /** Two workers, the session with one of them. */
  const startTwo = async (): Promise<{ holder: SystemProcess; other: SystemProcess }> => {
    const [first, second] = [start(), start()];
    await untilReady(first, second);
    await spoken.offer();
    await spoken.until('lease.moved');
    const pid = (await spoken.inspect())?.listener?.pid;
    return first.pid === pid ? { holder: first, other: second } : { holder: second, other: first };
  };

  it('hears with the offline engine unless told otherwise, and says so', async () => {
    const worker = start();
    await untilReady(worker);
    expect(await heartbeatOf(worker)).toMatchObject({
      ...{ stage: 'stt', engine: 'pocketsphinx', engineReason: 'offline default', busy: 0 },
      engineHint: expect.stringContaining('PARLEY_STT_MODEL_DIR'),
    });
    await spoken.offer();
    await spoken.speak(concatInt16([speech('slt-01.wav'), silence(1_000)]), { live: true });
    expect((await spoken.turns(1))[0]?.text).toBe(WEATHER);
    worker.leave();
    // It is told to hand its session over, and nobody takes it.
    await spoken.until('lease.offered');
    await spoken.close();
    expect(await worker.exited()).toBe(0);
    expect(worker.output).not.toContain('dublin');
  }, 40_000);

  it('is followed word for word after it was killed in the middle of a sentence', async () => {
    const audio = concatInt16([speech('slt-01.wav'), silence(1_000)]);
    const { holder } = await startTwo();
    await spoken.speak(audio.slice(0, 32_000), { live: true });
    await holder.kill();
    await spoken.offer();
    await spoken.speak(audio.slice(32_000), { live: true });
    expect((await spoken.turns(1))[0]?.text).toBe(WEATHER);
    expect(await spoken.events('speech.started')).toHaveLength(1);
  }, 40_000);

  it('is refused when it wakes up after another has taken its session, and lives on', async () => {
    const audio = concatInt16([speech('slt-01.wav'), silence(1_000)]);
    const { holder } = await startTwo();
    await spoken.speak(audio.slice(0, 32_000), { live: true });
    holder.signal('SIGSTOP');
    await spoken.offer();
    await spoken.speak(audio.slice(32_000, 44_000), { live: true });
    await spoken.until('lease.moved', 2);
    holder.signal('SIGCONT');
    await spoken.speak(audio.slice(44_000), { live: true });
    expect((await spoken.turns(1))[0]?.text).toBe(WEATHER);
    await vi.waitFor(async () => expect(await heartbeatOf(holder)).toMatchObject({ busy: 0 }), { timeout: 5_000 });
    expect(await spoken.events('speech.started')).toHaveLength(1);
    expect(await spoken.events('turn.ended')).toHaveLength(1);
  }, 40_000);

  it('can be given an engine of ones own; one that breaks does not take the session with it', async () => {
    const worker = start(ECHO);
    await untilReady(worker);
    await spoken.offer();
    const poisoned = concatInt16([speech('slt-02.wav'), silence(1_000)]);
    poisoned[16_000] = POISON;
    await spoken.speak(poisoned);
    await vi.waitFor(() => expect(worker.running).toBe(false), { timeout: 5_000 });
    expect((await spoken.inspect())?.audioCursor).toBeLessThan(16_000);
    expect(await spoken.events('turn.ended')).toEqual([]);
  }, 20_000);

  it('stays up without its engine, takes nothing, and says what to do', async () => {
    const worker = start({ PARLEY_STT_MODEL_DIR: '/nowhere' });
    const hint = expect.stringContaining('PARLEY_STT_MODEL_DIR');
    await vi.waitFor(async () => expect(await heartbeatOf(worker)).toMatchObject({ ready: false, engineHint: hint }), {
      timeout: 20_000,
    });
    await spoken.offer();
    worker.leave();
    expect(await worker.exited()).toBe(0);
    expect(await gateway.queues.listen.depth()).toBe(1);
    // Not for the next test.
    await redis.client.flushall();
  }, 40_000);

  it('does not start with a configuration that cannot work', async () => {
    const worker = start({ PARLEY_STT_ENGINE: 'sherpa', PARLEY_VAD_ON: '7' });
    expect(await worker.exited()).toBe(78);
    expect(worker.output).toContain('PARLEY_VAD_ON');
  }, 20_000);
});

import { CONTROL_CHANNEL, type Control, type Heartbeat, heartbeatKey, type Pulse, workersKey } from '@parley/protocol';
import { startRedis, type TestRedis } from '@parley/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectTwoProcesses, metricLines, newSessionId, type TestBus, type TwoProcesses } from './bus-fixture.ts';

let processes: TwoProcesses<TestRedis>;
let redis: TestRedis;
let a: TestBus;
let b: TestBus;

beforeAll(async () => {
  processes = await connectTwoProcesses(await startRedis(), 'gateway-a', 'worker-a');
  ({ redis, first: a, second: b } = processes);
});
afterAll(() => processes?.close());

const worker = { id: 'worker-a', host: 'h', pid: 1 };
const heartbeat = (id: string, busy = 0): Heartbeat => ({
  v: 1,
  stage: 'tts',
  ...worker,
  id,
  ready: true,
  draining: false,
  slots: 4,
  busy,
  engine: 'flite',
  engineReason: '',
  engineHint: '',
  latencyMs: 0,
  predictedWaitMs: 0,
});

describe('the control lane', () => {
  it('carries cancels to all, skips and counts the rest, and survives a handler that throws', async () => {
    const seen: Control[] = [];
    const stop = await b.bus.control.subscribe((message) => {
      seen.push(message);
      throw new Error('handler');
    });
    const cancel = { session: 's', cancel: [{ turn: 1, attempt: 2 }] };
    await a.bus.control.publish(cancel);
    await redis.client.publish(CONTROL_CHANNEL, 'nonsense');
    await redis.client.publish(CONTROL_CHANNEL, '{"session":"s","unknown":1}');
    await a.bus.control.publish({ session: 's', closed: true });
    await expect.poll(() => seen).toEqual([cancel, { session: 's', closed: true }]);
    expect(await metricLines(b.metrics, 'parley_lane_skipped_total{')).toEqual([
      'parley_lane_skipped_total{lane="control"} 2',
    ]);
    await stop();
    await a.bus.control.publish(cancel);
    expect(await redis.client.pubsub('NUMSUB', CONTROL_CHANNEL)).toEqual([CONTROL_CHANNEL, 0]);
  });

  it('keeps a channel while anybody listens to it', async () => {
    const first: Control[] = [];
    const second: Control[] = [];
    const [stopFirst, stopSecond] = await Promise.all(
      [first, second].map((seen) => b.bus.control.subscribe((message) => void seen.push(message))),
    );
    await stopFirst?.();
    await a.bus.control.publish({ session: 's', closed: true });
    await expect.poll(() => second).toHaveLength(1);
    expect(first).toEqual([]);
    await stopSecond?.();
  });
});

it('a pulse reaches the gateway it is for, and no other', async () => {
  const seen: Pulse[] = [];
  const stop = await a.bus.pulses.subscribe('gateway-a', (pulse) => void seen.push(pulse));
  const pulse: Pulse = {
    v: 1,
    stage: 'stt',
    worker,
    sessions: [{ session: 's', fence: 'f', cursor: 1, heard: 2 }],
    claims: [],
  };
  await b.bus.pulses.publish('gateway-b', { ...pulse, sessions: [] });
  await b.bus.pulses.publish('gateway-a', pulse);
  await expect.poll(() => seen).toEqual([pulse]);
  await stop();
});

describe('presence', () => {
  it('shows who is there, as they are now, until they stop', async () => {
    let busy = 0;
    const first = await b.bus.presence.announce(() => heartbeat('one', busy));
    const second = await b.bus.presence.announce(() => heartbeat('two'));
    const ids = async () => (await a.bus.presence.list('tts')).map(({ id }) => id).toSorted();
    expect(await ids()).toEqual(['one', 'two']);
    expect(await a.bus.presence.list('stt')).toEqual([]);
    busy = 3;
    await first.update();
    expect((await a.bus.presence.list('tts')).find(({ id }) => id === 'one')?.busy).toBe(3);
    busy = 4;
    const isBusy = async () => (await a.bus.presence.list('tts')).find(({ id }) => id === 'one')?.busy;
    await expect.poll(isBusy, { timeout: 2_000 }).toBe(4);
    expect(await redis.client.pttl(heartbeatKey('tts', 'one'))).toBeGreaterThan(1_000);
    await second.stop();
    expect(await ids()).toEqual(['one']);
    await first.stop();
    expect(await ids()).toEqual([]);
  });

  it('forgets the dead, and passes over what it does not understand', async () => {
    await redis.client.sadd(workersKey('llm'), 'dead', 'strange');
    await redis.client.set(heartbeatKey('llm', 'strange'), '{"v":2}', 'PX', 5_000);
    expect(await a.bus.presence.list('llm')).toEqual([]);
    expect(await redis.client.smembers(workersKey('llm'))).toEqual(['strange']);
  });
});

describe('the registry', () => {
  it('finds the sessions whose deadline is past, the oldest first', async () => {
    const now = Math.round(a.bus.redisNowMs());
    const sessions = Array.from({ length: 2_500 }, newSessionId);
    await a.bus.registry.refresh(sessions.map((session, i) => ({ session, deadlineMs: now - 1_000 + i })));
    expect(await b.bus.registry.count()).toBe(2_500);
    expect(await b.bus.registry.expired(now, 3)).toEqual(sessions.slice(0, 3));
    expect(await b.bus.registry.expired(now, 5_000)).toHaveLength(1_000);
    await a.bus.registry.refresh([{ session: sessions[0] ?? '', deadlineMs: now + 60_000 }]);
    await a.bus.registry.remove(sessions[1] ?? '');
    expect(await b.bus.registry.expired(now, 1)).toEqual(sessions.slice(2, 3));
    await a.bus.registry.refresh([]);
  });

  it("gives the sweeper's lock to one, for as long as it wants", async () => {
    expect(await a.bus.registry.lock('a', 60_000)).toBe(true);
    expect(await b.bus.registry.lock('b', 60_000)).toBe(false);
    expect(await a.bus.registry.lock('a', 100)).toBe(true);
    await expect.poll(() => b.bus.registry.lock('b', 60_000)).toBe(true);
    expect(await a.bus.registry.lock('a', 100)).toBe(false);
  });
});

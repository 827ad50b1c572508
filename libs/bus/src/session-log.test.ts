import { encodeEvent, type SessionEvent, type SessionId, sessionKeys } from '@parley/protocol';
import { startRedis, type TestRedis } from '@parley/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  connectTwoProcesses,
  createSession,
  granted,
  metricLines,
  step,
  type TestBus,
  type TwoProcesses,
} from './bus-fixture.ts';

let processes: TwoProcesses<TestRedis>;
let redis: TestRedis;
let owner: TestBus;
let reader: TestBus;

beforeAll(async () => {
  processes = await connectTwoProcesses(await startRedis(), 'gateway-a', 'worker-a');
  ({ redis, first: owner, second: reader } = processes);
});
afterAll(() => processes?.close());

/** Adds numbered events as the owner; what a reader got of them is told by `numbers`. */
async function add(session: SessionId, from: number, to: number, epoch = 1): Promise<void> {
  for (let n = from; n <= to; n += 1) {
    const events = [{ type: 'input.text', text: String(n) }] as const;
    granted(await owner.bus.sessions.append({ session, holder: { kind: 'owner', epoch }, events }));
  }
}
const numbers = (events: readonly SessionEvent[]): number[] =>
  events.flatMap((event) => (event.type === 'input.text' ? [Number(event.text)] : []));
const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);

async function follow(session: SessionId, after = '0-0', through = reader) {
  const events: SessionEvent[] = [];
  let gaps = 0;
  const log = await through.bus.log.follow(
    session,
    after,
    (event) => void events.push(event),
    () => {
      gaps += 1;
    },
  );
  return { events, log, gaps: () => gaps };
}

describe('follow', () => {
  it('replays what is there, in order, before it resolves, and then delivers live', async () => {
    const { session } = await createSession(owner.bus);
    await add(session, 1, 3);
    const { events, log, gaps } = await follow(session);
    expect(events.map(({ id }) => id)).toEqual(['1-0', '1-1', '1-2', '1-3']);
    await add(session, 4, 6);
    await expect.poll(() => numbers(events)).toEqual(upTo(6));
    expect(log.lastId).toBe('1-6');
    expect(gaps()).toBe(0);
    expect(events.every(({ at }) => Math.abs(at - owner.bus.redisNowMs()) < 10_000)).toBe(true);
    await log.close();
    await add(session, 7, 7);
    expect(numbers(events)).toEqual(upTo(6));
  });

  it('starts after a given id, across more events than one read takes', async () => {
    const { session } = await createSession(owner.bus);
    const many = Array.from({ length: 1_700 }, (_, i) => ({ type: 'input.text', text: String(i + 1) }) as const);
    granted(await owner.bus.sessions.append({ session, holder: { kind: 'owner', epoch: 1 }, events: many }));
    const { events, log } = await follow(session, '1-100');
    expect(numbers(events)).toEqual(upTo(1_700).slice(100));
    expect(numbers(await reader.bus.log.read(session, '1-100', 3))).toEqual([101, 102, 103]);
    await log.close();
  });

  it('misses nothing that is written while it replays', async () => {
    const { session } = await createSession(owner.bus);
    const writing = add(session, 1, 200);
    const followed = await Promise.all(upTo(5).map(() => follow(session)));
    await writing;
    for (const { events, log } of followed) {
      await expect.poll(() => numbers(events).length).toBe(200);
      expect(numbers(events)).toEqual(upTo(200));
      await log.close();
    }
  });

  it('goes over changes of owner without a gap', async () => {
    const { session } = await createSession(owner.bus);
    const { events, log, gaps } = await follow(session);
    await add(session, 1, 2);
    for (let epoch = 2; epoch <= 4; epoch += 1) {
      granted(await owner.bus.sessions.resume({ session, tokenHash: null, keyHash: null }));
      await add(session, epoch + 1, epoch + 1, epoch);
    }
    await expect.poll(() => numbers(events)).toEqual(upTo(5));
    expect(events.map(({ id }) => id)).toEqual(['1-0', '1-1', '1-2', '2-0', '2-1', '3-0', '3-1', '4-0', '4-1']);
    expect(gaps()).toBe(0);
    await log.close();
  });

  it('closes the hole when published messages were lost', async () => {
    const { session } = await createSession(owner.bus);
    const { events, log } = await follow(session);
    // In the log, but never published.
    for (const n of [1, 2, 3]) {
      const json = encodeEvent({ type: 'input.text', text: String(n) });
      await redis.client.xadd(sessionKeys(session).events, '1-*', 'e', json, 'at', 1);
    }
    await add(session, 4, 5);
    await expect.poll(() => numbers(events)).toEqual(upTo(5));
    expect(await metricLines(reader.metrics, 'parley_log_holes_total{cause="lost"}')).toHaveLength(1);
    await log.close();
  });

  it('delivers no message twice', async () => {
    const { session } = await createSession(owner.bus);
    const { events, log } = await follow(session);
    await add(session, 1, 2);
    await expect.poll(() => numbers(events)).toEqual(upTo(2));
    const { channel } = sessionKeys(session);
    const again = encodeEvent({ type: 'input.text', text: '1' });
    await redis.client.publish(channel, `1-1 1 ${again}`);
    await redis.client.publish(channel, `1-0 1 ${again}`);
    await add(session, 3, 3);
    await expect.poll(() => numbers(events)).toEqual(upTo(3));
    await log.close();
  });

  it('skips and counts what it does not understand, and moves over it', async () => {
    const { session } = await createSession(owner.bus);
    const { events, log } = await follow(session);
    const key = sessionKeys(session).events;
    await redis.client.xadd(key, '1-*', 'e', '{"v":9,"minReader":1,"type":"from.the.future"}', 'at', 1);
    await redis.client.xadd(key, '1-*', 'e', '{"v":9,"minReader":9,"type":"input.text","text":"0"}', 'at', 1);
    await redis.client.xadd(key, '1-*', 'e', '{"v":1,"minReader":1,"type":"input.text"}', 'at', 1);
    await redis.client.xadd(key, '1-*', 'e', 'nonsense', 'at', 1);
    await add(session, 1, 1);
    await expect.poll(() => numbers(events)).toEqual([1]);
    expect(log.lastId).toBe('1-5');
    const skipped = await metricLines(reader.metrics, 'parley_log_skipped_total{');
    for (const reason of ['unknown_type', 'newer', 'malformed', 'not_json']) {
      expect(skipped).toContain(`parley_log_skipped_total{reason="${reason}"} 1`);
    }
    await log.close();
  });

  it('says so when what it should start from has been trimmed away, and delivers the rest', async () => {
    const { session } = await createSession(owner.bus);
    await add(session, 1, 5);
    granted(await owner.bus.sessions.commit({ ...step(session, 1, '0-0', '1-4'), trimEvents: '1-4' }));
    expect(await reader.bus.log.firstId(session)).toBe('1-4');
    const early = await follow(session, '1-1');
    expect(early.gaps()).toBe(1);
    expect(numbers(early.events)).toEqual([4, 5]);
    const justBefore = await follow(session, '1-3');
    expect(justBefore.gaps()).toBe(0);
    const inTime = await follow(session, '1-4');
    expect(inTime.gaps()).toBe(0);
    expect(numbers(inTime.events)).toEqual([5]);
    for (const { log } of [early, justBefore, inTime]) await log.close();
  });

  it('of a session that does not exist waits for it', async () => {
    const session = `not-yet-${Date.now()}`;
    const { events, log, gaps } = await follow(session);
    expect(await reader.bus.log.firstId(session)).toBeUndefined();
    await createSession(owner.bus, session);
    await expect.poll(() => events.map(({ type }) => type)).toEqual(['session.moved']);
    expect(gaps()).toBe(0);
    await log.close();
  });

  it('goes on when a handler throws, and lets a handler close it', async () => {
    const { session } = await createSession(owner.bus);
    await add(session, 1, 1);
    const seen: string[] = [];
    const throwing = await reader.bus.log.follow(session, '0-0', ({ id }) => {
      seen.push(id);
      throw new Error('handler');
    });
    await add(session, 2, 2);
    await expect.poll(() => seen).toEqual(['1-0', '1-1', '1-2']);
    await throwing.close();
    const once: string[] = [];
    const closing = await reader.bus.log.follow(session, '1-2', ({ id }) => {
      once.push(id);
      void closing.close();
    });
    await add(session, 3, 6);
    await expect.poll(() => once).toEqual(['1-3']);
  });

  it('holds at most 10 000 events of a session, and somewhat less is trimmed at a time', async () => {
    const { session } = await createSession(owner.bus);
    const events = Array.from({ length: 2_000 }, (_, i) => ({ type: 'input.text', text: String(i) }) as const);
    for (let i = 0; i < 7; i += 1) {
      granted(await owner.bus.sessions.append({ session, holder: { kind: 'owner', epoch: 1 }, events }));
    }
    const length = await redis.client.xlen(sessionKeys(session).events);
    expect(length).toBeLessThanOrEqual(10_000);
    expect(length).toBeGreaterThan(9_800);
  });
});

describe('after its pub/sub connection was cut', () => {
  it('every session is whole again, in order, each event once', async () => {
    const sessions = await Promise.all(upTo(60).map(async () => (await createSession(owner.bus)).session));
    const followed = await Promise.all(sessions.map((session) => follow(session)));
    const writing = Promise.all(sessions.map((session) => add(session, 1, 40)));
    for (let i = 0; i < 3; i += 1) {
      await redis.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await expect.poll(() => reader.bus.connected, { interval: 5 }).toBe(false);
      await expect.poll(() => reader.bus.connected, { interval: 5 }).toBe(true);
    }
    await writing;
    for (const { events, log } of followed) {
      await expect.poll(() => numbers(events).length).toBe(40);
      expect(numbers(events)).toEqual(upTo(40));
      await log.close();
    }
  });

  it('also when more was missed than is kept while reading', async () => {
    const { session } = await createSession(owner.bus);
    const { events, log } = await follow(session);
    await redis.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    const many = upTo(3_000).map((n) => ({ type: 'input.text', text: String(n) }) as const);
    for (let from = 0; from < many.length; from += 100) {
      const batch = many.slice(from, from + 100);
      granted(await owner.bus.sessions.append({ session, holder: { kind: 'owner', epoch: 1 }, events: batch }));
    }
    await expect.poll(() => numbers(events).length, { timeout: 5_000 }).toBe(3_000);
    expect(numbers(events)).toEqual(upTo(3_000));
    await log.close();
  });
});

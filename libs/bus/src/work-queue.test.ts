import { type QueueName, queueKeys, stampJob } from '@parley/protocol';
import { startRedis, type TestRedis } from '@parley/testkit';
import { Queue } from 'bullmq';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Bus } from './bus.ts';
import { connectTestBus, metricLines, type TestBus } from './bus-fixture.ts';
import type { WorkQueue, WorkTaker } from './work-queue.ts';

let redis: TestRedis;
let producer: TestBus;
let consumer: TestBus;
const takers: WorkTaker[] = [];

beforeAll(async () => {
  redis = await startRedis();
  producer = await connectTestBus(redis.url, 'gateway-a');
  consumer = await connectTestBus(redis.url, 'worker-a');
});
afterEach(async () => {
  for (const taker of takers.splice(0)) await taker.close(100);
  await redis.client.flushall();
});
afterAll(async () => {
  await producer?.bus.close();
  await consumer?.bus.close();
  await redis?.stop();
});

const reply = (turn: number, deadlineMs = 1_000) => ({ session: 'session-1', turn, attempt: 0, try: 1, deadlineMs });

/** One kind of queue as the contract sees it: jobs are numbers. */
interface Kind {
  readonly name: QueueName;
  readonly what: string;
  offer(bus: Bus, id: string, number: number): Promise<void>;
  take(bus: Bus, slots: number, handler: (number: number) => Promise<void>): Promise<WorkTaker>;
  queue(bus: Bus): Pick<WorkQueue<QueueName>, 'remove' | 'depth'>;
  /** What Redis still knows of jobs. */
  left(): Promise<string[]>;
  /** Puts something in as another version would have written it. */
  offerRaw(job: object): Promise<void>;
  /** Blocks as an idle taker does that makes nothing of what it gets. */
  swallow(client: TestRedis['client']): Promise<unknown>;
}

const KINDS: readonly Kind[] = [
  {
    name: 'reply',
    what: 'a queue by deadline',
    offer: (bus, id, number) => bus.queues.reply.offer(id, reply(number)),
    take: (bus, slots, handler) => bus.queues.reply.take({ slots, handler: ({ turn }) => handler(turn) }),
    queue: (bus) => bus.queues.reply,
    left: () => redis.client.keys('q:*'),
    async offerRaw(job) {
      await redis.client.zadd(queueKeys('reply').jobs, 1, `raw 0 ${JSON.stringify(job)}`);
    },
    // The blocked one is given a job, which is lost with it: its owner offers the next try.
    swallow: (client) => client.bzpopmin(queueKeys('reply').jobs, 10),
  },
  {
    name: 'listen',
    what: 'a queue over BullMQ',
    offer: (bus, id, number) => bus.queues.listen.offer(id, { session: 'session-1', expect: String(number) }),
    take: (bus, slots, handler) => bus.queues.listen.take({ slots, handler: (job) => handler(Number(job.expect)) }),
    queue: (bus) => bus.queues.listen,
    left: () => redis.client.keys('bull:listen:session-1.*'),
    async offerRaw(job) {
      const raw = new Queue('listen', { connection: redis.client });
      await raw.add('listen', job);
      await raw.close();
    },
    swallow: (client) => client.bzpopmin('bull:listen:marker', 10),
  },
];

/** Handlers that run until they are let go. */
function gate() {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, handler: () => opened };
}

describe.each(KINDS)('$what', (kind) => {
  const offer = (number: number, id = `session-1.${number}`) => kind.offer(producer.bus, id, number);
  const depth = () => kind.queue(producer.bus).depth();

  /** Takes jobs, remembers their numbers, and finishes each when told, or at once. */
  async function take(slots: number, handler: () => Promise<void> = async () => {}) {
    const taken: number[] = [];
    const taker = await kind.take(consumer.bus, slots, (number) => {
      taken.push(number);
      return handler();
    });
    takers.push(taker);
    return { taken, taker };
  }

  it('takes the same id once while it waits', async () => {
    await offer(1);
    await offer(1);
    await offer(2);
    const { taken } = await take(1);
    await expect.poll(() => taken).toEqual([1, 2]);
    expect(await depth()).toBe(0);
  });

  it('takes an id again when the first has been taken', async () => {
    const { taken } = await take(1);
    await offer(1);
    await expect.poll(kind.left).toEqual([]);
    await offer(1);
    await expect.poll(() => taken).toEqual([1, 1]);
  });

  it('keeps nothing of a job that is done', async () => {
    const { taken } = await take(1);
    await offer(1);
    await expect.poll(() => taken).toEqual([1]);
    await expect.poll(kind.left).toEqual([]);
  });

  it('counts how long jobs waited', async () => {
    const { taken } = await take(1);
    await offer(1);
    await expect.poll(() => taken).toEqual([1]);
    const name = `parley_queue_hop_seconds_count{queue="${kind.name}"}`;
    expect(await metricLines(consumer.metrics, name)).toHaveLength(1);
  });

  it('removes what nobody has taken', async () => {
    for (const number of [1, 2, 3]) await offer(number);
    await kind.queue(producer.bus).remove(['session-1.1', 'session-1.3', 'unknown']);
    await kind.queue(producer.bus).remove([]);
    const { taken } = await take(1);
    await expect.poll(() => taken).toEqual([2]);
    expect(await depth()).toBe(0);
  });

  it('gives a taker no more than its slots', async () => {
    const { open, handler } = gate();
    const { taken } = await take(2, handler);
    for (const number of [1, 2, 3, 4]) await offer(number);
    await expect.poll(() => taken.length).toBe(2);
    expect(await depth()).toBe(2);
    open();
    await expect.poll(() => taken.length).toBe(4);
  });

  it('shares jobs between takers, each given to one', async () => {
    const [one, other] = [await take(4), await take(4)];
    for (let number = 1; number <= 40; number += 1) await offer(number);
    const all = () => [...one.taken, ...other.taken].toSorted((a, b) => a - b);
    await expect.poll(all).toEqual(Array.from({ length: 40 }, (_, index) => index + 1));
    expect(one.taken.length).toBeGreaterThan(0);
    expect(other.taken.length).toBeGreaterThan(0);
  });

  it('gives nothing more to a taker that pauses in its handler, and nothing is stuck with it', async () => {
    for (let round = 0; round < 5; round += 1) {
      const full: number[] = [];
      const taker = await kind.take(consumer.bus, 4, async () => {
        full.push(round);
        await taker.pause();
      });
      await offer(9, `first.${round}`);
      await expect.poll(() => full.length, { interval: 1 }).toBe(1);
      for (const number of [1, 2, 3]) await offer(number, `more.${round}.${number}`);
      const { taken, taker: other } = await take(1);
      await expect.poll(() => taken.toSorted(), { timeout: 3_000 }).toEqual([1, 2, 3]);
      expect(full).toHaveLength(1);
      await other.close();
      await taker.resume();
      await offer(9, `again.${round}`);
      await expect.poll(() => full.length).toBe(2);
      await taker.close();
    }
  });

  it('finishes a job whose handler throws', async () => {
    const { taken } = await take(1, () => Promise.reject(new Error('handler')));
    await offer(1);
    await offer(2);
    await expect.poll(() => taken).toEqual([1, 2]);
    await expect.poll(kind.left).toEqual([]);
  });

  it('drops and counts a malformed job, and puts one for newer readers back', async () => {
    const { taken } = await take(1);
    const skipped = () => metricLines(consumer.metrics, `parley_jobs_skipped_total{queue="${kind.name}"`);
    const count = async (reason: string) =>
      Number((await skipped()).find((line) => line.includes(`reason="${reason}"`))?.split(' ')[1] ?? 0);
    const malformed = await count('malformed');
    await kind.offerRaw({ v: 1, minReader: 1, nonsense: true });
    await kind.offerRaw({ ...stampJob({ ...reply(1), expect: '1' }), minReader: 99 });
    await offer(2);
    await expect.poll(() => taken).toEqual([2]);
    await expect.poll(() => count('malformed')).toBeGreaterThan(malformed);
    // Looked at once more by whoever is there.
    const newer = await count('newer');
    await expect.poll(() => count('newer'), { timeout: 3_000 }).toBeGreaterThan(newer);
    expect(taken).toEqual([2]);
  });

  it('closes when the running handlers have finished, and takes nothing meanwhile', async () => {
    const { open, handler } = gate();
    const { taken, taker } = await take(2, handler);
    await offer(1);
    await expect.poll(() => taken).toEqual([1]);
    let closed = false;
    const closing = taker.close(5_000).then(() => {
      closed = true;
    });
    await offer(2);
    const other = await take(1);
    await expect.poll(() => other.taken).toEqual([2]);
    expect(closed).toBe(false);
    open();
    await closing;
    expect(taken).toEqual([1]);
    await expect.poll(kind.left).toEqual([]);
  });

  it('closes after its time-out although a handler goes on', async () => {
    const { open, handler } = gate();
    const { taken, taker } = await take(1, handler);
    await offer(1);
    await expect.poll(() => taken).toEqual([1]);
    const startedMs = performance.now();
    await taker.close(100);
    expect(performance.now() - startedMs).toBeLessThan(1_500);
    open();
  });

  it('is not stopped by an idle taker that is frozen', async () => {
    const frozen = redis.client.duplicate();
    const swallowed = kind.swallow(frozen);
    await expect.poll(() => redis.client.client('LIST')).toContain('cmd=bzpopmin');
    const { taken } = await take(1);
    const startedMs = performance.now();
    await offer(1);
    await expect.poll(() => Promise.race([swallowed, null])).not.toBeNull();
    await offer(2);
    await expect.poll(() => taken, { interval: 5 }).toContain(2);
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    frozen.disconnect();
  });
});

describe('a queue by deadline', () => {
  const offerBy = (turn: number, deadlineMs: number) =>
    producer.bus.queues.reply.offer(`session-1.${turn}`, reply(turn, deadlineMs));

  it('hands a job over as it was offered', async () => {
    const jobs: unknown[] = [];
    const taker = await consumer.bus.queues.reply.take({ slots: 1, handler: async (job) => void jobs.push(job) });
    takers.push(taker);
    await producer.bus.queues.reply.offer('one', { ...reply(1), held: true, trace: '00-a-b-01' });
    await expect.poll(() => jobs).toEqual([{ v: 1, minReader: 1, ...reply(1), held: true, trace: '00-a-b-01' }]);
  });

  it('gives the earliest deadline first', async () => {
    const now = producer.bus.redisNowMs();
    for (const [turn, inMs] of [
      [1, 3_000],
      [2, 1_000],
      [3, 2_000],
      [4, 2_000],
    ] as const) {
      await offerBy(turn, now + inMs);
    }
    expect(await producer.bus.queues.reply.depth()).toBe(4);
    const turns: number[] = [];
    const taker = await consumer.bus.queues.reply.take({
      slots: 1,
      handler: async ({ turn }) => void turns.push(turn),
    });
    takers.push(taker);
    await expect.poll(() => turns).toEqual([2, 3, 4, 1]);
  });

  it('refuses and counts what is more than it holds', async () => {
    const { jobs } = queueKeys('reply');
    const members = Array.from({ length: 1_000 }, (_, index) => [1, `filler-${index}`]).flat();
    for (let filled = 0; filled < 100; filled += 1) {
      await redis.client.zadd(
        jobs,
        ...members.map((member) => (typeof member === 'string' ? `${member}-${filled}` : member)),
      );
    }
    await expect(offerBy(1, 1_000)).rejects.toMatchObject({ code: 'overloaded' });
    const refused = await metricLines(producer.metrics, 'parley_bus_refusals_total{script="offer"');
    expect(refused).toEqual(['parley_bus_refusals_total{script="offer",code="FULL"} 1']);
  });
});

describe('a queue over BullMQ', () => {
  it('gives jobs in the order of their offers', async () => {
    for (const expect_ of ['a', 'b', 'c']) {
      await producer.bus.queues.listen.offer(expect_, { session: 's', expect: expect_ });
    }
    const offers: string[] = [];
    const taker = await consumer.bus.queues.listen.take({
      slots: 1,
      handler: async (job) => void offers.push(job.expect),
    });
    takers.push(taker);
    await expect.poll(() => offers).toEqual(['a', 'b', 'c']);
  });
});

describe.each(KINDS)('$what, when Redis goes away', (kind) => {
  it('fails an offer in time, and takers go on when it is back', async () => {
    const own = await startRedis();
    const bus = await connectTestBus(own.url, 'gateway-b');
    const turns: number[] = [];
    const taker = await kind.take(bus.bus, 1, async (number) => void turns.push(number));
    const offerTo = (turn: number) => kind.offer(bus.bus, `r.${turn}`, turn);
    await offerTo(1);
    await expect.poll(() => turns).toEqual([1]);
    await own.kill();
    const startedMs = performance.now();
    await expect(offerTo(2)).rejects.toMatchObject({ code: 'bus_unavailable' });
    expect(performance.now() - startedMs).toBeLessThan(1_500);
    await own.restart();
    const offered = (turn: number) =>
      offerTo(turn).then(
        () => true,
        () => false,
      );
    await expect.poll(() => offered(3), { timeout: 5_000 }).toBe(true);
    await expect.poll(() => turns, { timeout: 5_000 }).toEqual([1, 3]);
    await own.kill();
    const closingMs = performance.now();
    await taker.close();
    await bus.bus.close();
    expect(performance.now() - closingMs).toBeLessThan(3_000);
    await own.stop();
  });
});

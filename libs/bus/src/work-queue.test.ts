import { type Job, stampJob } from '@parley/protocol';
import { startRedis, type TestRedis } from '@parley/testkit';
import { Queue } from 'bullmq';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { connectTestBus, metricLines, type TestBus } from './bus-fixture.ts';
import type { WorkTaker } from './work-queue.ts';

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
const offer = (turn: number, deadlineMs?: number) =>
  producer.bus.queues.reply.offer(`session-1.${turn}`, reply(turn, deadlineMs));

/** Keys of jobs that Redis still knows. */
const jobsLeft = () => redis.client.keys('bull:reply:session-1.*');

/** Takes replies, remembers their turns, and finishes each when told, or at once. */
async function take(slots: number, handler: (job: Job<'reply'>) => Promise<void> = async () => {}) {
  const turns: number[] = [];
  const taker = await consumer.bus.queues.reply.take({
    slots,
    handler: (job) => {
      turns.push(job.turn);
      return handler(job);
    },
  });
  takers.push(taker);
  return { turns, taker };
}

/** Handlers that run until they are let go. */
function gate() {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, handler: () => opened };
}

describe('a work queue', () => {
  it('hands a job over within a few milliseconds, as it was offered', async () => {
    const jobs: Job<'reply'>[] = [];
    const queued: number[] = [];
    const taker = await consumer.bus.queues.reply.take({
      slots: 1,
      handler: async (job, { queuedMs }) => {
        jobs.push(job);
        queued.push(queuedMs);
      },
    });
    takers.push(taker);
    await producer.bus.queues.reply.offer('one', { ...reply(1), held: true, trace: '00-a-b-01' });
    await expect.poll(() => jobs).toEqual([{ v: 1, minReader: 1, ...reply(1), held: true, trace: '00-a-b-01' }]);
    expect(queued[0]).toBeLessThan(200);
    expect(await metricLines(consumer.metrics, 'parley_queue_hop_seconds_count{queue="reply"}')).toHaveLength(1);
  });

  it('takes the same id once while it waits', async () => {
    await offer(1);
    await offer(1);
    await offer(2);
    const { turns } = await take(1);
    await expect.poll(() => turns).toEqual([1, 2]);
    expect(await producer.bus.queues.reply.depth()).toBe(0);
  });

  it('keeps nothing of a job that is done', async () => {
    const { turns } = await take(1);
    await offer(1);
    await expect.poll(() => turns).toEqual([1]);
    await expect.poll(jobsLeft).toEqual([]);
  });

  it('takes the earliest deadline first, and offers without one in order', async () => {
    const now = producer.bus.redisNowMs();
    for (const [turn, inMs] of [
      [1, 3_000],
      [2, 1_000],
      [3, 2_000],
      [4, 2_000],
    ] as const) {
      await offer(turn, now + inMs);
    }
    expect(await producer.bus.queues.reply.depth()).toBe(4);
    const { turns } = await take(1);
    await expect.poll(() => turns).toEqual([2, 3, 4, 1]);
    expect(await producer.bus.queues.reply.depth()).toBe(0);

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

  it('removes what nobody has taken', async () => {
    for (const turn of [1, 2, 3]) await offer(turn);
    await producer.bus.queues.reply.remove(['session-1.1', 'session-1.3', 'unknown']);
    const { turns } = await take(1);
    await expect.poll(() => turns).toEqual([2]);
    expect(await producer.bus.queues.reply.depth()).toBe(0);
  });

  it('gives a taker no more than its slots', async () => {
    const { open, handler } = gate();
    const { turns } = await take(2, handler);
    for (const turn of [1, 2, 3, 4]) await offer(turn);
    await expect.poll(() => turns.length).toBe(2);
    expect(await producer.bus.queues.reply.depth()).toBe(2);
    open();
    await expect.poll(() => turns.length).toBe(4);
  });

  it('gives nothing more to a taker that pauses in its handler, and nothing is stuck with it', async () => {
    for (let round = 0; round < 5; round += 1) {
      const full: number[] = [];
      const taker = await consumer.bus.queues.listen.take({
        slots: 4,
        handler: async () => {
          full.push(round);
          await taker.pause();
        },
      });
      await producer.bus.queues.listen.offer(`first.${round}`, { session: 's', expect: '' });
      await expect.poll(() => full.length, { interval: 1 }).toBe(1);
      for (const n of [1, 2, 3]) {
        await producer.bus.queues.listen.offer(`more.${round}.${n}`, { session: 's', expect: String(n) });
      }
      const others: string[] = [];
      const other = await producer.bus.queues.listen.take({
        slots: 1,
        handler: async (job) => void others.push(job.expect),
      });
      await expect.poll(() => others.toSorted(), { timeout: 3_000 }).toEqual(['1', '2', '3']);
      expect(full).toHaveLength(1);
      await other.close();
      await taker.resume();
      await producer.bus.queues.listen.offer(`again.${round}`, { session: 's', expect: '' });
      await expect.poll(() => full.length).toBe(2);
      await taker.close();
    }
  });

  it('loses at most half a second to an idle worker that is frozen', async () => {
    // Blocked as a worker is, and first in the line for a wake-up of which it makes nothing.
    const frozen = redis.client.duplicate();
    const swallowed = frozen.bzpopmin('bull:reply:marker', 10);
    await expect.poll(() => redis.client.client('LIST')).toContain('cmd=bzpopmin');
    const { turns } = await take(1);
    const startedMs = performance.now();
    await offer(1);
    await expect.poll(() => turns, { interval: 5 }).toEqual([1]);
    expect(await swallowed).not.toBeNull();
    expect(performance.now() - startedMs).toBeLessThan(900);
    frozen.disconnect();
  });

  it('finishes a job whose handler throws', async () => {
    const { turns } = await take(1, () => Promise.reject(new Error('handler')));
    await offer(1);
    await offer(2);
    await expect.poll(() => turns).toEqual([1, 2]);
    await expect.poll(jobsLeft).toEqual([]);
  });

  it('drops and counts a malformed job, and puts one for newer readers back', async () => {
    const raw = new Queue('reply', { connection: redis.client });
    const { turns } = await take(1);
    await raw.add('reply', { v: 1, minReader: 1, nonsense: true });
    const newer = await raw.add('reply', { ...stampJob(reply(1)), minReader: 99 });
    await offer(2);
    await expect.poll(() => turns).toEqual([2]);
    await expect.poll(() => newer.getState()).toBe('delayed');
    const skipped = await metricLines(consumer.metrics, 'parley_jobs_skipped_total{');
    expect(skipped).toContain('parley_jobs_skipped_total{queue="reply",reason="malformed"} 1');
    expect(skipped.some((line) => line.includes('reason="newer"'))).toBe(true);
    await raw.close();
  });

  it('closes when the running handlers have finished, and takes nothing meanwhile', async () => {
    const { open, handler } = gate();
    const { turns, taker } = await take(2, handler);
    await offer(1);
    await expect.poll(() => turns).toEqual([1]);
    let closed = false;
    const closing = taker.close(5_000).then(() => {
      closed = true;
    });
    await offer(2);
    const other = await take(1);
    await expect.poll(() => other.turns).toEqual([2]);
    expect(closed).toBe(false);
    open();
    await closing;
    expect(turns).toEqual([1]);
    await expect.poll(jobsLeft).toEqual([]);
  });

  it('closes after its time-out although a handler goes on', async () => {
    const { open, handler } = gate();
    const { turns, taker } = await take(1, handler);
    await offer(1);
    await expect.poll(() => turns).toEqual([1]);
    const startedMs = performance.now();
    await taker.close(100);
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    open();
  });
});

describe('when Redis goes away', () => {
  it('an offer fails in time, and takers go on when it is back', async () => {
    const own = await startRedis();
    const bus = await connectTestBus(own.url, 'gateway-b');
    const turns: number[] = [];
    const taker = await bus.bus.queues.reply.take({ slots: 1, handler: async (job) => void turns.push(job.turn) });
    const offerTo = (turn: number) => bus.bus.queues.reply.offer(`r.${turn}`, reply(turn));
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

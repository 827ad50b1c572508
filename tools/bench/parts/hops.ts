import { setTimeout as sleep } from 'node:timers/promises';
import { connectBus } from '@parley/bus';
import { createLogger, createMetrics } from '@parley/runtime';
import { ScriptedOwner, startRedis, type TestRedis } from '@parley/testkit';
import { Child } from '../child.ts';
import { monotonicMs } from '../clock.ts';
import { ms, type Part, type PartContext, type PartResult } from '../part.ts';
import { type Summary, summarize } from '../statistics.ts';
import { BARE_KEY, type HopCommand, type HopMessage } from './hop-messages.ts';

const ROUNDS = 1_000;
const WARM_UP_ROUNDS = 100;
/** Jobs come one at a time, with as much time between them as turns leave. */
const PAUSE_MS = [5, 25] as const;
const TARGETS = { p50Ms: 2.5, p99Ms: 10, timesBare: 3 };

/** A job's way through its queue. */
export const hopsPart: Part = {
  name: 'hops',
  summary: 'queue hop from added to claimed, beside a bare PING + BZPOPMIN round in the same run',
  async run(context) {
    const redis = await startRedis();
    const taker = new Child<HopCommand, HopMessage>('./parts/hop-taker.ts', profiled(context));
    try {
      await taker.ask({ url: redis.url }, 'ready');
      return await measure(redis, taker, context);
    } finally {
      await taker.stop();
      await redis.stop();
    }
  },
};

const profiled = ({ options: { profileDir } }: PartContext) => ({
  nodeOptions: profileDir === undefined ? undefined : `--cpu-prof --cpu-prof-dir=${profileDir}`,
});

async function measure(
  redis: TestRedis,
  taker: Child<HopCommand, HopMessage>,
  { progress }: PartContext,
): Promise<PartResult> {
  const bus = await connectBus({
    url: redis.url,
    process: { id: 'bench', host: 'localhost', pid: process.pid },
    logger: createLogger({ name: 'bench', level: 'silent' }),
    metrics: createMetrics({ processMetrics: false }),
  });
  const times = {
    add: [] as number[],
    taken: [] as number[],
    claimed: [] as number[],
    bullmq: [] as number[],
    bare: [] as number[],
  };
  const producer = redis.client.duplicate();
  try {
    for (let turn = 1; turn <= ROUNDS + WARM_UP_ROUNDS; turn += 1) {
      if (turn % 50 === 0) progress(`round ${turn} of ${ROUNDS + WARM_UP_ROUNDS}`);
      // A session a job, as a queue has them.
      const owner = await ScriptedOwner.open(bus);
      const ref = { stage: 'reply', turn, attempt: 0 } as const;
      await owner.addWork(ref, { text: 'number' });
      await pause();
      const startMs = monotonicMs();
      const claimed = taker.next('claimed');
      await owner.offer(ref);
      const addedMs = monotonicMs();
      const { takenMs, claimedMs, isOk } = await claimed;
      if (!isOk) throw new Error('a claim was refused');
      await owner.close();
      await pause();
      const listenStartMs = monotonicMs();
      const offered = taker.next('offered');
      await bus.queues.listen.offer(`${owner.session}.listen.${turn}`, { session: owner.session, expect: '' });
      const { atMs: offeredMs } = await offered;
      await pause();
      const bareStartMs = monotonicMs();
      const popped = taker.next('popped');
      await producer.ping();
      await producer.zadd(BARE_KEY, turn, String(turn));
      const { atMs } = await popped;
      if (turn <= WARM_UP_ROUNDS) continue;
      times.add.push(addedMs - startMs);
      times.taken.push(takenMs - startMs);
      times.claimed.push(claimedMs - startMs);
      times.bullmq.push(offeredMs - listenStartMs);
      times.bare.push(atMs - bareStartMs);
    }
  } finally {
    producer.disconnect();
    await bus.close();
  }
  const { claimed, bare, taken, add, bullmq } = times;
  return resultOf({
    claimed: summarize(claimed),
    bare: summarize(bare),
    taken: summarize(taken),
    added: summarize(add),
    bullmq: summarize(bullmq),
  });
}

const pause = (): Promise<void> => sleep(PAUSE_MS[0] + Math.random() * (PAUSE_MS[1] - PAUSE_MS[0]));

interface Hops {
  readonly claimed: Summary;
  readonly taken: Summary;
  readonly added: Summary;
  /** A queue over BullMQ, from added to taken. */
  readonly bullmq: Summary;
  readonly bare: Summary;
}

function resultOf({ claimed, bare, taken, added, bullmq }: Hops): PartResult {
  const row = (what: string, { count, mean, p50, p95, p99, max }: Summary) => [
    ...[what, count, ms(mean), ms(p50), ms(p95), ms(p99), ms(max)],
  ];
  const timesBare = claimed.p50 / bare.p50;
  return {
    tables: [
      {
        title: 'A queue hop, ms',
        head: ['What', 'n', 'mean', 'p50', 'p95', 'p99', 'max'],
        rows: [
          row('added → claimed', claimed),
          row('   of it: added → handler called', taken),
          row('   of it: the call that adds', added),
          row('over BullMQ: added → handler called', bullmq),
          row('PING + ZADD → BZPOPMIN', bare),
        ],
      },
    ],
    remarks: [
      ...(claimed.p50 <= TARGETS.p50Ms ? [] : [`p50 is ${ms(claimed.p50)} ms, not ${TARGETS.p50Ms}`]),
      ...(claimed.p99 <= TARGETS.p99Ms ? [] : [`p99 is ${ms(claimed.p99)} ms, not ${TARGETS.p99Ms}`]),
      ...(timesBare <= TARGETS.timesBare
        ? []
        : [`a hop is ${timesBare.toFixed(1)} times a bare round, not ${TARGETS.timesBare}`]),
    ],
    data: { claimedMs: claimed, takenMs: taken, addMs: added, bullmqTakenMs: bullmq, bareMs: bare, timesBare },
  };
}

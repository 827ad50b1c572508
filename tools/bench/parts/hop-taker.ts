// The taking side of the queue measurement: a worker without work, and a bare BZPOPMIN loop beside it.
import { connectBus } from '@parley/bus';
import { createLogger, createMetrics } from '@parley/runtime';
import { Redis } from 'ioredis';
import { monotonicMs } from '../clock.ts';
import { BARE_KEY, type HopCommand, type HopMessage } from './hop-messages.ts';

const SLOTS = 100;

const tell = (message: HopMessage): void => {
  process.send?.(message);
};

async function start(url: string): Promise<void> {
  const bus = await connectBus({
    url,
    process: { id: 'bench-taker', host: 'localhost', pid: process.pid },
    logger: createLogger({ name: 'bench', level: 'silent' }),
    metrics: createMetrics({ processMetrics: false }),
  });
  await bus.queues.reply.take({
    slots: SLOTS,
    async handler({ session, turn, attempt, try: number }) {
      const takenMs = monotonicMs();
      const claim = await bus.sessions.claim({ session, ref: { stage: 'reply', turn, attempt }, try: number });
      tell({ type: 'claimed', turn, takenMs, claimedMs: monotonicMs(), isOk: claim.ok });
    },
  });
  await bus.queues.listen.take({
    slots: SLOTS,
    async handler() {
      tell({ type: 'offered', atMs: monotonicMs() });
    },
  });
  void popBare(new Redis(url.replace(/^unix:\/\//, '')));
  tell({ type: 'ready' });
}

async function popBare(redis: Redis): Promise<void> {
  for (;;) {
    const popped = await redis.bzpopmin(BARE_KEY, 1);
    if (popped) tell({ type: 'popped', turn: Number(popped[1]), atMs: monotonicMs() });
  }
}

process.on('message', ({ url }: HopCommand) => void start(url));
process.on('disconnect', () => process.exit());

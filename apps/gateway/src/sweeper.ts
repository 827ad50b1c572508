import type { Bus } from '@parley/bus';
import type { SessionId } from '@parley/protocol';
import type { Clock, Logger } from '@parley/runtime';
import type { GatewayMetrics } from './metrics.ts';
import { withdrawJobs } from './outbox.ts';
import type { TurnState } from './turn-machine/index.ts';

const INTERVAL_MS = 2_000;
const LOCK_MS = 5_000;
const BATCH = 100;

export interface SweeperOptions {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: GatewayMetrics;
}

/**
 * Closes sessions whose grace is over. Any gateway may do it, one at a time under a short lock. It takes the session over
 * first, so a client that resumes at the same moment wins by its later epoch. Resolves when the signal aborts.
 */
export async function sweep(options: SweeperOptions, signal: AbortSignal): Promise<void> {
  const { bus, clock, logger } = options;
  while (!signal.aborted) {
    try {
      await clock.sleep(INTERVAL_MS * (0.75 + Math.random() / 2), signal);
      if (!(await bus.registry.lock(bus.process.id, LOCK_MS))) continue;
      for (const session of await bus.registry.expired(bus.redisNowMs(), BATCH)) await closeExpired(options, session);
    } catch (err) {
      if (!signal.aborted) logger.debug({ err }, 'sweeping failed; it is tried again');
    }
  }
}

async function closeExpired({ bus, logger, metrics }: SweeperOptions, session: SessionId): Promise<void> {
  const taken = await bus.sessions.resume({ session, tokenHash: null, keyHash: null });
  if (taken.ok) {
    metrics.takeOvers.inc({ cause: 'sweep' });
    const closed = await bus.sessions.commit({
      session,
      epoch: taken.epoch,
      expectedCursor: taken.eventCursor,
      cursor: taken.movedEvent,
      state: taken.state,
      generation: taken.generation,
      events: [{ type: 'session.closed', reason: 'grace' }],
      close: true,
    });
    // Somebody resumed it in between: it lives, and its owner refreshes its deadline.
    if (!closed.ok) return;
    await withdrawJobs(bus.queues, session, JSON.parse(taken.state) as TurnState);
    metrics.swept.inc();
    logger.info({ sessionId: session }, 'session closed after its grace');
  }
  await bus.registry.remove(session);
}

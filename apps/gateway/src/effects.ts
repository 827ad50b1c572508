import type { Bus } from '@parley/bus';
import type { Reply, SessionId } from '@parley/protocol';
import type { Logger } from '@parley/runtime';
import type { ClientLink } from './client-link.ts';
import type { GatewayMetrics } from './metrics.ts';
import { workJobId } from './outbox.ts';
import type { Effect } from './turn-machine/index.ts';

export interface EffectContext {
  readonly session: SessionId;
  readonly bus: Pick<Bus, 'control' | 'queues' | 'redisNowMs'>;
  readonly logger: Logger;
  readonly metrics: Pick<GatewayMetrics, 'interruptions'>;
}

/**
 * Tells the client, or the workers, at once what was decided; the commit may come later. What does not reach them does no
 * harm, so nothing is thrown and nobody waits.
 */
export function perform(
  effect: Effect,
  generation: number,
  link: ClientLink | undefined,
  context: EffectContext,
): void {
  switch (effect.kind) {
    case 'duck':
      return link?.control({ type: 'audio.duck', generation });
    case 'restore':
      return link?.control({ type: 'audio.restore', generation });
    case 'stop':
      if (effect.reply) context.metrics.interruptions.inc();
      return link?.control({
        type: 'audio.stop',
        generation: effect.generation,
        ...(effect.reply ? { reply: effect.reply } : {}),
      });
    case 'release':
      return void tellReleased(effect.reply, context);
    case 'cancel':
      return void cancel(effect, context);
    default:
      return effect satisfies never;
  }
}

/** Its workers need not flag what they say of it any longer; where this is lost, what is flagged is shown all the same. */
async function tellReleased({ turn, attempt }: Reply, { session, bus, logger }: EffectContext): Promise<void> {
  try {
    await bus.control.publish({ session, released: { turn, attempt } });
  } catch (err) {
    logger.debug({ err }, 'a release was not told');
  }
}

/** Queued offers are dropped and running work is told; the mark in the work item, which counts, comes with the commit. */
async function cancel(
  { reply, work }: Extract<Effect, { kind: 'cancel' }>,
  { session, bus, logger }: EffectContext,
): Promise<void> {
  const ids = (stage: 'reply' | 'speak') =>
    work.filter(({ ref }) => ref.stage === stage).map(({ ref, try: number }) => workJobId(session, ref, number));
  const sent = await Promise.allSettled([
    bus.control.publish({ session, cancel: [reply], at: bus.redisNowMs() }),
    bus.queues.reply.remove(ids('reply')),
    bus.queues.speak.remove(ids('speak')),
  ]);
  for (const result of sent) {
    if (result.status === 'rejected') logger.warn({ err: result.reason }, 'a cancel did not reach everybody');
  }
}

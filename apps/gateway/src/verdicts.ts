import type { Bus } from '@parley/bus';
import type { SessionId } from '@parley/protocol';
import type { Logger } from '@parley/runtime';
import type { GatewayMetrics } from './metrics.ts';
import type { Reign } from './reign.ts';
import type { Verdict, Watch } from './watch.ts';

export interface VerdictContext {
  readonly session: SessionId;
  readonly bus: Pick<Bus, 'registry'>;
  readonly logger: Logger;
  readonly metrics: Pick<GatewayMetrics, 'holdersLost'>;
  readonly reign: Pick<Reign, 'append'>;
  readonly watch: Pick<Watch, 'retract'>;
}

/** How far the user's audio is settled, and how far it has come. */
interface AudioPosition {
  readonly cursor: number;
  readonly inputSample: number;
}

/** Writes into the log what the watch found. What cannot be written is retracted, and found again. */
export async function pronounce(verdict: Verdict, position: AudioPosition, context: VerdictContext): Promise<void> {
  const { logger, metrics, reign, watch } = context;
  const { stage } = verdict;
  try {
    const reason = await reasonOf(verdict, context);
    metrics.holdersLost.inc({ stage, reason });
    logger.warn({ stage, reason, holder: stage === 'listen' ? 'listener' : verdict.holder }, 'a holder is lost');
    await reign.append([{ type: 'holder.lost', ...verdict, reason, ...(stage === 'listen' ? position : {}) }]);
  } catch (err) {
    logger.debug({ err }, 'a verdict could not be written');
    watch.retract(verdict);
  }
}

/** Work that seems to be unclaimed may have killed its holder before the first pulse. */
async function reasonOf(
  { stage, holder, try: number, reason }: Verdict,
  { bus, session }: VerdictContext,
): Promise<Verdict['reason']> {
  if (stage === 'listen' || reason !== 'unclaimed') return reason;
  const found = await bus.registry.inspect(session);
  const item = found?.work.find(({ key }) => key === holder);
  return item?.try === number && item.fence !== undefined ? 'silent' : reason;
}

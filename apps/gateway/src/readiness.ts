import type { Bus } from '@parley/bus';
import { type Heartbeat, STAGES } from '@parley/protocol';
import type { OwnerRegistry } from './owner-registry.ts';

/** What `/readyz` answers. */
export interface SystemReadiness {
  readonly ready: boolean;
  readonly reasons: readonly string[];
  readonly stages: Readonly<Record<string, readonly StageWorker[]>>;
}

interface StageWorker {
  readonly id: string;
  /** The process, on its machine. */
  readonly host: string;
  readonly pid: number;
  readonly engine: string;
  readonly why: string;
  readonly hint: string;
  readonly ready: boolean;
}

const describe = ({ id, host, pid, engine, engineReason, engineHint, ready }: Heartbeat): StageWorker => ({
  id,
  host,
  pid,
  engine,
  why: engineReason,
  hint: engineHint,
  ready,
});

/** Ready once Redis answers and each stage has a warmed-up worker with a fresh heartbeat. */
export async function systemReadiness(bus: Bus, registry: OwnerRegistry): Promise<SystemReadiness> {
  const reasons: string[] = [];
  try {
    await bus.ping();
  } catch {
    reasons.push('Redis does not answer');
  }
  const stages: Record<string, readonly StageWorker[]> = {};
  for (const stage of STAGES) {
    const workers = registry.workers(stage);
    stages[stage] = workers.map(describe);
    if (!workers.some(({ ready, draining }) => ready && !draining)) {
      reasons.push(workers.length === 0 ? `no ${stage} worker` : `no ${stage} worker is warmed up`);
    }
  }
  return { ready: reasons.length === 0, reasons, stages };
}

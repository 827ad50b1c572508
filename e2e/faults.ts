import type { SessionDebug, System, SystemProcess } from '@parley/testkit';
import { waitUntil } from '@parley/testkit';

/** The process that listens to the session now. */
export async function listenerOf(system: System, session: string): Promise<SystemProcess> {
  let found: SessionDebug | undefined;
  await waitUntil(async () => {
    found = await system.debug(session);
    return found.listener !== null && system.byPid(found.listener.pid).running;
  });
  if (!found?.listener) throw new Error('nobody listens');
  return system.byPid(found.listener.pid);
}

/** The process that holds a running claim of the stage now; waits until there is one. */
export async function claimantOf(system: System, session: string, stage: 'reply' | 'speak'): Promise<SystemProcess> {
  let pid: number | undefined;
  await waitUntil(async () => {
    const { claims } = await system.debug(session);
    pid = claims.find((claim) => claim.stage === stage)?.pid;
    return pid !== undefined;
  }, 15_000);
  if (pid === undefined) throw new Error(`nobody holds a ${stage}`);
  return system.byPid(pid);
}

/** The process that owns the session now. */
export async function ownerOf(system: System, session: string): Promise<SystemProcess> {
  return system.byPid((await system.debug(session)).owner.pid);
}

/** Prints what a fault added to the conversation: median, 95th percentile and greatest, in whole milliseconds. */
export function print(fault: string, addedMs: readonly number[]): void {
  process.stdout.write(`${fault}: added ${summary(addedMs)}\n`);
}

function summary(delaysMs: readonly number[]): string {
  const sorted = [...delaysMs].sort((a, b) => a - b);
  const at = (fraction: number) =>
    Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? 0);
  return `n=${sorted.length} p50=${at(0.5)} ms p95=${at(0.95)} ms max=${at(1)} ms`;
}

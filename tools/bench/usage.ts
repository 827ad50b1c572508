import type { Usage } from './lab.ts';

/** What the system used in a stretch of time. */
export interface Consumption {
  readonly seconds: number;
  /** CPU seconds by process. */
  readonly cpuSeconds: ReadonlyMap<string, number>;
  readonly totalCpuSeconds: number;
  readonly redisCommands: number;
  readonly redisBytesIn: number;
  readonly redisBytesOut: number;
  /** Calls by command, the most frequent first. */
  readonly calls: readonly (readonly [command: string, calls: number, usec: number])[];
}

/** The difference of two readings. */
export function consumption(from: Usage, to: Usage): Consumption {
  const before = new Map(from.processes.map(({ name, cpuSeconds }) => [name, cpuSeconds]));
  const cpuSeconds = new Map(
    to.processes.map(({ name, cpuSeconds: after }) => [name, after - (before.get(name) ?? 0)] as const),
  );
  const calls = [...to.byCommand].map(([command, { calls: after, usec }]) => {
    const known = from.byCommand.get(command);
    return [command, after - (known?.calls ?? 0), usec - (known?.usec ?? 0)] as const;
  });
  return {
    seconds: (to.atMs - from.atMs) / 1_000,
    cpuSeconds,
    totalCpuSeconds: [...cpuSeconds.values()].reduce((sum, value) => sum + value, 0),
    redisCommands: to.redisCommands - from.redisCommands,
    redisBytesIn: to.redisBytesIn - from.redisBytesIn,
    redisBytesOut: to.redisBytesOut - from.redisBytesOut,
    calls: calls.filter(([, count]) => count > 0).sort((a, b) => b[1] - a[1]),
  };
}

import { randomBytes } from 'node:crypto';
import { DEFAULT_SETTINGS, type EventId, type SessionId } from '@parley/protocol';
import { createLogger, createMetrics, type Metrics } from '@parley/runtime';
import { type Bus, type BusOptions, connectBus } from './bus.ts';
import type { SessionSnapshot } from './sessions.ts';

/** A bus for tests, with the metrics it counts in. */
export interface TestBus {
  readonly bus: Bus;
  readonly metrics: Metrics;
}

export async function connectTestBus(url: string, id: string, options: Partial<BusOptions> = {}): Promise<TestBus> {
  const metrics = createMetrics({ processMetrics: false });
  const logger = createLogger({ name: id, level: 'silent' });
  const process_ = { id, host: 'test-host', pid: process.pid };
  const bus = await connectBus({ url, process: process_, logger, metrics, ...options });
  return { bus, metrics };
}

/** Two processes on one Redis, which is theirs and ends with them. */
export interface TwoProcesses<Redis> {
  readonly redis: Redis;
  readonly first: TestBus;
  readonly second: TestBus;
  close(): Promise<void>;
}

export async function connectTwoProcesses<Redis extends { readonly url: string; stop(): Promise<unknown> }>(
  redis: Redis,
  firstId: string,
  secondId: string,
): Promise<TwoProcesses<Redis>> {
  const buses: TestBus[] = [];
  const close = async (): Promise<void> => {
    for (const { bus } of buses) await bus.close();
    await redis.stop();
  };
  try {
    const first = await connectTestBus(redis.url, firstId);
    buses.push(first);
    const second = await connectTestBus(redis.url, secondId);
    buses.push(second);
    return { redis, first, second, close };
  } catch (error) {
    await close();
    throw error;
  }
}

export const newSessionId = (): SessionId => randomBytes(16).toString('base64url');

/** A session just created by a bus, in its first epoch. */
export async function createSession(
  bus: Bus,
  session = newSessionId(),
): Promise<SessionSnapshot & { readonly session: SessionId }> {
  const snapshot = await bus.sessions.create({
    session,
    tokenHash: 'token-hash',
    keyHash: 'key-hash',
    settings: DEFAULT_SETTINGS,
    state: 'state-0',
  });
  if (!snapshot.ok) throw new Error(snapshot.refusal);
  return { ...snapshot, session };
}

/** What every commit has, for tests that care for the rest. */
export const step = (session: SessionId, epoch: number, expectedCursor: EventId, cursor: EventId) =>
  ({ session, epoch, expectedCursor, cursor, state: 'state-1', generation: 0 }) as const;

/** Unwraps what a script granted. */
export function granted<T extends { readonly ok: boolean }>(answer: T): Extract<T, { readonly ok: true }> {
  if (!answer.ok) throw new Error(`refused: ${JSON.stringify(answer)}`);
  return answer as Extract<T, { readonly ok: true }>;
}

/** Samples of a counter, as rendered. */
export async function metricLines(metrics: Metrics, name: string): Promise<string[]> {
  return (await metrics.render()).split('\n').filter((line) => line.startsWith(name));
}

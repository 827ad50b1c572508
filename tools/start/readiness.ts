import { hostname } from 'node:os';
import { type Clock, deadlineSignal, linkSignals } from '@parley/runtime';
import { z } from 'zod';
import { StartError } from './start-error.ts';

const engineSchema = z.object({
  id: z.string(),
  host: z.string(),
  pid: z.number(),
  ready: z.boolean(),
  engine: z.string(),
  why: z.string().default(''),
  /** What would bring a better one. */
  hint: z.string().default(''),
});

const readinessSchema = z.object({
  ready: z.boolean(),
  reasons: z.array(z.string()).default([]),
  stages: z.record(z.string(), z.array(engineSchema)).default({}),
});

export type EngineReport = z.infer<typeof engineSchema>;
export type SystemReadiness = z.infer<typeof readinessSchema>;

const POLL_MS = 100;
const ASK_TIMEOUT_MS = 2000;
const COMPLAIN_EVERY_MS = 10_000;

export interface WaitOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Told now and then what is still missing. */
  readonly onWaiting: (reasons: readonly string[]) => void;
}

/** Waits until every gateway says that a turn could be served, and returns what the first of them knows. */
export async function untilReady(urls: readonly string[], options: WaitOptions): Promise<SystemReadiness> {
  const { clock, signal, onWaiting } = options;
  let nextComplaintMs = clock.nowMs() + COMPLAIN_EVERY_MS;
  for (;;) {
    const answers = await Promise.all(urls.map((url) => askReadiness(url, options)));
    const [first] = answers;
    if (first && answers.every((answer) => answer.ready)) return first;
    if (clock.nowMs() >= nextComplaintMs) {
      nextComplaintMs = clock.nowMs() + COMPLAIN_EVERY_MS;
      onWaiting([...new Set(answers.flatMap((answer) => answer.reasons))]);
    }
    await clock.sleep(POLL_MS, signal);
  }
}

/**
 * Waits until every gateway sees each of these processes of this machine ready to serve. Rejects after `limitMs` with what
 * the workers themselves say would help.
 */
export async function untilServing(
  urls: readonly string[],
  pids: () => readonly (number | undefined)[],
  { limitMs, ...options }: Omit<WaitOptions, 'onWaiting'> & { readonly limitMs: number },
): Promise<void> {
  const { clock, signal } = options;
  const deadlineMs = clock.nowMs() + limitMs;
  for (;;) {
    const wanted = pids();
    const answers = await Promise.all(urls.map((url) => askReadiness(url, options)));
    const workers = answers.map(({ stages }) =>
      Object.values(stages)
        .flat()
        .filter(({ host, pid }) => host === hostname() && wanted.includes(pid)),
    );
    if (workers.every((seen) => seen.filter(({ ready }) => ready).length >= wanted.length)) return;
    if (clock.nowMs() >= deadlineMs) {
      const [hint = ''] = workers.flat().flatMap((worker) => (worker.ready || worker.hint === '' ? [] : [worker.hint]));
      throw new StartError(`its workers are not ready after ${Math.round(limitMs / 1000)} s. ${hint}`.trimEnd());
    }
    await clock.sleep(POLL_MS, signal);
  }
}

async function askReadiness(
  url: string,
  { clock, signal }: Pick<WaitOptions, 'clock' | 'signal'>,
): Promise<SystemReadiness> {
  const deadline = deadlineSignal(clock, ASK_TIMEOUT_MS);
  const linked = linkSignals(signal, deadline.signal);
  try {
    const response = await fetch(`${url}/readyz`, { signal: linked.signal });
    return readinessSchema.parse(await response.json());
  } catch {
    return { ready: false, reasons: [`the gateway at ${url} does not answer yet`], stages: {} };
  } finally {
    linked.release();
    deadline.release();
  }
}

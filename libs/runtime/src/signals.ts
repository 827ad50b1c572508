import type { Clock } from './clock.ts';

/** A signal that follows others and can be aborted on its own account. */
export interface LinkedSignal {
  readonly signal: AbortSignal;
  /** Aborts this signal only, never those it follows. */
  abort(reason: unknown): void;
  /** Stops following. Call it in the `finally` of whatever the signal was made for. */
  release(): void;
}

/**
 * Joins signals into one that aborts, with the same reason, when the first of them does. Its listeners leave on release:
 * with `AbortSignal.any` each turn of a long-lived process would leave some behind on the shutdown signal.
 */
export function linkSignals(...signals: readonly (AbortSignal | undefined)[]): LinkedSignal {
  const controller = new AbortController();
  const listeners: (() => void)[] = [];
  const release = (): void => {
    for (const remove of listeners.splice(0)) remove();
  };
  const abort = (reason: unknown): void => {
    release();
    controller.abort(reason);
  };
  for (const source of signals) {
    if (source === undefined) continue;
    if (source.aborted) {
      abort(source.reason);
      break;
    }
    const onAbort = (): void => abort(source.reason);
    source.addEventListener('abort', onAbort, { once: true });
    listeners.push(() => source.removeEventListener('abort', onAbort));
  }
  return { signal: controller.signal, abort, release };
}

/** The reason of a signal whose time ran out. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError';
  readonly afterMs: number;

  constructor(afterMs: number) {
    super(`deadline of ${afterMs} ms passed`);
    this.afterMs = afterMs;
  }
}

/** A signal that aborts with a `DeadlineError` after `ms` on the given clock, unless it is released before. */
export function deadlineSignal(clock: Clock, ms: number): { readonly signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const release = clock.setTimeout(() => controller.abort(new DeadlineError(ms)), ms);
  return { signal: controller.signal, release };
}

/** Resolves when the signal aborts: what a service that only serves waits for. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

import { type Clock, systemClock } from './clock.ts';

export interface BackoffOptions {
  readonly initialMs: number;
  readonly maxMs: number;
  /** Growth per step; 2 when not given. */
  readonly factor?: number;
  /** Share of the wait that is random, 0 to 1; 0.2 when not given, so that many clients do not come back at once. */
  readonly jitter?: number;
}

/** Waits that grow from `initialMs` to `maxMs`. */
export interface Backoff {
  /** The next wait in milliseconds. */
  next(): number;
  /** Starts again from the shortest wait, after a success. */
  reset(): void;
}

/** Makes a back-off whose waits never exceed `maxMs`, jitter included. */
export function backoff({ initialMs, maxMs, factor = 2, jitter = 0.2 }: BackoffOptions): Backoff {
  let baseMs = initialMs;
  return {
    next() {
      const waitMs = Math.min(baseMs, maxMs);
      baseMs = Math.min(baseMs * factor, maxMs);
      return waitMs * (1 - jitter * Math.random());
    },
    reset() {
      baseMs = initialMs;
    },
  };
}

export interface RetryOptions extends BackoffOptions {
  /** Calls in all; without it, until the signal aborts. */
  readonly attempts?: number;
  /** Says whether a failure is worth another call; every one is when not given. */
  readonly shouldRetry?: (error: unknown) => boolean;
  /** Told of each failure that will be retried, and of the wait before. */
  readonly onRetry?: (error: unknown, attempt: number, waitMs: number) => void;
  readonly clock?: Clock;
}

/**
 * Calls `fn` until it succeeds. Throws its last error when attempts run out or it is not worth retrying, and the signal's
 * reason when that aborts.
 */
export async function retry<T>(
  fn: (attempt: number) => T | Promise<T>,
  options: RetryOptions,
  signal?: AbortSignal,
): Promise<T> {
  const clock = options.clock ?? systemClock;
  const waits = backoff(options);
  for (let attempt = 1; ; attempt += 1) {
    signal?.throwIfAborted();
    try {
      return await fn(attempt);
    } catch (error) {
      signal?.throwIfAborted();
      const exhausted = options.attempts !== undefined && attempt >= options.attempts;
      if (exhausted || options.shouldRetry?.(error) === false) throw error;
      const waitMs = waits.next();
      options.onRetry?.(error, attempt, waitMs);
      await clock.sleep(waitMs, signal);
    }
  }
}

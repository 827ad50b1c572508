import { VoiceError } from '@parley/protocol';
import { type Clock, linkSignals } from '@parley/runtime';

export interface ProgressDeadlineOptions {
  /** Until the first result. */
  readonly firstMs: number;
  /** From one result to the next, and from the last one to the end. */
  readonly stallMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Watches a stream of an engine: a pulse shows that the process lives, only results show that its engine does. Throws
 * `engine_timeout` when none comes in time, counted while the consumer waits, and the reason of the signal when that
 * aborts; in both cases at once, even if the engine ignores the signal it was given.
 */
export async function* withProgressDeadline<T>(
  open: (signal: AbortSignal) => AsyncIterable<T>,
  { firstMs, stallMs, clock, signal }: ProgressDeadlineOptions,
): AsyncGenerator<T, void, undefined> {
  signal.throwIfAborted();
  const linked = linkSignals(signal);
  const interrupted = new Promise<never>((_, reject) => {
    linked.signal.addEventListener('abort', () => reject(linked.signal.reason), { once: true });
  });
  interrupted.catch(() => undefined);
  let iterator: AsyncIterator<T> | undefined;
  try {
    iterator = open(linked.signal)[Symbol.asyncIterator]();
    for (let limitMs = firstMs; ; limitMs = stallMs) {
      const cancelTimer = clock.setTimeout(() => {
        linked.abort(new VoiceError('engine_timeout', `the engine gave nothing for ${limitMs} ms`));
      }, limitMs);
      let next: IteratorResult<T>;
      try {
        next = await Promise.race([iterator.next(), interrupted]);
      } finally {
        cancelTimer();
      }
      if (next.done) {
        iterator = undefined;
        return;
      }
      yield next.value;
    }
  } finally {
    // The engine learns that nobody waits any more. It may be hung: that must not hold up the one who gave it up.
    if (iterator !== undefined) {
      linked.abort(new Error('the result is no longer wanted'));
      iterator.return?.().then(undefined, () => undefined);
    }
    linked.release();
  }
}

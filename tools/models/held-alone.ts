import { linkSignals, systemClock } from '@parley/runtime';
import { lock } from 'proper-lockfile';
import { ModelError } from './model-error.ts';

const POLL_MS = 200;
/** A holder renews its lock; one that has not for so long has died. */
const STALE_MS = 20_000;

export interface HeldAloneOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called once when somebody else holds the lock. */
  readonly onWaiting?: () => void;
}

/**
 * Runs `work` while no other process, and nobody else in this one, holds `path`. Waits for them. The signal that `work`
 * gets aborts when the lock is lost, as after a long sleep of the machine.
 */
export async function heldAlone<T>(
  path: string,
  { signal, onWaiting }: HeldAloneOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const linked = linkSignals(signal);
  let release: (() => Promise<void>) | undefined;
  try {
    for (let waits = 0; release === undefined; waits += 1) {
      linked.signal.throwIfAborted();
      release = await tryLock(path, (cause) =>
        linked.abort(new ModelError('lock_lost', `the lock on ${path} was lost`, { cause })),
      );
      if (release !== undefined) break;
      if (waits === 0) onWaiting?.();
      await systemClock.sleep(POLL_MS, linked.signal);
    }
    return await work(linked.signal);
  } finally {
    linked.release();
    // A lock that was lost cannot be released; that it was lost has been said.
    await release?.().catch(() => undefined);
  }
}

async function tryLock(
  path: string,
  onCompromised: (error: Error) => void,
): Promise<(() => Promise<void>) | undefined> {
  try {
    return await lock(path, { realpath: false, stale: STALE_MS, onCompromised });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ELOCKED') return undefined;
    throw ModelError.fromDisk(error);
  }
}

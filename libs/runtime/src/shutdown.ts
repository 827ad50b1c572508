import type { Clock } from './clock.ts';

/** Why a process was asked to leave. */
export class ShutdownReason extends Error {
  override readonly name = 'ShutdownReason';
}

export interface ShutdownOptions {
  readonly clock: Clock;
  /** How long draining may take before it is cut short. */
  readonly drainTimeoutMs: number;
  /** Called once, when draining takes too long or somebody insists. */
  readonly onForce: (why: string) => void;
  /** End of this stream counts as a request to leave: the supervisor at its other end is gone. */
  readonly lifeline?: NodeJS.ReadStream | undefined;
}

export interface Shutdown {
  /** Aborts at the first request to leave. */
  readonly signal: AbortSignal;
  /** Asks to leave, as a signal from outside would. */
  request(why: string): void;
  /** Takes the listeners off the process. */
  release(): void;
}

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/** One Ctrl-C may reach a process twice, from the terminal and from its parent. */
const INSIST_AFTER_MS = 1000;

/**
 * Turns process signals into an orderly end.
 *
 * States: running → draining → forced. running → draining: a first request (signal, lifeline, `request`); draining →
 * forced: another signal after a second, or the drain timeout. Nothing leads back.
 */
export function watchShutdown({ clock, drainTimeoutMs, onForce, lifeline }: ShutdownOptions): Shutdown {
  const controller = new AbortController();
  let state: 'running' | 'draining' | 'forced' = 'running';
  let drainingSinceMs = 0;
  let cancelTimeout = (): void => {};

  const force = (why: string): void => {
    if (state !== 'draining') return;
    state = 'forced';
    cancelTimeout();
    onForce(why);
  };
  const request = (why: string): void => {
    if (state !== 'running') return;
    state = 'draining';
    drainingSinceMs = clock.nowMs();
    cancelTimeout = clock.setTimeout(() => force(`draining took longer than ${drainTimeoutMs} ms`), drainTimeoutMs);
    controller.abort(new ShutdownReason(why));
  };
  const onSignal = (name: NodeJS.Signals): void => {
    if (state === 'draining' && clock.nowMs() - drainingSinceMs >= INSIST_AFTER_MS) force(`a second ${name}`);
    else request(name);
  };
  const onLifelineEnd = (): void => request('the supervisor is gone');

  for (const name of SIGNALS) process.on(name, onSignal);
  // `resume` because a stream that nobody reads never reports its end.
  lifeline?.on('end', onLifelineEnd).on('close', onLifelineEnd).on('error', onLifelineEnd).resume();

  return {
    signal: controller.signal,
    request,
    release() {
      cancelTimeout();
      for (const name of SIGNALS) process.off(name, onSignal);
      lifeline?.off('end', onLifelineEnd).off('close', onLifelineEnd).off('error', onLifelineEnd).pause();
    },
  };
}

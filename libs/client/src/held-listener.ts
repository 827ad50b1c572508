import type { ConnectionListener } from './connection.ts';

/**
 * Keeps what comes until the current task is over, then passes everything on in order. A socket may hand over several
 * messages in one task, before the `await` that waits for the first of them has gone on.
 */
export function heldUntilNextTask(listener: ConnectionListener): ConnectionListener {
  let held: (() => void)[] | undefined = [];
  setTimeout(() => {
    const calls = held ?? [];
    held = undefined;
    for (const call of calls) call();
  }, 0);
  const pass = (call: () => void): void => {
    if (held) held.push(call);
    else call();
  };
  return {
    onMessage: (message) => pass(() => listener.onMessage(message)),
    onAudio: (frame) => pass(() => listener.onAudio(frame)),
    onSkipped: (reason) => pass(() => listener.onSkipped(reason)),
    onLost: (error) => pass(() => listener.onLost(error)),
  };
}

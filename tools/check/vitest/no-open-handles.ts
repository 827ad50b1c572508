import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll } from 'vitest';

/** Servers, sockets, pipes and child processes. Not timers, of which the runner has some; Node does not list threads. */
const HANDLES = new Set(['TCPServerWrap', 'TCPSocketWrap', 'PipeWrap', 'UDPWrap', 'ProcessWrap']);
const GRACE_MS = 1000;
const POLL_MS = 20;

// Node opens these when they are first looked at, which is not a test's doing.
void [process.stdin, process.stdout, process.stderr];
const atStart = openHandles();

// Set up before every other hook of the file, and so run after all of them.
afterAll(async () => {
  let left = newHandles();
  // Counted, not measured: the file may have left a fake clock behind.
  for (let waitedMs = 0; left.length > 0 && waitedMs < GRACE_MS; waitedMs += POLL_MS) {
    await sleep(POLL_MS);
    left = newHandles();
  }
  if (left.length > 0) throw new Error(`this file left open: ${left.join(', ')}`);
});

/** What keeps this process alive, leaving out the idle connections that Node holds for later requests. */
function openHandles(): string[] {
  return process.getActiveResourcesInfo().filter((type) => HANDLES.has(type));
}

function newHandles(): string[] {
  const left = openHandles();
  for (const type of atStart) {
    const index = left.indexOf(type);
    if (index >= 0) left.splice(index, 1);
  }
  return left;
}

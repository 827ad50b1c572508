import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { delimiter } from 'node:path';
import { Stop } from './say.mjs';

/**
 * Runs a command of the repository with its own Node first on the PATH, passes signals on, and answers with its exit code.
 * @param {string} program
 * @param {string[]} args
 * @param {{ folder: string, bin: string, ownsSignals: boolean }} options
 * @returns {Promise<number>}
 */
export function launch(program, args, { folder, bin, ownsSignals }) {
  const child = spawn(program, args, {
    cwd: folder,
    // The channel carries nothing: its end tells the command that nobody waits for it any more.
    stdio: ownsSignals ? ['inherit', 'inherit', 'inherit', 'ipc'] : 'inherit',
    env: { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ''}` },
  });
  for (const name of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.on(name, () => {
      // From a terminal Ctrl-C reaches the whole group, and a second one would mean "at once".
      if (name === 'SIGINT' && process.stdin.isTTY && !ownsSignals) return;
      child.kill(name);
    });
  }
  watchParent(() => child.kill('SIGTERM'));
  return new Promise((resolve, reject) => {
    child.on('error', (error) => reject(new Stop(`${program} could not be started: ${error.message}`)));
    child.on('exit', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
}

const PARENT_POLL_MS = 200;

/**
 * npm runs a script through a shell, and a signal that ends the two does not come through to us: we only find that our
 * parent is another one now.
 * @param {() => void} onGone
 */
function watchParent(onGone) {
  if (process.env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    onGone();
  }, PARENT_POLL_MS);
  timer.unref();
}

import { readdir, readFile } from 'node:fs/promises';

/** Put into the environment of every test; whatever a test starts inherits it. */
export const TEST_RUN_MARK = { PARLEY_TEST_RUN: String(process.pid) };

/**
 * Command lines of the processes that tests of this run started and that still run after `graceMs`. Looks into `/proc`,
 * so anywhere but on Linux it finds none.
 */
export async function leftoverProcesses(graceMs: number): Promise<string[]> {
  const deadlineMs = performance.now() + graceMs;
  for (;;) {
    const found = await markedProcesses();
    if (found.length === 0 || performance.now() > deadlineMs) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function markedProcesses(): Promise<string[]> {
  const marks = Object.entries(TEST_RUN_MARK).map(([name, value]) => `${name}=${value}`);
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      // A process may end at any moment, or belong to somebody else.
      const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
      if (!environment.split('\0').some((entry) => marks.includes(entry))) return [];
      const commandLine = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ').trim();
      const isTestRunner = commandLine.includes('/vitest/dist/');
      return commandLine === '' || isTestRunner ? [] : [`${pid} ${commandLine}`];
    }),
  );
  return found.flat();
}

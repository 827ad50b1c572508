import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StartError } from './start-error.ts';

/**
 * Takes a data folder for this process, and returns what gives it back. The lock of a process that is gone is taken over.
 * Throws a `StartError` when another process has it.
 */
export async function lockDataDir(dataDir: string): Promise<() => Promise<void>> {
  await mkdir(dataDir, { recursive: true }).catch((cause: Error) => {
    throw new StartError(`The data folder ${dataDir} cannot be made: ${cause.message}`, { cause });
  });
  const path = join(dataDir, 'lock');
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, JSON.stringify({ pid: process.pid, born: await birthOf(process.pid) }));
  try {
    // A link appears with its content or not at all, unlike a file that is created and then written.
    while (!(await tryLink(draft, path))) {
      const holder = await readHolder(path);
      if (holder && (await birthOf(holder.pid)) === holder.born) {
        throw new StartError(
          `Parley is already running on ${dataDir} (process ${holder.pid}).\n` +
            'Stop it, or give this one a folder of its own: PARLEY_DATA_DIR=…',
        );
      }
      await rm(path, { force: true });
    }
  } finally {
    await rm(draft, { force: true });
  }
  return () => rm(path, { force: true });
}

async function tryLink(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

interface Holder {
  readonly pid: number;
  readonly born: string;
}

async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    const { pid, born } = JSON.parse(await readFile(path, 'utf8'));
    return typeof pid === 'number' && typeof born === 'string' ? { pid, born } : undefined;
  } catch {
    return undefined;
  }
}

/** Tells a process from a later one with the same id, where the system says when it began; `gone` when there is none. */
async function birthOf(pid: number): Promise<string> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return 'gone';
  }
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // Field 22, counted behind the program's name, which may hold anything.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? 'unknown';
}

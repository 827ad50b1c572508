import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { heldAlone } from './held-alone.ts';
import { ModelError } from './model-error.ts';

/**
 * How far a download is trusted: its checksum came from Parley's own list, or from the release that publishes it, or
 * there was none, and what came first is what must come again.
 */
const TRUSTS = ['manifest', 'release', 'first-use'] as const;
export type Trust = (typeof TRUSTS)[number];

const FileFacts = z.object({ sizeBytes: z.int().nonnegative(), sha256: z.string().regex(/^[0-9a-f]{64}$/) });
const Entry = z.object({
  url: z.string(),
  sizeBytes: FileFacts.shape.sizeBytes,
  sha256: FileFacts.shape.sha256,
  trust: z.enum(TRUSTS),
  firstSeenAt: z.string(),
  /** What was unpacked; gone when the model was removed, while the checksum above stays. */
  files: z.record(z.string(), FileFacts).optional(),
});
const LockFile = z.object({ version: z.literal(1), models: z.record(z.string(), Entry) });

export type FileFacts = z.infer<typeof FileFacts>;
export type LockEntry = z.infer<typeof Entry>;

/** Where the checksums of what was fetched are kept. */
export function lockFilePath(dir: string): string {
  return join(dir, 'models.lock.json');
}

/** What was noted of a model when it was first fetched. */
export async function lockEntry(dir: string, name: string): Promise<LockEntry | undefined> {
  const { models } = await readLockFile(dir);
  return Object.hasOwn(models, name) ? models[name] : undefined;
}

/** Changes, or with `undefined` deletes, what is noted of a model. */
export async function noteInLockFile(dir: string, name: string, entry: LockEntry | undefined): Promise<void> {
  await mkdir(dir, { recursive: true });
  await heldAlone(lockFilePath(dir), {}, async () => {
    const { models: old } = await readLockFile(dir);
    const others = Object.entries(old).filter(([other]) => other !== name);
    const models = Object.fromEntries([...others, ...(entry ? [[name, entry] as const] : [])].toSorted(byName));
    const temporary = `${lockFilePath(dir)}.new`;
    await writeFile(temporary, `${JSON.stringify({ version: 1, models }, null, 2)}\n`);
    await rename(temporary, lockFilePath(dir));
  });
}

async function readLockFile(dir: string): Promise<z.infer<typeof LockFile>> {
  let text: string;
  try {
    text = await readFile(lockFilePath(dir), 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return { version: 1, models: {} };
    throw ModelError.fromDisk(error);
  }
  try {
    return LockFile.parse(JSON.parse(text));
  } catch (cause) {
    throw new ModelError('bad_lock_file', `${lockFilePath(dir)} cannot be understood`, {
      advice: 'Bring it back from a backup, or delete it: models are then fetched and noted anew.',
      cause,
    });
  }
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}

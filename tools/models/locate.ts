import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { heldAlone } from './held-alone.ts';
import { type LockEntry, lockEntry, noteInLockFile } from './lock-file.ts';
import { findModel, MODELS, type Model } from './manifest.ts';
import { ModelError } from './model-error.ts';
import { missingFiles } from './model-kinds.ts';

/** A model that can be loaded. */
export interface ModelLocation {
  readonly dir: string;
  /**
   * All files are there with the sizes noted when their checksums were right. False for a folder that somebody put
   * there by hand, of which nothing is noted.
   */
  readonly verified: boolean;
}

/** Where a model lies that has all the files it needs; undefined when it is not there, or something is missing. */
export async function locateModel(
  name: string,
  dir: string,
  manifest: readonly Model[] = MODELS,
): Promise<ModelLocation | undefined> {
  const model = findModel(name, manifest);
  if (model === undefined) return undefined;
  const modelDir = join(dir, name);
  const sizes = await sizesIn(modelDir);
  if (missingFiles(model.kind, sizes.keys()).length > 0) return undefined;
  const noted = (await lockEntry(dir, name))?.files;
  if (noted === undefined) return { dir: modelDir, verified: false };
  const whole = Object.entries(noted).every(([path, { sizeBytes }]) => sizes.get(path) === sizeBytes);
  return whole ? { dir: modelDir, verified: true } : undefined;
}

/** What a look at every byte of a model has found. */
export type Verification =
  | { readonly state: 'whole'; readonly entry: LockEntry; readonly files: number }
  | { readonly state: 'damaged'; readonly faults: readonly string[] }
  | { readonly state: 'unknown' }
  | { readonly state: 'absent' };

/** Compares every file of a model with the checksum noted when it was unpacked. */
export async function verifyModel(name: string, dir: string, signal?: AbortSignal): Promise<Verification> {
  const modelDir = join(dir, name);
  const sizes = await sizesIn(modelDir);
  const entry = await lockEntry(dir, name);
  if (entry?.files === undefined) return sizes.size === 0 ? { state: 'absent' } : { state: 'unknown' };
  const faults: string[] = [];
  for (const [path, facts] of Object.entries(entry.files)) {
    signal?.throwIfAborted();
    const sizeBytes = sizes.get(path);
    if (sizeBytes === undefined) faults.push(`${path} is missing`);
    else if (sizeBytes !== facts.sizeBytes) faults.push(`${path} has ${sizeBytes} bytes instead of ${facts.sizeBytes}`);
    else if ((await sha256Of(join(modelDir, path))) !== facts.sha256) faults.push(`${path} has other contents`);
  }
  return faults.length > 0
    ? { state: 'damaged', faults }
    : { state: 'whole', entry, files: Object.keys(entry.files).length };
}

export interface RemoveOptions {
  /** Also forget the checksum, so that another file under the same name is accepted. */
  readonly forget?: boolean;
}

/**
 * Deletes a model and what was fetched of it so far. Its checksum stays noted unless it is to be forgotten. False when
 * there was nothing to delete.
 */
export async function removeModel(name: string, dir: string, { forget = false }: RemoveOptions = {}): Promise<boolean> {
  const work = workPaths(dir, name);
  const modelDir = join(dir, name);
  const entry = await lockEntry(dir, name);
  const present = [modelDir, work.part, work.unpacked].some(existsSync);
  if (!present && (entry === undefined || !forget)) return false;
  await mkdir(dirOfWork(dir), { recursive: true });
  await heldAlone(work.lock, {}, async () => {
    if (entry !== undefined) await noteInLockFile(dir, name, forget ? undefined : { ...entry, files: undefined });
    for (const path of [modelDir, work.part, work.note, work.unpacked, work.replaced]) {
      await rm(path, { recursive: true, force: true });
    }
  });
  return true;
}

/** Where a model is put together; all on the disk that holds the models, so that it can be moved in one step. */
export interface WorkPaths {
  /** Held by whoever works on this model. */
  readonly lock: string;
  readonly part: string;
  readonly note: string;
  readonly unpacked: string;
  readonly replaced: string;
}

/** The folder of unfinished downloads. */
export function dirOfWork(dir: string): string {
  return join(dir, '.downloads');
}

/** The files of an unfinished download. */
export function workPaths(dir: string, name: string): WorkPaths {
  const base = join(dirOfWork(dir), name);
  return {
    lock: base,
    part: `${base}.part`,
    note: `${base}.part.json`,
    unpacked: `${base}.unpacked`,
    replaced: `${base}.replaced`,
  };
}

/** The sizes of all files under a folder, by path with forward slashes; empty when there is no folder. */
export async function sizesIn(dir: string): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  try {
    for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      const facts = entry.isSymbolicLink() || entry.isFile() ? await stat(path) : undefined;
      if (facts?.isFile()) sizes.set(relative(dir, path).split(sep).join('/'), facts.size);
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return sizes;
    throw ModelError.fromDisk(error);
  }
  return sizes;
}

/** The sha256 of a file, in hexadecimal. */
export async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest('hex');
}

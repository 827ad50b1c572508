import { copyFile, mkdir, rename, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type Downloaded, type DownloadRetries, discardPart, download } from './download.ts';
import { heldAlone } from './held-alone.ts';
import type { HttpTimeouts } from './http-request.ts';
import { dirOfWork, locateModel, type ModelLocation, sha256Of, sizesIn, workPaths } from './locate.ts';
import { type FileFacts, lockEntry, noteInLockFile, type Trust } from './lock-file.ts';
import { findModel, MODELS, type Model } from './manifest.ts';
import { ModelError } from './model-error.ts';
import { missingFiles } from './model-kinds.ts';
import { addressOf, fileInFolder, type ModelSource, withAdvice } from './model-source.ts';
import { releaseChecksum } from './release-checksum.ts';
import { unpack } from './unpack.ts';
import { workerEnvironment } from './worker-environment.ts';

/** More than any model of the list has, packed. */
const MAX_DOWNLOAD_BYTES = 4_000_000_000;

/** What is being done with a model. A total is missing where the server does not say. */
export type ModelProgress = { readonly name: string } & (
  | { readonly phase: 'waiting' }
  | { readonly phase: 'asking' }
  | { readonly phase: 'downloading' | 'unpacking'; readonly doneBytes: number; readonly totalBytes: number | undefined }
  | { readonly phase: 'retrying'; readonly reason: string }
);

export interface EnsureOptions {
  /** The folder that holds the models. */
  readonly dir: string;
  readonly source?: ModelSource;
  /** Stops the work. What came so far stays for the next time. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: ModelProgress) => void;
  readonly manifest?: readonly Model[];
  readonly timeouts?: HttpTimeouts;
  readonly retries?: DownloadRetries;
}

/** How it went with one model. */
export type ModelResult =
  | {
      readonly name: string;
      readonly outcome: 'present' | 'installed';
      readonly location: ModelLocation;
      /** Undefined for a folder that somebody put there by hand. */
      readonly trust: Trust | undefined;
      /** The settings with which the worker of its stage loads it. */
      readonly environment: Readonly<Record<string, string>>;
    }
  | { readonly name: string; readonly outcome: 'failed'; readonly error: ModelError };

/**
 * Sees to it that models are there, one after the other, each after those it does not work without. A model that cannot
 * be had is a result, not an exception; only an abort is thrown, with the signal's reason. Several processes may do this
 * at once.
 */
export async function ensureModels(names: readonly string[], options: EnsureOptions): Promise<ModelResult[]> {
  const manifest = options.manifest ?? MODELS;
  const results: ModelResult[] = [];
  for (const name of withCompanions(names, manifest)) {
    options.signal?.throwIfAborted();
    results.push(await ensureModel(name, options, manifest));
  }
  return results;
}

function withCompanions(names: readonly string[], manifest: readonly Model[]): Set<string> {
  return new Set(names.flatMap((name) => [...(findModel(name, manifest)?.companions ?? []), name]));
}

async function ensureModel(name: string, options: EnsureOptions, manifest: readonly Model[]): Promise<ModelResult> {
  const model = findModel(name, manifest);
  if (model === undefined) {
    const error = new ModelError('unknown_model', `"${name}" is not a model that Parley knows`, {
      advice: 'See npm run models -- list.',
    });
    return { name, outcome: 'failed', error };
  }
  const source = options.source ?? { kind: 'origin' };
  try {
    const before = await locateModel(name, options.dir, manifest);
    const location = before ?? (await new Installation(model, source, options).run());
    return {
      name,
      outcome: before === undefined ? 'installed' : 'present',
      location,
      trust: location.verified ? (await lockEntry(options.dir, name))?.trust : undefined,
      environment: workerEnvironment(model, options.dir, manifest),
    };
  } catch (error) {
    options.signal?.throwIfAborted();
    const failure = withAdvice(ModelError.fromDisk(error), model, source);
    if (!(failure instanceof ModelError)) throw failure;
    return { name, outcome: 'failed', error: failure };
  }
}

/** What is known of a file before it is fetched. */
interface Expectation {
  readonly sizeBytes?: number | undefined;
  readonly sha256?: string | undefined;
  readonly trust: Trust;
}

class Installation {
  readonly #model: Model;
  readonly #source: ModelSource;
  readonly #options: EnsureOptions;
  readonly #modelDir: string;

  constructor(model: Model, source: ModelSource, options: EnsureOptions) {
    this.#model = model;
    this.#source = source;
    this.#options = options;
    this.#modelDir = join(options.dir, model.name);
  }

  async run(): Promise<ModelLocation> {
    const { dir, signal, manifest } = this.#options;
    const { name } = this.#model;
    await mkdir(dirOfWork(dir), { recursive: true });
    const onWaiting = (): void => this.#options.onProgress?.({ name, phase: 'waiting' });
    return await heldAlone(workPaths(dir, name).lock, { signal, onWaiting }, async (held) => {
      // Whoever was waited for has most likely done the work.
      const location = await locateModel(name, dir, manifest);
      return location ?? (await this.#install(held));
    });
  }

  async #install(signal: AbortSignal): Promise<ModelLocation> {
    const { dir } = this.#options;
    const { name, url, kind } = this.#model;
    const work = workPaths(dir, name);
    const noted = await lockEntry(dir, name);
    if (noted?.files === undefined && (await sizesIn(this.#modelDir)).size > 0) {
      throw new ModelError('in_the_way', `${this.#modelDir} is not this model, and nothing is noted of it`, {
        advice: 'Move that folder away, and run the same again.',
      });
    }

    const expected = await this.#expectation(signal);
    const fetched = await this.#fetch(expected, signal);
    await rm(work.unpacked, { recursive: true, force: true });
    await mkdir(work.unpacked, { recursive: true });
    try {
      const files = await this.#unpack(fetched, signal);
      const missing = missingFiles(kind, Object.keys(files));
      if (missing.length > 0) {
        throw new ModelError('incomplete', `${url} lacks what a model of its kind needs: ${missing.join(', ')}`);
      }
      const { sizeBytes, sha256 } = fetched;
      const firstSeenAt = noted?.firstSeenAt ?? new Date().toISOString();
      await noteInLockFile(dir, name, { url, sizeBytes, sha256, trust: expected.trust, firstSeenAt, files });
      await this.#putInPlace();
    } catch (error) {
      // What came whole and yet cannot be used would only be in the way of a better one.
      if (error instanceof ModelError && (error.code === 'bad_archive' || error.code === 'incomplete')) {
        await discardPart(work.part);
      }
      throw error;
    } finally {
      await rm(work.unpacked, { recursive: true, force: true });
    }
    await discardPart(work.part);
    return { dir: this.#modelDir, verified: true };
  }

  async #expectation(signal: AbortSignal): Promise<Expectation> {
    const { exact, name, url } = this.#model;
    if (exact !== undefined) return { ...exact, trust: 'manifest' };
    const noted = await lockEntry(this.#options.dir, name);
    if (noted !== undefined) return noted;
    if (this.#source.kind === 'folder') return { trust: 'first-use' };
    this.#options.onProgress?.({ name, phase: 'asking' });
    const said = await releaseChecksum({
      url,
      source: this.#source,
      signal,
      ...(this.#options.timeouts && { timeouts: this.#options.timeouts }),
    });
    return { ...said, trust: said?.sha256 === undefined ? 'first-use' : 'release' };
  }

  async #fetch(expected: Expectation, signal: AbortSignal): Promise<Downloaded & { readonly path: string }> {
    const { dir, onProgress, timeouts, retries } = this.#options;
    const { name, url } = this.#model;
    if (this.#source.kind === 'folder') return await takeFromFolder(fileInFolder(url, this.#source.dir), expected);
    const { part } = workPaths(dir, name);
    const downloaded = await download({
      url: addressOf(url, this.#source),
      partPath: part,
      expected,
      maxBytes: MAX_DOWNLOAD_BYTES,
      signal,
      onBytes: (doneBytes, totalBytes) => onProgress?.({ name, phase: 'downloading', doneBytes, totalBytes }),
      onRetry: (reason) => onProgress?.({ name, phase: 'retrying', reason }),
      ...(timeouts && { timeouts }),
      ...(retries && { retries }),
    });
    return { ...downloaded, path: part };
  }

  async #unpack(
    fetched: Downloaded & { readonly path: string },
    signal: AbortSignal,
  ): Promise<Record<string, FileFacts>> {
    const { name, archive, url } = this.#model;
    const { unpacked } = workPaths(this.#options.dir, name);
    if (archive === 'tar.bz2') {
      return await unpack({
        archivePath: fetched.path,
        into: unpacked,
        signal,
        onBytes: (doneBytes) =>
          this.#options.onProgress?.({ name, phase: 'unpacking', doneBytes, totalBytes: fetched.sizeBytes }),
      });
    }
    const file = basename(new URL(url).pathname);
    await copyFile(fetched.path, join(unpacked, file));
    return { [file]: { sizeBytes: fetched.sizeBytes, sha256: fetched.sha256 } };
  }

  /** A damaged model is moved aside first: a folder cannot be replaced in one step. */
  async #putInPlace(): Promise<void> {
    const { unpacked, replaced } = workPaths(this.#options.dir, this.#model.name);
    await rm(replaced, { recursive: true, force: true });
    await rename(this.#modelDir, replaced).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
    await rename(unpacked, this.#modelDir);
    await rm(replaced, { recursive: true, force: true });
  }
}

async function takeFromFolder(path: string, expected: Expectation): Promise<Downloaded & { readonly path: string }> {
  const facts = await stat(path).catch(() => undefined);
  if (facts === undefined || !facts.isFile()) throw new ModelError('not_found', `${path} is not there`);
  if (expected.sizeBytes !== undefined && facts.size !== expected.sizeBytes) {
    throw new ModelError('wrong_size', `${path} has ${facts.size} bytes where ${expected.sizeBytes} are right`);
  }
  const sha256 = await sha256Of(path);
  if (expected.sha256 !== undefined && sha256 !== expected.sha256) {
    throw new ModelError(
      'wrong_hash',
      `${path} is not what it should be: its sha256 is ${sha256}, the right one is ${expected.sha256}`,
    );
  }
  return { path, sizeBytes: facts.size, sha256 };
}

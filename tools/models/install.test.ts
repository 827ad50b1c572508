import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type EnsureOptions, ensureModels, type ModelProgress } from './install.ts';
import { locateModel, removeModel, sha256Of, verifyModel } from './locate.ts';
import { lockEntry, lockFilePath } from './lock-file.ts';
import type { Model } from './manifest.ts';
import { type FileServer, startFileServer } from './testing/file-server.ts';

const ARCHIVE = join(import.meta.dirname, 'fixtures/transducer.tar.bz2');
const RELEASE_PATH = '/k2/sherpa/releases/download/asr/';
const API_PATH = '/repos/k2/sherpa/releases/tags/asr';

const recogniser: Model = {
  name: 'recogniser',
  kind: 'online-transducer',
  url: `https://github.com${RELEASE_PATH}recogniser.tar.bz2`,
  archive: 'tar.bz2',
  approximateBytes: 97_113,
  licence: 'none',
  languages: ['en'],
  speed: 'light',
};
const vocoder: Model = {
  ...recogniser,
  name: 'vocoder',
  kind: 'vocoder',
  url: `https://github.com${RELEASE_PATH}vocoder.onnx`,
  archive: 'file',
};
const singer: Model = { ...recogniser, name: 'singer', companions: ['vocoder'] };
const manifest = [recogniser, vocoder, singer];

let server: FileServer;
let dir: string;
let offlineDir: string;
let archive: Buffer;
let sha256: string;

beforeEach(async () => {
  server = await startFileServer();
  dir = await mkdtemp(join(tmpdir(), 'parley-models-'));
  offlineDir = await mkdtemp(join(tmpdir(), 'parley-offline-'));
  archive = await readFile(ARCHIVE);
  sha256 = await sha256Of(ARCHIVE);
});

afterEach(async () => {
  await server.close();
  await rm(dir, { recursive: true, force: true });
  await rm(offlineDir, { recursive: true, force: true });
});

function ensure(names: readonly string[], options: Partial<EnsureOptions> = {}): ReturnType<typeof ensureModels> {
  return ensureModels(names, {
    dir,
    manifest,
    source: { kind: 'mirror', baseUrl: server.baseUrl },
    retries: { initialMs: 1, maxMs: 5, fruitless: 3 },
    ...options,
  });
}

function serveArchive(): void {
  server.serve(`${RELEASE_PATH}recogniser.tar.bz2`, { body: archive });
}

function serveRelease(assets: readonly { name: string; size: number; digest: string | null }[]): void {
  server.serve(API_PATH, {
    body: Buffer.from(
      JSON.stringify({ assets_url: 'https://api.github.com/repos/k2/sherpa/releases/7/assets', assets }),
    ),
  });
}

describe('a model', () => {
  it('is fetched, unpacked, noted and told how to be loaded', async () => {
    serveArchive();
    const steps: ModelProgress[] = [];
    const [result] = await ensure(['recogniser'], { onProgress: (step) => steps.push(step) });
    const modelDir = join(dir, 'recogniser');
    expect(result).toEqual({
      name: 'recogniser',
      outcome: 'installed',
      location: { dir: modelDir, verified: true },
      trust: 'first-use',
      environment: {
        PARLEY_STT_ENGINE: 'sherpa',
        PARLEY_STT_MODEL_DIR: modelDir,
        PARLEY_STT_MODEL_KIND: 'online-transducer',
      },
    });
    expect((await readdir(modelDir)).toSorted()).toEqual(['decoder.onnx', 'encoder.onnx', 'joiner.onnx', 'tokens.txt']);
    expect(await lockEntry(dir, 'recogniser')).toMatchObject({
      sha256,
      sizeBytes: archive.length,
      url: recogniser.url,
    });
    expect(await readdir(join(dir, '.downloads'))).toEqual([]);
    expect(new Set(steps.map(({ phase }) => phase))).toEqual(new Set(['asking', 'downloading', 'unpacking']));
    expect(await verifyModel('recogniser', dir)).toMatchObject({ state: 'whole', files: 4 });
  });

  it('is not fetched again when it is there', async () => {
    serveArchive();
    await ensure(['recogniser']);
    const before = server.requests.length;
    expect(await ensure(['recogniser'])).toMatchObject([{ outcome: 'present', location: { verified: true } }]);
    expect(server.requests).toHaveLength(before);
  });

  it('is fetched once when two want it at the same time', async () => {
    server.serve(`${RELEASE_PATH}recogniser.tar.bz2`, { body: archive, chunkBytes: 10_000, pauseMs: 10 });
    const steps: ModelProgress[] = [];
    const results = await Promise.all([
      ensure(['recogniser'], { onProgress: (step) => steps.push(step) }),
      ensure(['recogniser'], { onProgress: (step) => steps.push(step) }),
    ]);
    expect(results.flat().map(({ outcome }) => outcome)).toEqual(['installed', 'installed']);
    expect(server.requests.filter((path) => path.includes('tar.bz2'))).toHaveLength(1);
    expect(steps.filter(({ phase }) => phase === 'waiting')).toHaveLength(1);
  });

  it('brings along what it does not work without', async () => {
    serveArchive();
    server.serve(`${RELEASE_PATH}vocoder.onnx`, { body: randomBytes(1000) });
    const results = await ensure(['singer']);
    expect(results.map(({ name, outcome }) => [name, outcome])).toEqual([
      ['vocoder', 'installed'],
      ['singer', 'installed'],
    ]);
  });

  it('is taken from a folder without any network', async () => {
    await copyFile(ARCHIVE, join(offlineDir, 'recogniser.tar.bz2'));
    const [result] = await ensure(['recogniser'], { source: { kind: 'folder', dir: offlineDir } });
    expect(result).toMatchObject({ outcome: 'installed', trust: 'first-use' });
    expect(server.requests).toEqual([]);
    expect(existsSync(join(offlineDir, 'recogniser.tar.bz2'))).toBe(true);
  });

  it('is used as it is when somebody put it there by hand', async () => {
    const modelDir = join(dir, 'recogniser');
    await mkdir(modelDir);
    for (const file of ['encoder.onnx', 'decoder.onnx', 'joiner.onnx', 'tokens.txt']) {
      await writeFile(join(modelDir, file), 'x');
    }
    expect(await ensure(['recogniser'])).toMatchObject([
      { outcome: 'present', location: { dir: modelDir, verified: false }, trust: undefined },
    ]);
    expect(await verifyModel('recogniser', dir)).toEqual({ state: 'unknown' });
  });

  it('is fetched anew when a file of it is missing or cut short', async () => {
    serveArchive();
    await ensure(['recogniser']);
    await writeFile(join(dir, 'recogniser/encoder.onnx'), 'cut');
    expect(await locateModel('recogniser', dir, manifest)).toBeUndefined();
    expect(await ensure(['recogniser'])).toMatchObject([{ outcome: 'installed', location: { verified: true } }]);
    expect(await verifyModel('recogniser', dir)).toMatchObject({ state: 'whole' });
  });

  it('is found damaged when a byte of it has changed', async () => {
    serveArchive();
    await ensure(['recogniser']);
    const path = join(dir, 'recogniser/joiner.onnx');
    const bytes = await readFile(path);
    bytes[5] = (bytes[5] ?? 0) ^ 1;
    await writeFile(path, bytes);
    expect(await verifyModel('recogniser', dir)).toEqual({
      state: 'damaged',
      faults: ['joiner.onnx has other contents'],
    });
  });

  it('goes on in the next run after an interruption', async () => {
    server.serve(`${RELEASE_PATH}recogniser.tar.bz2`, { body: archive, chunkBytes: 10_000, pauseMs: 10 });
    const interrupt = new AbortController();
    const running = ensure(['recogniser'], {
      signal: interrupt.signal,
      onProgress: (step) => {
        if (step.phase === 'downloading' && step.doneBytes > 40_000) interrupt.abort(new Error('interrupted'));
      },
    });
    await expect(running).rejects.toThrow('interrupted');
    expect(existsSync(join(dir, 'recogniser'))).toBe(false);
    expect(await ensure(['recogniser'])).toMatchObject([{ outcome: 'installed' }]);
    expect(server.requests.at(-1)).toMatch(/bytes=[4-9]\d{4}-$/);
  });

  it('leaves nothing half unpacked when it is interrupted then', async () => {
    serveArchive();
    const interrupt = new AbortController();
    const running = ensure(['recogniser'], {
      signal: interrupt.signal,
      onProgress: (step) => {
        if (step.phase === 'unpacking') interrupt.abort(new Error('interrupted'));
      },
    });
    await expect(running).rejects.toThrow('interrupted');
    expect(existsSync(join(dir, 'recogniser'))).toBe(false);
    const before = server.requests.length;
    expect(await ensure(['recogniser'])).toMatchObject([{ outcome: 'installed' }]);
    // The archive was whole already; only its release may be asked again.
    expect(server.requests.slice(before).filter((path) => path.includes('tar.bz2'))).toEqual([]);
  });
});

describe('the checksum of a model', () => {
  it('is the one in the manifest, where it has one', async () => {
    serveArchive();
    const exact = { sizeBytes: archive.length, sha256 };
    expect(await ensure(['recogniser'], { manifest: [{ ...recogniser, exact }] })).toMatchObject([
      { outcome: 'installed', trust: 'manifest' },
    ]);
  });

  it('fails the model when the manifest says another', async () => {
    serveArchive();
    const exact = { sizeBytes: archive.length, sha256: '0'.repeat(64) };
    const [result] = await ensure(['recogniser'], { manifest: [{ ...recogniser, exact }] });
    expect(result).toMatchObject({
      outcome: 'failed',
      error: { code: 'wrong_hash', advice: expect.stringContaining("Parley's list") },
    });
    expect(await readdir(join(dir, '.downloads'))).toEqual([]);
  });

  it('is the one that the release states', async () => {
    serveArchive();
    serveRelease([{ name: 'recogniser.tar.bz2', size: archive.length, digest: `sha256:${sha256}` }]);
    expect(await ensure(['recogniser'])).toMatchObject([{ outcome: 'installed', trust: 'release' }]);
  });

  it('is looked for on the further pages of a long release', async () => {
    serveArchive();
    serveRelease([]);
    const other = { name: 'other', size: 1, digest: null };
    const page = (assets: readonly object[]) => ({ body: Buffer.from(JSON.stringify(assets)) });
    server.serve(
      '/repos/k2/sherpa/releases/7/assets',
      page(Array.from({ length: 100 }, () => other)),
      page([{ name: 'recogniser.tar.bz2', size: archive.length, digest: `sha256:${sha256}` }]),
    );
    expect(await ensure(['recogniser'])).toMatchObject([{ outcome: 'installed', trust: 'release' }]);
  });

  it('fails the model when the release states another', async () => {
    serveArchive();
    serveRelease([{ name: 'recogniser.tar.bz2', size: archive.length, digest: `sha256:${'1'.repeat(64)}` }]);
    expect(await ensure(['recogniser'])).toMatchObject([{ outcome: 'failed', error: { code: 'wrong_hash' } }]);
    expect(existsSync(lockFilePath(dir))).toBe(false);
  });

  it('is noted at first use when the release states only a size, or nonsense', async () => {
    serveArchive();
    serveRelease([{ name: 'recogniser.tar.bz2', size: archive.length, digest: null }]);
    expect(await ensure(['recogniser'])).toMatchObject([{ outcome: 'installed', trust: 'first-use' }]);
    await removeModel('recogniser', dir, { forget: true });
    server.serve(API_PATH, { body: Buffer.from('<html>sign in to the hotel network</html>') });
    expect(await ensure(['recogniser'])).toMatchObject([{ outcome: 'installed', trust: 'first-use' }]);
  });

  it('must be the same again once it was noted, until it is forgotten', async () => {
    serveArchive();
    await ensure(['recogniser']);
    expect(await removeModel('recogniser', dir)).toBe(true);
    expect(existsSync(join(dir, 'recogniser'))).toBe(false);

    const other = await readFile(join(import.meta.dirname, 'fixtures/voice.tar.bz2'));
    server.serve(`${RELEASE_PATH}recogniser.tar.bz2`, {
      body: Buffer.concat([other, archive]).subarray(0, archive.length),
    });
    expect(await ensure(['recogniser'])).toMatchObject([
      {
        outcome: 'failed',
        error: { code: 'wrong_hash', advice: expect.stringContaining('remove recogniser --forget') },
      },
    ]);
    await removeModel('recogniser', dir, { forget: true });
    expect(await lockEntry(dir, 'recogniser')).toBeUndefined();
    serveArchive();
    expect(await ensure(['recogniser'])).toMatchObject([{ outcome: 'installed' }]);
  });

  it('holds for a file from a folder too', async () => {
    await writeFile(join(offlineDir, 'recogniser.tar.bz2'), randomBytes(archive.length));
    const exact = { sizeBytes: archive.length, sha256 };
    const options = { manifest: [{ ...recogniser, exact }], source: { kind: 'folder', dir: offlineDir } } as const;
    expect(await ensure(['recogniser'], options)).toMatchObject([{ outcome: 'failed', error: { code: 'wrong_hash' } }]);
    // It is the person's own file.
    expect(existsSync(join(offlineDir, 'recogniser.tar.bz2'))).toBe(true);
  });
});

describe('a model fails, and nothing of it is noted,', () => {
  it.each([
    ['no archive at all', () => randomBytes(5000)],
    ['an archive cut short', () => archive.subarray(0, 60_000)],
    ['an empty file', () => Buffer.alloc(0)],
  ])('when it is %s', async (_what, make) => {
    server.serve(`${RELEASE_PATH}recogniser.tar.bz2`, { body: make() });
    expect(await ensure(['recogniser'])).toMatchObject([
      { outcome: 'failed', error: { code: expect.stringMatching(/bad_archive|incomplete/) } },
    ]);
    expect(existsSync(lockFilePath(dir))).toBe(false);
    expect(await readdir(dir)).toEqual(['.downloads']);
    expect(await readdir(join(dir, '.downloads'))).toEqual([]);
  });

  it('when it lacks a file that it needs', async () => {
    server.serve(`${RELEASE_PATH}recogniser.tar.bz2`, {
      body: await readFile(join(import.meta.dirname, 'fixtures/voice.tar.bz2')),
    });
    expect(await ensure(['recogniser'])).toMatchObject([
      { outcome: 'failed', error: { code: 'incomplete', message: expect.stringContaining('joiner') } },
    ]);
  });

  it('when another folder is in its place', async () => {
    await mkdir(join(dir, 'recogniser'));
    await writeFile(join(dir, 'recogniser/thesis.txt'), 'precious');
    serveArchive();
    expect(await ensure(['recogniser'])).toMatchObject([{ outcome: 'failed', error: { code: 'in_the_way' } }]);
    expect(await readFile(join(dir, 'recogniser/thesis.txt'), 'utf8')).toBe('precious');
  });

  it('when there is no network, saying what to do', async () => {
    const { baseUrl } = server;
    await server.close();
    const [result] = await ensure(['recogniser'], { source: { kind: 'mirror', baseUrl } });
    expect(result).toMatchObject({
      outcome: 'failed',
      error: { code: 'unreachable', advice: expect.stringContaining('PARLEY_MODELS_OFFLINE_DIR') },
    });
  });

  it('when its name is not known, while the others are fetched', async () => {
    serveArchive();
    const results = await ensure(['../recogniser', 'recogniser']);
    expect(results).toMatchObject([{ outcome: 'failed', error: { code: 'unknown_model' } }, { outcome: 'installed' }]);
  });

  it('when the lock file cannot be understood', async () => {
    await writeFile(lockFilePath(dir), '{ "version": 9 }');
    serveArchive();
    expect(await ensure(['recogniser'])).toMatchObject([{ outcome: 'failed', error: { code: 'bad_lock_file' } }]);
  });
});

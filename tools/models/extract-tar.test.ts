import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { type Header, pack } from 'tar-stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { extractTar } from './extract-tar.ts';

const LIMITS = { maxBytes: 1_000_000, maxEntries: 100 };
let base: string;
let into: string;

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'parley-tar-'));
  into = join(base, 'model');
});

afterEach(() => rm(base, { recursive: true, force: true }));

type Entry = readonly [header: (Partial<Header> & { name: string }) | string, contents?: string];

async function extract(entries: readonly Entry[], limits = LIMITS): Promise<Record<string, { sizeBytes: number }>> {
  const archive = pack();
  for (const [header, contents] of entries) {
    archive.entry(typeof header === 'string' ? { name: header } : header, contents ?? '');
  }
  archive.finalize();
  return extractTar(Readable.from(await buffer(archive), { objectMode: false }), into, limits);
}

describe('an archive', () => {
  it('is written without its outermost folder, with sizes and checksums', async () => {
    const files = await extract([
      [{ name: 'model/', type: 'directory' }],
      ['./model/tokens.txt', 'a 0\n'],
      ['model/deep/down/file', 'contents'],
      ['model/empty', ''],
    ]);
    expect(files).toEqual({
      'tokens.txt': { sizeBytes: 4, sha256: createHash('sha256').update('a 0\n').digest('hex') },
      'deep/down/file': { sizeBytes: 8, sha256: createHash('sha256').update('contents').digest('hex') },
      empty: { sizeBytes: 0, sha256: createHash('sha256').update('').digest('hex') },
    });
    expect(await readFile(join(into, 'deep/down/file'), 'utf8')).toBe('contents');
  });

  it('leaves out links, devices and what macOS adds', async () => {
    const files = await extract([
      ['model/tokens.txt', 'a 0\n'],
      [{ name: 'model/link', type: 'symlink', linkname: '/etc/passwd' }],
      [{ name: 'model/hard', type: 'link', linkname: 'model/tokens.txt' }],
      [{ name: 'model/null', type: 'character-device', devmajor: 1, devminor: 3 }],
      ['model/._tokens.txt', 'residue'],
      ['._model', 'residue'],
    ]);
    expect(Object.keys(files)).toEqual(['tokens.txt']);
    expect(await readdir(into)).toEqual(['tokens.txt']);
  });
});

describe('an archive is refused', () => {
  it.each(['../outside', 'model/../../outside', '/etc/outside', 'model/..', 'model\\..\\outside', 'C:/outside'])(
    'when it holds the name %s',
    async (name) => {
      await expect(
        extract([
          ['model/tokens.txt', 'a'],
          [name, 'evil'],
        ]),
      ).rejects.toMatchObject({ code: 'bad_archive' });
      expect(await readdir(base)).toEqual(['model']);
    },
  );

  it('when a link would have led the next file outside', async () => {
    const files = await extract([
      [{ name: 'model/out', type: 'symlink', linkname: '..' }],
      ['model/out/outside', 'evil'],
    ]);
    // The link is not made, so that the file stays where it belongs.
    expect(Object.keys(files)).toEqual(['out/outside']);
    expect(await readdir(base)).toEqual(['model']);
  });

  it('when it is not one folder', async () => {
    await expect(
      extract([
        ['a/one', '1'],
        ['b/two', '2'],
      ]),
    ).rejects.toMatchObject({ code: 'bad_archive' });
    await expect(extract([['loose', '1']])).rejects.toMatchObject({ code: 'bad_archive' });
  });

  it('when it holds a file twice', async () => {
    await expect(
      extract([
        ['a/one', '1'],
        ['a/./one', '2'],
      ]),
    ).rejects.toMatchObject({ code: 'bad_archive' });
  });

  it('when it unpacks to too much', async () => {
    await expect(extract([['a/one', 'x'.repeat(600)]], { ...LIMITS, maxBytes: 500 })).rejects.toMatchObject({
      code: 'bad_archive',
    });
    const many = Array.from({ length: 30 }, (_, index): Entry => [`a/${index}`]);
    await expect(extract(many, { ...LIMITS, maxEntries: 20 })).rejects.toMatchObject({ code: 'bad_archive' });
  });

  it('when it breaks off', async () => {
    const archive = pack();
    archive.entry({ name: 'a/one' }, 'x'.repeat(5000));
    archive.finalize();
    const whole = await buffer(archive);
    await expect(extractTar(Readable.from([whole.subarray(0, 2000)]), into, LIMITS)).rejects.toThrow();
  });
});

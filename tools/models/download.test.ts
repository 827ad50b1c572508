import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type DownloadRequest, download } from './download.ts';
import { type FileServer, startFileServer } from './testing/file-server.ts';

const FILE = '/models/model.onnx';
const body = randomBytes(200_000);
const sha256 = hashOf(body);

let server: FileServer;
let dir: string;
let partPath: string;

beforeEach(async () => {
  server = await startFileServer();
  dir = await mkdtemp(join(tmpdir(), 'parley-download-'));
  partPath = join(dir, 'model.part');
});

afterEach(async () => {
  await server.close();
  await rm(dir, { recursive: true, force: true });
});

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function get(options: Partial<DownloadRequest> = {}): ReturnType<typeof download> {
  return download({
    url: `${server.baseUrl}${FILE}`,
    partPath,
    maxBytes: 1_000_000,
    retries: { initialMs: 1, maxMs: 5, fruitless: 3 },
    ...options,
  });
}

function ranges(): string[] {
  return server.requests.map((request) => request.replace(`${FILE}`, '').trim());
}

describe('a download', () => {
  it('brings the file, its size and its checksum, and tells how far it is', async () => {
    server.serve(FILE, { body });
    const steps: number[] = [];
    const result = await get({ onBytes: (done, total) => steps.push(done, total ?? -1) });
    expect(result).toEqual({ sizeBytes: body.length, sha256 });
    expect(await readFile(partPath)).toEqual(body);
    expect(steps.slice(0, 2)).toEqual([0, body.length]);
    expect(steps.at(-2)).toBe(body.length);
  });

  it('bears a slow server', async () => {
    server.serve(FILE, { body, chunkBytes: 20_000, pauseMs: 30 });
    const result = await get({ timeouts: { headMs: 2000, stallMs: 2000 } });
    expect(result.sha256).toBe(sha256);
  });

  it('goes on where the connection broke off', async () => {
    server.serve(FILE, { body, breaksAfterBytes: 50_000 });
    const reasons: string[] = [];
    const result = await get({ expected: { sha256 }, onRetry: (reason) => reasons.push(reason) });
    expect(result).toEqual({ sizeBytes: body.length, sha256 });
    expect(ranges().slice(0, 2)).toEqual(['', 'bytes=50000-']);
    expect(reasons.length).toBeGreaterThanOrEqual(3);
  });

  it('goes on in a later run, and hashes what was there before', async () => {
    server.serve(FILE, { body, breaksAfterBytes: 80_000 }, (_request, response) => response.writeHead(404).end());
    await expect(get()).rejects.toMatchObject({ code: 'not_found' });
    server.serve(FILE, { body });
    expect(await get()).toEqual({ sizeBytes: body.length, sha256 });
    expect(ranges().at(-1)).toBe('bytes=80000-');
  });

  it('asks for nothing when everything came before', async () => {
    server.serve(FILE, { body });
    await get();
    expect(await get({ expected: { sha256 } })).toEqual({ sizeBytes: body.length, sha256 });
    expect(server.requests).toHaveLength(1);
  });

  it('starts over when the file has changed between two parts', async () => {
    const changed = randomBytes(150_000);
    server.serve(FILE, { body, breaksAfterBytes: 60_000 }, { body: changed });
    expect(await get()).toEqual({ sizeBytes: changed.length, sha256: hashOf(changed) });
    expect(await readFile(partPath)).toEqual(changed);
  });

  it('does not sew two files together when the server ignores If-Range', async () => {
    const changed = randomBytes(body.length);
    server.serve(FILE, { body, breaksAfterBytes: 60_000 }, { body: changed, ignoresIfRange: true });
    expect((await get()).sha256).toBe(hashOf(changed));
  });

  it('tries once more from the start when a sewn file has the wrong checksum', async () => {
    const changed = randomBytes(body.length);
    const etag = '"always the same"';
    server.serve(FILE, { body, etag, breaksAfterBytes: 60_000 }, { body: changed, etag });
    expect((await get({ expected: { sha256: hashOf(changed) } })).sha256).toBe(hashOf(changed));
  });

  it('starts over when the server knows no parts', async () => {
    server.serve(FILE, { body, ranges: false, breaksAfterBytes: 60_000 }, { body, ranges: false });
    expect(await get()).toEqual({ sizeBytes: body.length, sha256 });
    expect(await readFile(partPath)).toEqual(body);
  });

  it('starts over when nothing tells whether the file has changed', async () => {
    server.serve(FILE, { body, etag: null, breaksAfterBytes: 60_000 }, { body, etag: null });
    expect((await get()).sha256).toBe(sha256);
    expect(ranges()).toEqual(['', '']);
  });

  it('starts over when the server has less than we do', async () => {
    server.serve(FILE, { body, breaksAfterBytes: 60_000 }, (_request, response) => response.writeHead(416).end(), {
      body,
    });
    expect((await get()).sha256).toBe(sha256);
    expect(ranges()).toEqual(['', 'bytes=60000-', '']);
  });

  it('tries again after a failure of the server, and after the time that it asks for', async () => {
    server.serve(
      FILE,
      (_request, response) => response.writeHead(503, { 'retry-after': '0' }).end(),
      (_request, response) => response.writeHead(429).end(),
      { body },
    );
    expect((await get()).sha256).toBe(sha256);
    expect(server.requests).toHaveLength(3);
  });

  it('follows redirects', async () => {
    server.serve(FILE, (_request, response) => response.writeHead(302, { location: '/elsewhere?signed=1' }).end());
    server.serve('/elsewhere', { body });
    expect((await get()).sha256).toBe(sha256);
  });
});

describe('a download fails, and leaves no part that could be mistaken,', () => {
  it('when the bytes are wrong', async () => {
    server.serve(FILE, { body });
    const wanted = hashOf(Buffer.from('another file'));
    await expect(get({ expected: { sha256: wanted } })).rejects.toMatchObject({
      code: 'wrong_hash',
      message: expect.stringContaining(wanted),
    });
    expect(existsSync(partPath)).toBe(false);
    expect(server.requests).toHaveLength(1);
  });

  it('when the size is not the right one, before a byte is taken', async () => {
    server.serve(FILE, { body });
    await expect(get({ expected: { sizeBytes: 1234 } })).rejects.toMatchObject({ code: 'wrong_size' });
    expect(existsSync(partPath)).toBe(false);
  });

  it('when more is promised than will be taken', async () => {
    server.serve(FILE, { body });
    await expect(get({ maxBytes: 100_000 })).rejects.toMatchObject({ code: 'too_large' });
    expect(existsSync(partPath)).toBe(false);
  });

  it('when more comes than will be taken and no length was named', async () => {
    server.serve(FILE, { body, contentLength: null });
    await expect(get({ maxBytes: 100_000 })).rejects.toMatchObject({ code: 'too_large' });
    expect(existsSync(partPath)).toBe(false);
  });

  it('when less comes than was known, though the server says that this is all', async () => {
    server.serve(FILE, { body: body.subarray(0, 1000), contentLength: null });
    await expect(get({ expected: { sizeBytes: body.length } })).rejects.toMatchObject({ code: 'wrong_size' });
    expect(existsSync(partPath)).toBe(false);
  });
});

describe('a download fails, and keeps what came,', () => {
  it('when the server promises more than it ever sends', async () => {
    server.serve(FILE, { body, contentLength: body.length + 5000 });
    const timeouts = { headMs: 1000, stallMs: 80 };
    await expect(get({ timeouts })).rejects.toMatchObject({ code: expect.stringMatching(/broken_off|stalled/) });
    expect(server.requests.length).toBeLessThan(10);
  });

  it('when the server falls silent again and again', async () => {
    server.serve(FILE, { body, silentAfterBytes: 30_000 }, { body, silentAfterBytes: 0 });
    await expect(get({ timeouts: { headMs: 200, stallMs: 80 } })).rejects.toMatchObject({ code: 'stalled' });
    expect(await readFile(partPath)).toEqual(body.subarray(0, 30_000));
  });

  it('when the server never begins to answer', async () => {
    server.serve(FILE, () => undefined);
    await expect(get({ timeouts: { headMs: 60, stallMs: 60 } })).rejects.toMatchObject({ code: 'stalled' });
  });

  it('when it is interrupted, and goes on from there', async () => {
    server.serve(FILE, { body, chunkBytes: 10_000, pauseMs: 10 });
    const interrupt = new AbortController();
    const reason = new Error('interrupted');
    const running = get({
      signal: interrupt.signal,
      onBytes: (done) => {
        if (done >= 50_000) interrupt.abort(reason);
      },
    });
    await expect(running).rejects.toBe(reason);
    const kept = await readFile(partPath);
    expect(kept.length).toBeGreaterThanOrEqual(50_000);
    expect(kept).toEqual(body.subarray(0, kept.length));
    expect((await get({ expected: { sha256 } })).sha256).toBe(sha256);
    expect(ranges().at(-1)).toBe(`bytes=${kept.length}-`);
  });
});

describe('a download gives up', () => {
  it('at once when the file is not there', async () => {
    await expect(get()).rejects.toMatchObject({ code: 'not_found' });
    expect(server.requests).toHaveLength(1);
  });

  it('at once when it is refused', async () => {
    server.serve(FILE, (_request, response) => response.writeHead(403).end());
    await expect(get()).rejects.toMatchObject({ code: 'refused' });
    expect(server.requests).toHaveLength(1);
  });

  it('after some failures of the server', async () => {
    server.serve(FILE, (_request, response) => response.writeHead(500).end());
    await expect(get()).rejects.toMatchObject({ code: 'server_failed' });
    expect(server.requests).toHaveLength(3);
  });

  it('when redirects go in circles', async () => {
    server.serve(FILE, (_request, response) => response.writeHead(302, { location: FILE }).end());
    await expect(get()).rejects.toMatchObject({ code: 'bad_response' });
    expect(server.requests).toHaveLength(6);
  });

  it('when a redirect leads to something that is not the web', async () => {
    server.serve(FILE, (_request, response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end());
    await expect(get()).rejects.toMatchObject({ code: 'bad_response' });
  });

  it('when a part came that nobody asked for', async () => {
    server.serve(FILE, (_request, response) => {
      response.writeHead(206, { 'content-range': 'bytes 5-9/10' }).end('hello');
    });
    await expect(get()).rejects.toMatchObject({ code: 'bad_response' });
  });

  it('soon when nobody is there at all', async () => {
    const { baseUrl } = server;
    await server.close();
    await expect(get({ url: `${baseUrl}${FILE}` })).rejects.toMatchObject({ code: 'unreachable' });
  });
});

it('does not go on with a part of another address, or with one of which nothing is noted', async () => {
  server.serve(FILE, { body });
  await writeFile(partPath, 'who knows');
  expect((await get()).sha256).toBe(sha256);
  server.serve('/other', { body: body.subarray(0, 500) });
  expect((await get({ url: `${server.baseUrl}/other` })).sizeBytes).toBe(500);
});

import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { backoff, systemClock } from '@parley/runtime';
import { z } from 'zod';
import { HTTP_TIMEOUTS, type HttpAnswer, type HttpTimeouts, httpGet } from './http-request.ts';
import { ModelError } from './model-error.ts';

export interface DownloadRequest {
  readonly url: string;
  /** Where the bytes go. What an earlier try left there is gone on with; a note beside it says what it is part of. */
  readonly partPath: string;
  /** What must arrive, as far as it is known. */
  readonly expected?: { readonly sizeBytes?: number | undefined; readonly sha256?: string | undefined };
  /** More than this is refused, whatever the server says. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal | undefined;
  readonly onBytes?: (doneBytes: number, totalBytes: number | undefined) => void;
  readonly onRetry?: (reason: string) => void;
  readonly timeouts?: HttpTimeouts;
  readonly retries?: DownloadRetries;
}

export interface DownloadRetries {
  readonly initialMs: number;
  readonly maxMs: number;
  /** Failures in a row that brought nothing new. */
  readonly fruitless: number;
}

export interface Downloaded {
  readonly sizeBytes: number;
  readonly sha256: string;
}

const RETRIES: DownloadRetries = { initialMs: 500, maxMs: 8000, fruitless: 5 };
/** Without a single byte and without a route there is most likely no network: say so soon. */
const FRUITLESS_WHEN_UNREACHABLE = 2;
const MAX_ATTEMPTS = 200;

const PartNote = z.object({ url: z.string(), validator: z.string().optional(), totalBytes: z.number().optional() });
type PartNote = z.infer<typeof PartNote>;

/**
 * Fetches a file, going on where an earlier try stopped if the server still has the same one, and hashes it on the way.
 * Breaks and silences are tried again. A wrong size or checksum deletes what came and throws; after anything else the
 * part stays for the next time.
 */
export async function download(request: DownloadRequest): Promise<Downloaded> {
  const retries = request.retries ?? RETRIES;
  const waits = backoff(retries);
  let fruitless = 0;
  // Not the size before each try: a server that makes us start over and over would never be found fruitless.
  let mostBytes = await sizeOf(request.partPath);
  let startedOver = false;
  for (let attempt = 1; ; attempt += 1) {
    request.signal?.throwIfAborted();
    try {
      const { resumed, ...result } = await continueDownload(request);
      const wanted = request.expected?.sha256;
      if (wanted === undefined || wanted === result.sha256) return result;
      await discardPart(request.partPath);
      // Two files may have been sewn together by a server that does not look at what we already have.
      if (!resumed || startedOver) throw wrongHash(request.url, wanted, result.sha256);
      startedOver = true;
    } catch (error) {
      request.signal?.throwIfAborted();
      const failure = ModelError.fromDisk(error);
      if (!(failure instanceof ModelError) || !failure.retryable) throw failure;
      const doneBytes = await sizeOf(request.partPath);
      const gained = doneBytes > mostBytes;
      mostBytes = Math.max(mostBytes, doneBytes);
      fruitless = gained ? 0 : fruitless + 1;
      if (gained) waits.reset();
      const allowed =
        failure.code === 'unreachable' && mostBytes === 0 ? FRUITLESS_WHEN_UNREACHABLE : retries.fruitless;
      if (fruitless >= allowed || attempt >= MAX_ATTEMPTS) throw failure;
      request.onRetry?.(failure.message);
      await systemClock.sleep(Math.max(waits.next(), failure.retryAfterMs), request.signal);
    }
  }
}

/** Forgets what came so far. */
export async function discardPart(partPath: string): Promise<void> {
  await rm(partPath, { force: true });
  await rm(notePath(partPath), { force: true });
}

type Attempt = Downloaded & { readonly resumed: boolean };

async function continueDownload(request: DownloadRequest): Promise<Attempt> {
  const { partPath, signal } = request;
  const part = await findPart(request);
  if (part !== undefined && part.sizeBytes === part.note.totalBytes)
    return { ...(await hashPart(part)), resumed: true };

  const answer = await httpGet({
    url: request.url,
    signal,
    timeouts: request.timeouts ?? HTTP_TIMEOUTS,
    headers: part === undefined ? {} : { range: `bytes=${part.sizeBytes}-`, 'if-range': part.validator },
  });
  try {
    if (answer.status === 416) {
      await discardPart(partPath);
      throw new ModelError('broken_off', `${new URL(request.url).host} has no such part of the file`);
    }
    if (part !== undefined && answer.status === 206) {
      if (!fitsPart(answer, part)) {
        await discardPart(partPath);
        throw new ModelError('broken_off', `${new URL(request.url).host} sent another part than was asked for`);
      }
      const hash = createHash('sha256');
      await hashInto(hash, partPath);
      return await receive(request, answer, { hash, offset: part.sizeBytes, totalBytes: part.note.totalBytes });
    }
    if (answer.status !== 200) {
      throw new ModelError('bad_response', `${new URL(request.url).host} sent a part that nobody asked for`);
    }
    // The whole file: a first try, a server that knows no parts, or a file that has changed since.
    const totalBytes = contentLength(answer);
    await checkSize(request, totalBytes);
    await discardPart(partPath);
    await writeFile(partPath, '');
    const note: PartNote = { url: request.url, validator: validatorOf(answer), totalBytes };
    await writeFile(notePath(partPath), JSON.stringify(note));
    return await receive(request, answer, { hash: createHash('sha256'), offset: 0, totalBytes });
  } finally {
    answer.close();
  }
}

interface Receiving {
  readonly hash: Hash;
  readonly offset: number;
  readonly totalBytes: number | undefined;
}

async function receive(request: DownloadRequest, answer: HttpAnswer, from: Receiving): Promise<Attempt> {
  const { hash, offset, totalBytes } = from;
  const mostBytes = totalBytes ?? request.expected?.sizeBytes ?? request.maxBytes;
  let doneBytes = offset;
  const file = await open(request.partPath, 'a');
  try {
    request.onBytes?.(doneBytes, totalBytes);
    for await (const chunk of answer.body()) {
      doneBytes += chunk.byteLength;
      if (doneBytes > mostBytes) {
        await discardPart(request.partPath);
        throw tooLong(request, mostBytes);
      }
      await file.writeFile(chunk);
      hash.update(chunk);
      request.onBytes?.(doneBytes, totalBytes);
    }
  } finally {
    await file.close();
  }
  if (totalBytes !== undefined && doneBytes < totalBytes) {
    throw new ModelError('broken_off', `${new URL(request.url).host} sent less than it promised`);
  }
  await checkSize(request, doneBytes);
  return { sizeBytes: doneBytes, sha256: hash.digest('hex'), resumed: offset > 0 };
}

interface Part {
  readonly path: string;
  readonly sizeBytes: number;
  readonly note: PartNote;
  /** Without one the server could not tell us that the file has changed, and there is no part to go on with. */
  readonly validator: string;
}

async function findPart({ partPath: path, url }: DownloadRequest): Promise<Part | undefined> {
  const sizeBytes = await sizeOf(path);
  if (sizeBytes === 0) return undefined;
  const note = await readNote(path);
  if (note?.validator === undefined || note.url !== url) return undefined;
  if (note.totalBytes !== undefined && sizeBytes > note.totalBytes) return undefined;
  return { path, sizeBytes, note, validator: note.validator };
}

async function readNote(partPath: string): Promise<PartNote | undefined> {
  try {
    return PartNote.parse(JSON.parse(await readFile(notePath(partPath), 'utf8')));
  } catch {
    return undefined;
  }
}

/** Some servers send a part whatever `If-Range` says. */
function fitsPart(answer: HttpAnswer, { sizeBytes, note, validator }: Part): boolean {
  const [, start, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(answer.headers.get('content-range') ?? '') ?? [];
  if (Number(start) !== sizeBytes) return false;
  if (note.totalBytes !== undefined && total !== '*' && Number(total) !== note.totalBytes) return false;
  return (validatorOf(answer) ?? validator) === validator;
}

/** `If-Range` wants a strong validator: an ETag that is not weak, or else the date. */
function validatorOf({ headers }: HttpAnswer): string | undefined {
  const etag = headers.get('etag');
  return (etag?.startsWith('"') ? etag : headers.get('last-modified')) ?? undefined;
}

function contentLength({ headers }: HttpAnswer): number | undefined {
  const text = headers.get('content-length');
  return text !== null && /^\d+$/.test(text) ? Number(text) : undefined;
}

async function checkSize(request: DownloadRequest, sizeBytes: number | undefined): Promise<void> {
  const wanted = request.expected?.sizeBytes;
  if (sizeBytes === undefined || (sizeBytes <= request.maxBytes && (wanted ?? sizeBytes) === sizeBytes)) return;
  await discardPart(request.partPath);
  if (wanted === undefined) throw tooLong(request, request.maxBytes);
  throw new ModelError('wrong_size', `${request.url} has ${sizeBytes} bytes where ${wanted} are right`);
}

function tooLong({ url }: DownloadRequest, mostBytes: number): ModelError {
  return new ModelError('too_large', `${url} is longer than ${mostBytes} bytes, which is as much as is taken`);
}

function wrongHash(url: string, wanted: string, got: string): ModelError {
  return new ModelError(
    'wrong_hash',
    `${url} is not what it should be: its sha256 is ${got}, the right one is ${wanted}; it was deleted`,
  );
}

async function hashPart({ path, sizeBytes }: Part): Promise<Downloaded> {
  const hash = createHash('sha256');
  await hashInto(hash, path);
  return { sizeBytes, sha256: hash.digest('hex') };
}

async function hashInto(hash: Hash, path: string): Promise<void> {
  for await (const chunk of createReadStream(path)) hash.update(chunk);
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch {
    return 0;
  }
}

function notePath(partPath: string): string {
  return `${partPath}.json`;
}

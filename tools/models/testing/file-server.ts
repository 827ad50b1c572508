import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** How a file is served: rightly, unless told otherwise. */
interface Behaviour {
  readonly body: Uint8Array;
  /** Null sends neither ETag nor date. */
  readonly etag?: string | null;
  /** False always sends the whole file. */
  readonly ranges?: boolean;
  /** Sends the part that is asked for, of whatever file there is now. */
  readonly ignoresIfRange?: boolean;
  /** Closes the connection after so many bytes of the body, on every request. */
  readonly breaksAfterBytes?: number;
  /** Sends so many bytes of the body, then nothing. */
  readonly silentAfterBytes?: number;
  /** Says this instead of the true length. */
  readonly contentLength?: number | null;
  readonly chunkBytes?: number;
  readonly pauseMs?: number;
}

type Answer = Behaviour | ((request: IncomingMessage, response: ServerResponse) => void);

/** A server for tests that breaks, lies and dawdles as it is told. */
export interface FileServer {
  readonly baseUrl: string;
  /** What was asked for, in order, as `path` or `path range`. */
  readonly requests: string[];
  /** Several answers are given one after the other, the last of them from then on. */
  serve(path: string, ...answers: [Answer, ...Answer[]]): void;
  close(): Promise<void>;
}

/** Starts one on a free port. What is not served is not found. */
export async function startFileServer(): Promise<FileServer> {
  const answers = new Map<string, Answer[]>();
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    requests.push(request.headers.range === undefined ? pathname : `${pathname} ${request.headers.range}`);
    const list = answers.get(pathname);
    const answer = list !== undefined && list.length > 1 ? list.shift() : list?.[0];
    if (answer === undefined) response.writeHead(404).end();
    else if (typeof answer === 'function') answer(request, response);
    else void sendFile(answer, request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    baseUrl: `http://127.0.0.1:${port}`,
    requests,
    serve(path, ...list) {
      answers.set(path, list);
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function sendFile(file: Behaviour, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const etag = file.etag === undefined ? `"${createHash('sha256').update(file.body).digest('hex')}"` : file.etag;
  const start = startOf(file, request, etag);
  if (start !== undefined && start >= file.body.length) {
    response.writeHead(416, { 'content-range': `bytes */${file.body.length}` }).end();
    return;
  }
  const rest = file.body.subarray(start ?? 0);
  const length = file.contentLength === undefined ? rest.length : file.contentLength;
  response.writeHead(start === undefined ? 200 : 206, {
    ...(etag !== null && { etag }),
    ...(length !== null && { 'content-length': length }),
    ...(start !== undefined && { 'content-range': `bytes ${start}-${file.body.length - 1}/${file.body.length}` }),
  });
  const chunkBytes = file.chunkBytes ?? 16_384;
  const end = Math.min(rest.length, file.breaksAfterBytes ?? Infinity, file.silentAfterBytes ?? Infinity);
  for (let from = 0; from < end && !response.destroyed; from += chunkBytes) {
    response.write(rest.subarray(from, Math.min(from + chunkBytes, end)));
    // Also lets what was written leave before the connection may break.
    await sleep(file.pauseMs ?? 1);
  }
  if (file.silentAfterBytes !== undefined) return;
  if (end < rest.length) {
    await sleep(20);
    response.destroy();
  } else response.end();
}

function startOf(file: Behaviour, { headers }: IncomingMessage, etag: string | null): number | undefined {
  const start = /^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1];
  if (start === undefined || file.ranges === false) return undefined;
  if (!file.ignoresIfRange && headers['if-range'] !== undefined && headers['if-range'] !== etag) return undefined;
  return Number(start);
}

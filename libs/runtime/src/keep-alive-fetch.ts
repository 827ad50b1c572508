import type { Readable } from 'node:stream';
import { Agent, type Dispatcher, request, fetch as undiciFetch } from 'undici';

/** How long a connection waits for the next request: people think between turns, and a TLS handshake costs them time. */
const IDLE_MS = 300_000;
const CONNECT_TIMEOUT_MS = 5_000;
const MAX_RESPONSE_HEADER_BYTES = 64 * 1_024;

/** How a connection looks that the other side closed before it answered. */
const CLOSED_CODES = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

/** A `fetch` with connections of its own that stay open from turn to turn. */
export interface KeepAliveFetch {
  readonly fetch: typeof fetch;
  close(): Promise<void>;
}

/**
 * Makes a `fetch` whose idle connections are kept for minutes, where the one of Node closes them after four seconds. A
 * server that announces a shorter time is believed. Waiting for an answer has no limit here: callers have signals.
 */
export function createKeepAliveFetch(): KeepAliveFetch {
  // The dispatcher works with the fetch of its own package only, whose types are those of Node under another name.
  const withDispatcher = undiciFetch as unknown as (input: unknown, init: object) => Promise<Response>;
  return keepAlive((dispatcher) => (input, init) => withDispatcher(input, { ...init, dispatcher }));
}

/**
 * The same for clients that need little of an answer, as those of vendors do: its body is a stream of Node, which it
 * iterates over; there are no redirects and no compression. A request is sent in two thirds of the time.
 */
export function createLeanFetch(): KeepAliveFetch {
  return keepAlive((dispatcher) => async (input, init) => {
    const url = input instanceof Request ? input.url : String(input);
    const { method, headers, body, signal } = init;
    const answer = await request(url, {
      ...{ dispatcher, method: (method ?? 'GET') as Dispatcher.HttpMethod },
      headers: Object.fromEntries(new Headers(headers ?? {})),
      body: body as string | Buffer | null,
      ...(signal ? { signal } : {}),
    });
    return leanResponse(url, answer);
  });
}

type Ask = (input: Parameters<typeof fetch>[0], init: RequestInit) => Promise<Response>;

function keepAlive(askOver: (dispatcher: Agent) => Ask): KeepAliveFetch {
  const dispatcher = new Agent({
    keepAliveTimeout: IDLE_MS,
    keepAliveMaxTimeout: IDLE_MS,
    maxHeaderSize: MAX_RESPONSE_HEADER_BYTES,
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: { timeout: CONNECT_TIMEOUT_MS },
    // A connection to a request, so that giving up a reply really closes what carries it.
    allowH2: false,
  });
  const ask = askOver(dispatcher);
  return {
    fetch: (input, init = {}) =>
      ask(input, init).catch((error: unknown) => {
        // A server may close a kept connection in the moment in which it is used again; a fresh one tells the truth.
        if (!isClosedUnanswered(error) || init.signal?.aborted) throw error;
        return ask(input, init);
      }),
    close: () => dispatcher.destroy(),
  };
}

function isClosedUnanswered(error: unknown): boolean {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: { code?: unknown } | undefined };
  return CLOSED_CODES.has(String(code ?? cause?.code));
}

/** What of a `Response` such clients use. */
function leanResponse(url: string, { statusCode: status, headers, body }: Dispatcher.ResponseData): Response {
  const fields = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    for (const one of [value ?? []].flat()) fields.append(name, one);
  }
  // Whoever reads the body learns of its failure; one that nobody reads any longer concerns nobody.
  body.on('error', () => undefined);
  const response = {
    ...{ url, status, statusText: '', ok: status >= 200 && status < 300, redirected: false, headers: fields },
    body: Object.assign(body, { cancel: async () => void (body as Readable).destroy() }),
    text: () => body.text(),
    json: () => body.json(),
    arrayBuffer: () => body.arrayBuffer(),
    blob: () => body.blob(),
  };
  return response as unknown as Response;
}

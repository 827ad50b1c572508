import { Agent, fetch as undiciFetch } from 'undici';

/** How long a connection waits for the next reply: people think between turns, and a TLS handshake costs them time. */
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
  // The dispatcher works with the fetch of its own package only, whose types are those of Node under another name.
  const withDispatcher = undiciFetch as unknown as (input: unknown, init: object) => Promise<Response>;
  const ask = (input: unknown, init: object): Promise<Response> => withDispatcher(input, { ...init, dispatcher });
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

const isClosedUnanswered = (error: unknown): boolean =>
  error instanceof TypeError && CLOSED_CODES.has(String((error.cause as { code?: unknown } | undefined)?.code));

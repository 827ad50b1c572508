import { linkSignals, systemClock } from '@parley/runtime';
import { ModelError } from './model-error.ts';

const MAX_REDIRECTS = 5;
/** A server may ask for an hour; a person watches this. */
const MAX_RETRY_AFTER_MS = 60_000;

export interface HttpTimeouts {
  /** Until the head of the answer is there, each redirect counted for itself. */
  readonly headMs: number;
  /** Longest silence within the body. */
  readonly stallMs: number;
}

export const HTTP_TIMEOUTS: HttpTimeouts = { headMs: 15_000, stallMs: 30_000 };

export interface HttpRequest {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeouts: HttpTimeouts;
  readonly signal: AbortSignal | undefined;
}

/** An answer whose body is read piece by piece. Whoever gets one calls `close`. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** Yields the body; throws a `ModelError` when it breaks off or falls silent for too long. */
  body(): AsyncGenerator<Uint8Array>;
  close(): void;
}

/**
 * Sends a GET and follows redirects, never from https to http. Answers of 200, 206 and 416 come back; everything else is
 * a `ModelError`.
 */
export async function httpGet(request: HttpRequest): Promise<HttpAnswer> {
  let url = new URL(request.url);
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects += 1) {
    const answer = await getOnce(url, request);
    if (answer.status === 200 || answer.status === 206 || answer.status === 416) return answer;
    answer.close();
    const location = answer.headers.get('location');
    if (answer.status < 300 || answer.status >= 400 || location === null) throw refusal(url, answer);
    const next = URL.parse(location, url.href);
    if (next === null || (next.protocol !== 'https:' && next.protocol !== url.protocol)) {
      throw new ModelError('bad_response', `${url.host} redirects to an address that is not safe: ${location}`);
    }
    url = next;
  }
  throw new ModelError('bad_response', `${new URL(request.url).host} redirects in circles`);
}

async function getOnce(url: URL, { headers, timeouts, signal }: HttpRequest): Promise<HttpAnswer> {
  const linked = linkSignals(signal);
  const stalled = new ModelError('stalled', `${url.host} fell silent`);
  const waitAtMost = (ms: number): (() => void) => systemClock.setTimeout(() => linked.abort(stalled), ms);
  const explain = (error: unknown): unknown => {
    signal?.throwIfAborted();
    return linked.signal.aborted ? stalled : connectionFailure(url, error);
  };

  let cancelTimer = waitAtMost(timeouts.headMs);
  let response: Response;
  try {
    response = await fetch(url, {
      // A packed body would make sizes and positions meaningless.
      headers: { 'accept-encoding': 'identity', 'user-agent': 'parley-models', ...headers },
      redirect: 'manual',
      signal: linked.signal,
    });
  } catch (error) {
    linked.release();
    throw explain(error);
  } finally {
    cancelTimer();
  }

  return {
    status: response.status,
    headers: response.headers,
    async *body() {
      if (response.body === null) return;
      try {
        cancelTimer = waitAtMost(timeouts.stallMs);
        for await (const chunk of response.body) {
          cancelTimer();
          yield chunk;
          cancelTimer = waitAtMost(timeouts.stallMs);
        }
      } catch (error) {
        throw explain(error);
      } finally {
        cancelTimer();
      }
    },
    close() {
      cancelTimer();
      linked.abort(new Error('no longer wanted'));
    },
  };
}

function refusal(url: URL, { status, headers }: HttpAnswer): ModelError {
  if (status === 404 || status === 410) return new ModelError('not_found', `${url} is not there (${status})`);
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    const seconds = Number(headers.get('retry-after') ?? 0);
    const retryAfterMs = Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0) * 1000, MAX_RETRY_AFTER_MS) : 0;
    return new ModelError('server_failed', `${url.host} answered with status ${status}`, { retryAfterMs });
  }
  return new ModelError('refused', `${url.host} refused ${url.pathname} (${status})`);
}

/** Node keeps the reason of a failed `fetch` in its cause, and that of several addresses in the causes of that. */
function connectionFailure(url: URL, error: unknown): ModelError {
  const cause = error instanceof Error ? error.cause : undefined;
  const first = cause instanceof AggregateError ? cause.errors[0] : cause;
  const code = first instanceof Error && 'code' in first ? String(first.code) : '';
  if (/^(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENETUNREACH|EHOSTUNREACH|ETIMEDOUT|UND_ERR_CONNECT_TIMEOUT)$/.test(code)) {
    return new ModelError('unreachable', `${url.host} cannot be reached (${code})`, { cause: error });
  }
  return new ModelError('broken_off', `the connection to ${url.host} broke off${code && ` (${code})`}`, {
    cause: error,
  });
}

import { type Clock, linkSignals } from '@parley/runtime';
import type { ServerTool } from './server-tools.ts';
import { faultyResult, type ToolResult } from './tool-result.ts';

/** Bytes of an answer that are read; more than a model can use in a conversation. */
const MAX_ANSWER_BYTES = 64 * 1_024;
/** Characters of an error's text that the model is shown. */
const MAX_ERROR_CHARS = 500;

export interface HttpCall {
  readonly tool: ServerTool;
  readonly values: Readonly<Record<string, unknown>>;
  /** The same for the same call of a reply that is tried again, so that the server can act once. */
  readonly idempotencyKey: string;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
}

class TimeUp extends Error {
  override readonly name = 'TimeUp';
}

/** Calls a tool of the operator. Fails only when the signal aborts: all else is a result that says so. */
export async function callOverHttp(call: HttpCall, signal: AbortSignal): Promise<ToolResult> {
  const { tool, clock } = call;
  signal.throwIfAborted();
  const limited = linkSignals(signal);
  const cancelTimer = clock.setTimeout(() => limited.abort(new TimeUp()), tool.timeoutMs);
  try {
    const response = await call.fetch(urlOf(call), requestOf(call, limited.signal));
    const { text, isCut } = await readText(response);
    if (!response.ok) {
      return faultyResult('failed', `status ${response.status}: ${text.slice(0, MAX_ERROR_CHARS)}`);
    }
    return { outcome: 'ok', content: isCut ? `${text}… (the rest is left out)` : text };
  } catch (error) {
    signal.throwIfAborted();
    if (limited.signal.reason instanceof TimeUp) {
      return faultyResult('timeout', `no answer within ${Math.round(tool.timeoutMs / 1_000)} seconds`);
    }
    return faultyResult('failed', error instanceof TypeError ? 'it cannot be reached' : 'its answer broke off');
  } finally {
    cancelTimer();
    limited.release();
  }
}

/** Arguments of a GET go into the query. */
function urlOf({ tool, values }: HttpCall): string {
  const url = new URL(tool.url);
  if (tool.method !== 'GET') return url.href;
  for (const [name, value] of Object.entries(values)) {
    url.searchParams.set(name, typeof value === 'string' ? value : JSON.stringify(value));
  }
  return url.href;
}

function requestOf({ tool, values, idempotencyKey }: HttpCall, signal: AbortSignal): RequestInit {
  const hasBody = tool.method !== 'GET';
  return {
    method: tool.method,
    headers: {
      ...(hasBody ? { 'content-type': 'application/json' } : {}),
      'idempotency-key': idempotencyKey,
      ...tool.headers,
    },
    ...(hasBody ? { body: JSON.stringify(values) } : {}),
    signal,
  };
}

async function readText({ body }: Response): Promise<{ text: string; isCut: boolean }> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    chunks.push(chunk);
    bytes += chunk.byteLength;
    // Leaving the loop closes the connection.
    if (bytes > MAX_ANSWER_BYTES) break;
  }
  const all = Buffer.concat(chunks);
  return { text: all.subarray(0, MAX_ANSWER_BYTES).toString('utf8'), isCut: bytes > MAX_ANSWER_BYTES };
}

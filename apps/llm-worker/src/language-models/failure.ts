import { VoiceError } from '@parley/protocol';

/** Statuses below 500 under which the same request may be served later. */
const RETRYABLE_STATUS = new Set([408, 409, 421, 423, 425, 429]);

/** The failure that an HTTP status of an engine's server means. */
export function statusFailure(status: number, error?: unknown): VoiceError {
  const isRetryable = status >= 500 || RETRYABLE_STATUS.has(status);
  const code = status === 408 || status === 504 ? 'engine_timeout' : isRetryable ? 'engine_failed' : 'engine_rejected';
  const cause = error === undefined ? undefined : withoutWords(error);
  return new VoiceError(code, `the server answered with status ${status}`, { cause });
}

/** The failure of a request that got no answer, or of an answer that broke off. */
export const connectionFailure = (error: unknown): VoiceError =>
  new VoiceError('engine_failed', 'the connection to the server failed', { cause: withoutWords(error) });

/**
 * What may be logged of a failure. The message of a server, or of a parser, may repeat what somebody said: only names
 * and codes are kept.
 */
export function withoutWords(error: unknown): Error {
  const names: string[] = [];
  for (let at = error, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth += 1) {
    const { name, code, type } = at as Error & { code?: unknown; type?: unknown };
    names.push(
      ...[name, code, type].filter((value) => typeof value === 'string' && /^[\w.-]{1,60}$/.test(value)).map(String),
    );
  }
  return new Error([...new Set(names)].join(', ') || 'unknown');
}

import { ERROR_CODES, ERROR_TABLE, type ErrorCode, isErrorCode, VoiceError, type WireError } from '@parley/protocol';

/** Codes of the WebSocket standard that a server, a proxy or the socket itself may close with. */
const STANDARD_CODES: Readonly<Record<number, ErrorCode>> = {
  1000: 'closed',
  1001: 'going_away',
  1002: 'bad_message',
  1003: 'bad_message',
  1007: 'bad_message',
  1009: 'too_large',
  1011: 'internal',
  1012: 'going_away',
  1013: 'overloaded',
};

/**
 * What a closed connection means where no `error` message came before: the gateway's reason is the code itself; else the
 * close code decides, where several share one the first of the table.
 */
export function closeReason(closeCode: number, reason: string): VoiceError {
  if (isErrorCode(reason)) return new VoiceError(reason);
  const code = STANDARD_CODES[closeCode] ?? ERROR_CODES.find((known) => ERROR_TABLE[known].close === closeCode);
  return new VoiceError(code ?? 'unreachable', `The connection was closed with code ${closeCode}.`);
}

/** The failure that an `error` message tells of. */
export const errorFromWire = ({ code, message, retryAfterMs }: WireError): VoiceError =>
  new VoiceError(code, message, { public: true, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });

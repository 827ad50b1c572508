import { createHash, timingSafeEqual } from 'node:crypto';
import { KEY_SUBPROTOCOL_PREFIX, VoiceError } from '@parley/protocol';

/** What a connection shows of itself when it asks to be let in. */
export interface HandshakeRequest {
  readonly authorization: string;
  readonly subprotocols: string;
  readonly query: URLSearchParams;
}

/** Hash of the key that a connection showed (empty where none is asked for), or why it is not let in. */
export type Admission = string | VoiceError;

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Compares a key with every accepted one, in a time that tells nothing about them. */
export function isAccepted(key: string, accepted: readonly string[]): boolean {
  const given = digest(key);
  let found = false;
  for (const candidate of accepted) found = timingSafeEqual(given, digest(candidate)) || found;
  return found;
}

/** The key a client shows: `Authorization: Bearer …`, a subprotocol `parley.key.…` (base64url), or `?key=…`. */
export function shownKey(request: HandshakeRequest): string | undefined {
  const bearer = /^(?:Bearer|Token)\s+(\S+)$/i.exec(request.authorization)?.[1];
  if (bearer) return bearer;
  const carrier = request.subprotocols
    .split(',')
    .map((name) => name.trim())
    .find((name) => name.startsWith(KEY_SUBPROTOCOL_PREFIX));
  if (carrier) return Buffer.from(carrier.slice(KEY_SUBPROTOCOL_PREFIX.length), 'base64url').toString('utf8');
  return request.query.get('key') ?? undefined;
}

/** Hash of the key a session is bound to; empty where no key is asked for. */
export function authenticate(request: HandshakeRequest, accepted: readonly string[]): Admission {
  if (accepted.length === 0) return '';
  const key = shownKey(request);
  if (key === undefined || !isAccepted(key, accepted)) return new VoiceError('unauthorized');
  return digest(key).toString('base64url');
}

import { PROTOCOL_VERSION, type Settings, VoiceError } from '@parley/protocol';
import { type Clock, systemClock } from './clock.ts';
import { type Dialer, dial, type WebSocketConstructor } from './dial.ts';
import { VoiceSession } from './voice-session.ts';

const SESSION_PATH = '/v1/session';
/** For the first answer of each gateway; a session is not there yet, so there is no hurry. */
const CONNECT_TIMEOUT_MS = 5_000;

export interface ConnectOptions {
  /** Gateways of one cell, `ws:` or `http:` (and `wss:`, `https:`), with or without the path. */
  readonly urls: readonly string[];
  readonly key?: string | undefined;
  readonly settings?: Partial<Settings>;
  readonly clock?: Clock;
  /** In place of the global one. */
  readonly WebSocket?: WebSocketConstructor;
}

/**
 * Opens a session on the first gateway that takes it. Resolves when the server is ready; attach listeners at once, before
 * anything else is awaited. Rejects with a `VoiceError`: `unreachable`, or the reason that the last gateway gave.
 */
export async function connect(options: ConnectOptions): Promise<VoiceSession> {
  const dialer: Dialer = {
    urls: options.urls.map(sessionUrl),
    key: options.key,
    clock: options.clock ?? systemClock,
    WebSocket: options.WebSocket ?? globalThis.WebSocket,
  };
  let failure = new VoiceError('unreachable', 'No address of a gateway was given.');
  for (const urlIndex of dialer.urls.keys()) {
    const result = await start(dialer, urlIndex, options.settings);
    if (result instanceof VoiceSession) return result;
    failure = result;
    if (!failure.retryable) break;
  }
  throw failure;
}

function start(dialer: Dialer, urlIndex: number, settings: Partial<Settings> | undefined) {
  return new Promise<VoiceSession | VoiceError>((resolve) => {
    const hello = { type: 'session.start', v: PROTOCOL_VERSION, ...(settings && { settings }) } as const;
    dial(dialer, urlIndex, hello, CONNECT_TIMEOUT_MS, (result) => {
      if (result instanceof VoiceError) return resolve(result);
      const { connection, answer } = result;
      if (answer.token === undefined) {
        connection.drop();
        return resolve(new VoiceError('internal', 'The gateway gave no token to resume the session with.'));
      }
      resolve(new VoiceSession({ dialer, urlIndex, connection, answer: { ...answer, token: answer.token } }));
    });
  });
}

/** The WebSocket address of a gateway's native protocol. Throws `unreachable` for what is no address. */
function sessionUrl(address: string): string {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (!url || !/^(ws|http)s?:$/.test(url.protocol)) {
    throw new VoiceError('unreachable', `${address} is not a ws: or http: address.`);
  }
  url.protocol = url.protocol.replace('http', 'ws');
  if (url.pathname === '/') url.pathname = SESSION_PATH;
  return url.href;
}

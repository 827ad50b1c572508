import {
  type ClientMessageInput,
  encodeKeySubprotocol,
  type SessionReady,
  SUBPROTOCOL,
  VoiceError,
} from '@parley/protocol';
import type { Clock } from './clock.ts';
import { Connection } from './connection.ts';

export type WebSocketConstructor = typeof globalThis.WebSocket;

/** How gateways are reached. */
export interface Dialer {
  readonly urls: readonly string[];
  readonly key: string | undefined;
  readonly clock: Clock;
  readonly WebSocket: WebSocketConstructor;
}

/** A connection on which the server has said that it is ready. */
export interface Dialled {
  readonly connection: Connection;
  readonly answer: SessionReady;
}

/**
 * One attempt to connect and to be answered. `done` is called once, in the very step in which the answer comes, so that
 * whoever adopts the connection misses nothing. The result gives the attempt up without a word.
 */
export function dial(
  { urls, key, clock, WebSocket }: Dialer,
  urlIndex: number,
  hello: ClientMessageInput,
  timeoutMs: number,
  done: (result: Dialled | VoiceError) => void,
): () => void {
  const url = urls[urlIndex] ?? '';
  let socket: WebSocket;
  try {
    socket = new WebSocket(url, key === undefined ? [SUBPROTOCOL] : [SUBPROTOCOL, encodeKeySubprotocol(key)]);
  } catch (cause) {
    const error = new VoiceError('unreachable', `${url} is not the address of a gateway.`, { cause });
    return clock.setTimeout(() => done(error), 0);
  }
  const connection = new Connection(socket, clock, {
    onMessage: (message) => {
      if (message.type !== 'session.ready') return;
      cancelTimeout();
      done({ connection, answer: message });
    },
    onAudio: () => {},
    onSkipped: () => {},
    onLost: (error) => {
      cancelTimeout();
      done(error.code === 'unreachable' ? new VoiceError('unreachable', `No gateway answers at ${url}.`) : error);
    },
  });
  const cancelTimeout = clock.setTimeout(() => {
    connection.drop();
    done(new VoiceError('unreachable', `The gateway at ${url} did not answer within ${timeoutMs} ms.`));
  }, timeoutMs);
  connection.start(hello);
  return () => {
    cancelTimeout();
    connection.drop();
  };
}

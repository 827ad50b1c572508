import * as uWS from 'uWebSockets.js';
import { SUBPROTOCOL, VoiceError } from '@parley/protocol';
import type { SendResult } from './client-link.ts';
import type { Admission, HandshakeRequest } from './handshake.ts';
import type { Socket, SocketHandler } from './socket.ts';

/** An HTTP answer. */
export interface HttpAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

export interface HttpRequest extends HandshakeRequest {
  readonly path: string;
  /** The peer is this machine. */
  readonly loopback: boolean;
}

export const jsonAnswer = (status: number, body: unknown): HttpAnswer => ({
  status,
  contentType: 'application/json',
  body: JSON.stringify(body),
});

export interface ServerOptions {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  readonly maxMessageBytes: number;
  /** Bytes that may wait in one socket; a message beyond them is dropped, and the client disconnected. */
  readonly maxBufferedBytes: number;
  readonly admit: (request: HandshakeRequest) => Admission;
  /** Takes a connection. One that is not let in is told so in its own protocol: browsers hide the status of an upgrade. */
  readonly connect: (socket: Socket, admission: Admission) => SocketHandler;
  /** Answers GET requests; undefined is 404. */
  readonly http: (request: HttpRequest) => Promise<HttpAnswer | undefined>;
  readonly onConnections: (open: number) => void;
  readonly onDropped: () => void;
}

export interface Server {
  readonly port: number;
  /** Takes no further connections. */
  stopListening(): void;
  /** Closes what is still open. */
  close(): void;
}

interface SocketData {
  readonly admitted: Admission;
  connection?: Connection;
}

const SESSION_PATH = '/v1/session';
const OVERSIZE_FACTOR = 4;
/** A connection without any message, in either direction, is closed by the library after this time. */
const IDLE_SECONDS = 60;
const DROPPED_CLOSE = new VoiceError('slow_consumer').closeCode;

/** Adapts one uWebSockets.js socket. The library's three results of a send are told apart here, and only here. */
class Connection implements Socket {
  readonly #ws: uWS.WebSocket<SocketData>;
  readonly #onDropped: () => void;
  #open = true;
  handler: SocketHandler | undefined;

  constructor(ws: uWS.WebSocket<SocketData>, onDropped: () => void) {
    this.#ws = ws;
    this.#onDropped = onDropped;
  }

  send(message: string | Uint8Array): SendResult {
    if (!this.#open) return 'dropped';
    const result = this.#ws.send(message as uWS.RecognizedString, typeof message !== 'string');
    if (result === 1) return 'sent';
    if (result === 0) return 'buffered';
    this.#onDropped();
    // A message is lost: what follows would make no sense, while a client that comes back is sent it again.
    this.close(DROPPED_CLOSE, 'slow_consumer');
    return 'dropped';
  }

  together(sending: () => void): void {
    if (this.#open) this.#ws.cork(sending);
    else sending();
  }

  bufferedBytes(): number {
    return this.#open ? this.#ws.getBufferedAmount() : 0;
  }

  close(code: number, reason: string): void {
    if (!this.#open) return;
    this.#open = false;
    this.#ws.end(code, reason);
  }

  /** The library has closed the socket; touching it again would throw. */
  closed(): void {
    this.#open = false;
    this.handler?.closed();
  }
}

/** Starts the gateway's server. Rejects with a plain sentence when the port is taken, also by another gateway. */
export async function startServer(options: ServerOptions): Promise<Server> {
  const app = uWS.App();
  let connections = 0;

  app.ws<SocketData>(SESSION_PATH, {
    // Somewhat too large a message is told to the client; the library cuts off what is much too large.
    maxPayloadLength: OVERSIZE_FACTOR * options.maxMessageBytes,
    maxBackpressure: options.maxBufferedBytes,
    closeOnBackpressureLimit: false,
    idleTimeout: IDLE_SECONDS,
    sendPingsAutomatically: true,
    upgrade: (response, request, context) => {
      const handshake = handshakeOf(request);
      const key = request.getHeader('sec-websocket-key');
      const extensions = request.getHeader('sec-websocket-extensions');
      const offered = handshake.subprotocols.split(',').map((name) => name.trim());
      response.upgrade(
        { admitted: options.admit(handshake) },
        key,
        offered.includes(SUBPROTOCOL) ? SUBPROTOCOL : '',
        extensions,
        context,
      );
    },
    open: (ws) => {
      connections += 1;
      options.onConnections(connections);
      const data = ws.getUserData();
      data.connection = new Connection(ws, options.onDropped);
      data.connection.handler = options.connect(data.connection, data.admitted);
    },
    message: (ws, message, isBinary) => {
      const { handler } = ws.getUserData().connection ?? {};
      if (!handler) return;
      // The library's buffer is gone after this call: text is decoded here, audio copied by whoever keeps it.
      if (message.byteLength > options.maxMessageBytes) handler.oversized();
      else if (isBinary) handler.binary(new Uint8Array(message));
      else handler.text(Buffer.from(message).toString('utf8'));
    },
    close: (ws) => {
      connections -= 1;
      options.onConnections(connections);
      ws.getUserData().connection?.closed();
    },
  });

  app.any('/*', (response, request) => {
    const path = request.getUrl();
    if (request.getMethod() !== 'get') return answer(response, jsonAnswer(405, { error: 'GET only' }));
    const peer = Buffer.from(response.getRemoteAddressAsText()).toString();
    let aborted = false;
    response.onAborted(() => {
      aborted = true;
    });
    void options
      .http({ ...handshakeOf(request), path, loopback: isLoopback(peer) })
      .catch(() => jsonAnswer(500, new VoiceError('internal').toWire()))
      .then((found) => {
        if (!aborted) response.cork(() => answer(response, found ?? jsonAnswer(404, { error: 'not found' })));
      });
  });

  const listening = await listen(app, options.host, options.port);
  return {
    port: uWS.us_socket_local_port(listening),
    stopListening: () => uWS.us_listen_socket_close(listening),
    close: () => app.close(),
  };
}

function listen(app: uWS.TemplatedApp, host: string, port: number): Promise<uWS.us_listen_socket> {
  return new Promise((resolve, reject) => {
    // Without this option a second process could listen on the same port and would take half of the connections.
    app.listen(host, port, uWS.LIBUS_LISTEN_EXCLUSIVE_PORT, (token) => {
      if (token) resolve(token);
      else reject(new Error(`port ${port} on ${host} is taken, or may not be listened on`));
    });
  });
}

function handshakeOf(request: uWS.HttpRequest): HandshakeRequest {
  return {
    authorization: request.getHeader('authorization'),
    subprotocols: request.getHeader('sec-websocket-protocol'),
    query: new URLSearchParams(request.getQuery() ?? ''),
  };
}

function answer(response: uWS.HttpResponse, { status, contentType, body }: HttpAnswer): void {
  response
    .writeStatus(String(status))
    .writeHeader('content-type', contentType)
    .writeHeader('cache-control', 'no-store')
    .end(body);
}

const isLoopback = (address: string): boolean =>
  address === '::1' ||
  address.startsWith('127.') ||
  /^(0{1,4}:){7}0{0,3}1$/.test(address) ||
  /^(0{1,4}:){5}ffff:7f/i.test(address) ||
  address.startsWith('::ffff:127.');

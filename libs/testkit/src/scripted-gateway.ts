import {
  type ClientMessage,
  DEFAULT_SETTINGS,
  type DownlinkAudio,
  decodeClientMessage,
  decodeUplinkAudio,
  encodeDownlinkAudio,
  type ServerMessage,
  type SessionReady,
  SUBPROTOCOL,
  type UplinkAudio,
} from '@parley/protocol';
import { type WebSocket, WebSocketServer } from 'ws';

/** One connection as the gateway's side sees it. */
export class ScriptedConnection {
  readonly subprotocols: readonly string[];
  readonly messages: ClientMessage[] = [];
  readonly audio: UplinkAudio[] = [];
  /** A `session.close` is met with silence. */
  ignoresClose = false;
  readonly #socket: WebSocket;

  constructor(socket: WebSocket, subprotocols: readonly string[]) {
    this.#socket = socket;
    this.subprotocols = subprotocols;
    socket.on('message', (data, isBinary) => {
      const bytes = Buffer.isBuffer(data) ? data : Buffer.from([]);
      if (isBinary) this.audio.push(decodeUplinkAudio(new Uint8Array(bytes)));
      else this.#take(decodeClientMessage(bytes.toString()));
    });
  }

  #take(message: ClientMessage): void {
    this.messages.push(message);
    if (message.type === 'session.close' && !this.ignoresClose) this.close(1000, 'closed');
  }

  /** Messages of one type, in the order in which they came. */
  of<T extends ClientMessage['type']>(type: T): Extract<ClientMessage, { type: T }>[] {
    return this.messages.filter((message): message is Extract<ClientMessage, { type: T }> => message.type === type);
  }

  /** First samples of the audio messages. */
  get startSamples(): number[] {
    return this.audio.map(({ startSample }) => startSample);
  }

  get isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  send(message: ServerMessage): void {
    this.#socket.send(JSON.stringify(message));
  }

  sendText(text: string): void {
    this.#socket.send(text);
  }

  sendAudio(frame: Partial<DownlinkAudio>): void {
    this.#socket.send(encodeDownlinkAudio({ ...SILENT_FRAME, ...frame }));
  }

  /** Sends what keeps a connection alive, until it ends. */
  keepAlive(): void {
    this.send({ type: 'audio.ack', sample: 0 });
    const timer = setInterval(() => this.send({ type: 'audio.ack', sample: 0 }), 200);
    this.#socket.on('close', () => clearInterval(timer));
  }

  close(code: number, reason = ''): void {
    this.#socket.close(code, reason);
  }

  /** Ends the connection without a word, as a killed process does. */
  cut(): void {
    this.#socket.terminate();
  }
}

const SILENT_FRAME: DownlinkAudio = {
  turn: 1,
  attempt: 0,
  generation: 0,
  clause: 0,
  startSample: 0,
  endOfClause: false,
  endOfReply: false,
  pcm: new Uint8Array(0),
};

export const READY: SessionReady = {
  type: 'session.ready',
  v: 1,
  session: 'session-0000000000001',
  token: 'token',
  resumed: false,
  epoch: 1,
  generation: 0,
  settings: DEFAULT_SETTINGS,
  inputSample: 0,
  ackedSample: 0,
  resumeBoundMs: 15_000,
  graceMs: 30_000,
};

/** A real WebSocket server whose behaviour is written down in the test. */
export class ScriptedGateway {
  readonly connections: ScriptedConnection[] = [];
  readonly #server: WebSocketServer;

  constructor(server: WebSocketServer, greet: (connection: ScriptedConnection, hello: ClientMessage) => void) {
    this.#server = server;
    server.on('connection', (socket, request) => {
      const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
      const connection = new ScriptedConnection(socket, offered);
      this.connections.push(connection);
      socket.once('message', () => {
        const [hello] = connection.messages;
        if (hello) greet(connection, hello);
      });
    });
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('The server does not listen.');
    return `ws://127.0.0.1:${address.port}`;
  }

  /** The newest connection. */
  get last(): ScriptedConnection {
    const last = this.connections.at(-1);
    if (!last) throw new Error('Nobody has connected.');
    return last;
  }

  async close(): Promise<void> {
    for (const client of this.#server.clients) client.terminate();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Starts a gateway on a free port; `greet` answers the first message of each connection. */
export async function startScriptedGateway(
  greet: (connection: ScriptedConnection, hello: ClientMessage) => void = answerReady,
): Promise<ScriptedGateway> {
  const server = new WebSocketServer({
    host: '127.0.0.1',
    port: 0,
    handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  });
  await new Promise((resolve) => server.once('listening', resolve));
  return new ScriptedGateway(server, greet);
}

/** Says that it is ready, to a resume as to a start, and keeps the connection alive. */
export function answerReady(connection: ScriptedConnection, hello: ClientMessage, answer: Partial<SessionReady> = {}) {
  const { token: _, ...resumed } = { ...READY, resumed: true };
  connection.send({ ...(hello.type === 'session.resume' ? resumed : READY), ...answer });
  connection.keepAlive();
}

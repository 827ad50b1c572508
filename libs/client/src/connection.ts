import {
  type ClientMessageInput,
  type DownlinkAudio,
  decodeDownlinkAudio,
  decodeServerMessage,
  type ServerMessage,
  VoiceError,
} from '@parley/protocol';
import type { Clock } from './clock.ts';
import { closeReason, errorFromWire } from './failure.ts';

/** The server sends something at least every 250 ms; a connection that is silent for this long is dead. */
const SILENCE_LIMIT_MS = 1_000;
/** Silence is counted in looks of this length, so that a stall of our own event loop counts as one look only. */
const LOOK_EVERY_MS = 100;

/** Whoever holds a connection. */
export interface ConnectionListener {
  onMessage(message: ServerMessage): void;
  onAudio(frame: DownlinkAudio): void;
  /** Something came that this client cannot read. */
  onSkipped(reason: string): void;
  /** The connection has ended; told once, and not after {@link Connection.drop}. */
  onLost(error: VoiceError): void;
}

/**
 * One WebSocket, from its opening to its end. States: opening → open → ended. A lost connection is told once; a dropped
 * one is told never, and what still comes from it is ignored.
 */
export class Connection {
  readonly #socket: WebSocket;
  readonly #clock: Clock;
  #listener: ConnectionListener;
  #ended = false;
  #fatal: VoiceError | undefined;
  #quietLooks = 0;
  #cancelLook: (() => void) | undefined;

  constructor(socket: WebSocket, clock: Clock, listener: ConnectionListener) {
    this.#socket = socket;
    this.#clock = clock;
    this.#listener = listener;
  }

  /** Begins to listen; `hello` is sent as soon as the socket is open. */
  start(hello: ClientMessageInput): void {
    this.#socket.binaryType = 'arraybuffer';
    let opened = false;
    this.#socket.onopen = () => {
      opened = true;
      this.send(hello);
    };
    this.#socket.onmessage = ({ data }: { data: unknown }) => this.#receive(data);
    this.#socket.onclose = ({ code, reason }) => this.#lose(closeReason(code, reason));
    // A `close` event follows and says more; only Node leaves it out where the socket has never been open.
    this.#socket.onerror = () => {
      if (!opened) this.#lose(new VoiceError('unreachable'));
    };
  }

  /** Bytes that the socket has not handed to the network yet. */
  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  /** Hands the connection to another listener. From now on the server is expected to be heard. */
  adopt(listener: ConnectionListener): void {
    this.#listener = listener;
    this.#quietLooks = 0;
    this.#cancelLook?.();
    this.#cancelLook = this.#clock.setTimeout(() => this.#look(), LOOK_EVERY_MS);
  }

  /** Whether the socket took it; it takes nothing once it is about to close. */
  send(message: ClientMessageInput): boolean {
    return this.sendData(JSON.stringify(message));
  }

  /** Like {@link Connection.send}, for what is encoded already. */
  sendData(data: string | Uint8Array<ArrayBuffer>): boolean {
    if (this.#ended || this.#socket.readyState !== this.#socket.OPEN) return false;
    this.#socket.send(data);
    return true;
  }

  /** Closes the socket and ignores whatever still comes from it. */
  drop(): void {
    this.#end();
    this.#socket.close(1000);
  }

  #receive(data: unknown): void {
    if (this.#ended) return;
    this.#quietLooks = 0;
    if (typeof data === 'string') {
      this.#receiveText(data);
      return;
    }
    const frame = data instanceof ArrayBuffer ? readFrame(data) : undefined;
    if (frame) this.#listener.onAudio(frame);
    else this.#listener.onSkipped('not_audio');
  }

  #receiveText(text: string): void {
    const message = decodeServerMessage(text);
    if (!message.ok) this.#listener.onSkipped(message.reason);
    else if (message.value.type === 'error' && message.value.fatal) this.#fatal = errorFromWire(message.value);
    else this.#listener.onMessage(message.value);
  }

  #look(): void {
    this.#quietLooks += 1;
    if (this.#quietLooks * LOOK_EVERY_MS > SILENCE_LIMIT_MS) {
      this.#lose(new VoiceError('unreachable', 'Nothing came from the gateway for a second.'));
      this.#socket.close(1000);
      return;
    }
    this.#cancelLook = this.#clock.setTimeout(() => this.#look(), LOOK_EVERY_MS);
  }

  #lose(error: VoiceError): void {
    if (this.#ended) return;
    this.#end();
    // What the gateway said before it closed tells more than the close code.
    this.#listener.onLost(this.#fatal ?? error);
  }

  #end(): void {
    this.#ended = true;
    this.#cancelLook?.();
    this.#cancelLook = undefined;
  }
}

function readFrame(data: ArrayBuffer): DownlinkAudio | undefined {
  try {
    return decodeDownlinkAudio(new Uint8Array(data));
  } catch {
    return undefined;
  }
}

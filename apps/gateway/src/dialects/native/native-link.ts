import {
  type DownlinkAudio,
  encodeDownlinkAudio,
  type ServerControl,
  type SessionEvent,
  type VoiceError,
} from '@parley/protocol';
import type { ClientLink, SendResult } from '../../client-link.ts';
import type { Socket } from '../../socket.ts';

/** A send copies what it is given, so that all audio goes through here: 16 kB are 170 ms at 48 kHz. */
const scratch = new Uint8Array(16_384);

/** The native protocol's way out: log events and controls as JSON, reply audio as numbered binary. */
export class NativeLink implements ClientLink {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  event(event: SessionEvent, turn: number | undefined, generation: number): void {
    const { trace: _, ...visible } = event;
    // What is shown of a reply that was held has been released: the flag is the log's own.
    this.#sendText({ ...visible, held: undefined, ...(turn === undefined ? {} : { turn }), generation });
  }

  control(message: ServerControl): void {
    this.#sendText(message);
  }

  audio(frame: DownlinkAudio): SendResult {
    return this.#socket.send(encodeDownlinkAudio(frame, scratch));
  }

  together(telling: () => void): void {
    this.#socket.together(telling);
  }

  bufferedBytes(): number {
    return this.#socket.bufferedBytes();
  }

  close(error: VoiceError): void {
    if (error.code !== 'closed') this.control({ type: 'error', fatal: true, ...error.toWire() });
    this.#socket.close(error.closeCode, error.code);
  }

  #sendText(message: object): void {
    this.#socket.send(JSON.stringify(message));
  }
}

import type { DownlinkAudio, ServerControl, SessionEvent, VoiceError } from '@parley/protocol';

/** What became of a message: on its way, waiting in the socket's buffer, or lost because that buffer is full. */
export type SendResult = 'sent' | 'buffered' | 'dropped';

/** A client as its session's owner sees it, whatever protocol it speaks. Implemented by the dialects. */
export interface ClientLink {
  /** An event of the log, with the turn it belongs to and the generation that may be heard. */
  event(event: SessionEvent, turn: number | undefined, generation: number): void;
  control(message: ServerControl): void;
  audio(frame: DownlinkAudio): SendResult;
  /** What is told while this runs goes out at once, after it. */
  together(telling: () => void): void;
  /** Bytes that wait in the socket. */
  bufferedBytes(): number;
  /** Tells why, then closes. */
  close(error: VoiceError): void;
}

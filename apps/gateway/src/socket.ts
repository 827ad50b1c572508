import type { SendResult } from './client-link.ts';

/** A client's connection, whatever library carries it. After its close every method does nothing. */
export interface Socket {
  /** Text as a string, binary as bytes. `dropped` means the buffer was full: the connection is being closed. */
  send(message: string | Uint8Array): SendResult;
  /** What is sent while this runs leaves with one system call, after it. */
  together(sending: () => void): void;
  bufferedBytes(): number;
  close(code: number, reason: string): void;
}

/** What the server tells about a connection. */
export interface SocketHandler {
  text(message: string): void;
  binary(message: Uint8Array): void;
  /** A message longer than allowed came; it is gone. */
  oversized(): void;
  closed(): void;
}

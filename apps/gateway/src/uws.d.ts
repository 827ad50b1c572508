// What the library offers and its own types leave out.
import type { RecognizedString, us_listen_socket } from 'uWebSockets.js';

declare module 'uWebSockets.js' {
  const LIBUS_LISTEN_EXCLUSIVE_PORT: number;

  interface TemplatedApp {
    listen(
      host: RecognizedString,
      port: number,
      options: number,
      callback: (socket: us_listen_socket | false) => void,
    ): TemplatedApp;
  }
}

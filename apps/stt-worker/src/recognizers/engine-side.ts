import { parentPort, workerData } from 'node:worker_threads';
import { VoiceError } from '@parley/protocol';
import type { FromThread, ToThread } from './thread-messages.ts';

/** What an engine's module sees of the worker, be it in a thread or in a process of its own. */
export interface EngineSide {
  /** What it is told at its start, as the worker's side knows it. */
  readonly data: unknown;
  tell(message: FromThread): void;
  listen(handler: (message: ToThread) => void): void;
}

/** Connects an engine's module with the worker that runs it. */
export function connectToWorker(): EngineSide {
  if (parentPort !== null) {
    const port = parentPort;
    return {
      data: workerData,
      tell: (message) => port.postMessage(message),
      listen: (handler) => void port.on('message', handler),
    };
  }
  // It lives as long as its worker, which may still be draining when a terminal interrupts both.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => undefined);
  process.once('disconnect', () => process.exit(0));
  return {
    data: JSON.parse(process.argv[2] ?? '{}'),
    tell: (message) => void (process.connected && process.send?.(message, () => undefined)),
    listen: (handler) => void process.on('message', handler),
  };
}

/** Says why the engine cannot work; the module ends by itself after that. */
export function tellUnusable(side: EngineSide, error: unknown): void {
  const { code, message } = VoiceError.from(error, 'engine_failed');
  side.tell({ type: 'unusable', code: code === 'engine_missing' ? code : 'engine_failed', message });
}

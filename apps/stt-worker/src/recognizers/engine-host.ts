import { fork } from 'node:child_process';
import { Worker } from 'node:worker_threads';
import { VoiceError } from '@parley/protocol';
import type { FromThread, ToThread } from './thread-messages.ts';

/** Where an engine runs, as the worker sees it. */
export interface EngineHost {
  post(message: ToThread): void;
  onMessage(handler: (message: FromThread) => void): void;
  /** Told when it has ended by itself; perhaps more than once. */
  onEnd(handler: (error: VoiceError) => void): void;
  /** Ends it, whatever it is doing. */
  terminate(): Promise<unknown>;
}

export interface EngineHostOptions {
  readonly name: string;
  /** The module that runs there, and what it is told: JSON. */
  readonly entry: URL;
  readonly workerData: unknown;
}

/** What is kept of what a native library prints while it loads. */
const MAX_COMPLAINT_CHARS = 1_000;

/** A worker thread: a fault of its native code ends the whole process. */
export function startThread({ name, entry, workerData }: EngineHostOptions): EngineHost {
  const worker = new Worker(entry, { workerData, name, stdin: true });
  return {
    post(message) {
      const transfer = message.type === 'accept' ? [message.samples.buffer as ArrayBuffer] : [];
      worker.postMessage(message, transfer);
    },
    onMessage: (handler) => void worker.on('message', handler),
    onEnd(handler) {
      worker.on('error', (cause) => handler(new VoiceError('engine_failed', `${name} crashed`, { cause })));
      worker.on('messageerror', (cause) =>
        handler(new VoiceError('engine_failed', `${name} sent nonsense`, { cause })),
      );
      worker.on('exit', (code) => handler(new VoiceError('engine_failed', `${name} ended with code ${code}`)));
    },
    terminate: () => worker.terminate(),
  };
}

/** A process of its own, for engines whose native code ends its process where it meets something unexpected. */
export function startProcess({ name, entry, workerData }: EngineHostOptions): EngineHost {
  const child = fork(entry, [JSON.stringify(workerData)], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  // Once it hears, its standard error may quote what was said, and is read by nobody.
  let complaints = '';
  let isLoading = true;
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    if (isLoading) complaints = (complaints + text).slice(-MAX_COMPLAINT_CHARS);
  });
  return {
    post(message) {
      // Where it has just ended, its end is told.
      if (child.connected) child.send(message, () => undefined);
    },
    onMessage(handler) {
      child.on('message', (message: FromThread) => {
        isLoading &&= message.type !== 'ready';
        handler(message);
      });
    },
    onEnd(handler) {
      child.once('error', (cause) => handler(new VoiceError('engine_failed', `${name} crashed`, { cause })));
      child.once('exit', (code, signal) => {
        const detail = isLoading && complaints !== '' ? `: ${complaints.trim()}` : '';
        handler(new VoiceError('engine_failed', `${name} ended with ${signal ?? `code ${code}`}${detail}`));
      });
    },
    async terminate() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await ended;
    },
  };
}

import { Worker } from 'node:worker_threads';
import type { FileFacts } from './lock-file.ts';
import { ModelError } from './model-error.ts';
import type { UnpackThreadData, UnpackThreadMessage } from './unpack-thread.ts';

const LIMITS = { maxBytes: 8_000_000_000, maxEntries: 20_000 };

export interface UnpackRequest {
  readonly archivePath: string;
  /** An empty folder. */
  readonly into: string;
  readonly signal: AbortSignal;
  /** How much of the archive has been read. */
  readonly onBytes?: (doneBytes: number) => void;
}

/**
 * Unpacks a tar.bz2 and returns the sizes and checksums of its files. In a thread, for each block keeps a core busy for
 * up to half a second, and a large archive for a minute.
 */
export function unpack({ archivePath, into, signal, onBytes }: UnpackRequest): Promise<Record<string, FileFacts>> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const worker = new Worker(new URL('./unpack-thread.ts', import.meta.url), {
      workerData: { archivePath, into, limits: LIMITS } satisfies UnpackThreadData,
    });
    let end = (): void => reject(new ModelError('bad_archive', `${archivePath} could not be unpacked`));
    const onAbort = (): void => {
      end = () => reject(signal.reason);
      void worker.terminate();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    worker.on('message', (message: UnpackThreadMessage) => {
      switch (message.type) {
        case 'read':
          onBytes?.(message.bytes);
          return;
        case 'done':
          end = () => resolve(message.files);
          return;
        case 'failed':
          end = () => reject(new ModelError(message.kind === 'disk' ? 'disk' : 'bad_archive', message.message));
          return;
        default:
          message satisfies never;
      }
    });
    worker.on('error', (cause) => {
      end = () => reject(new ModelError('bad_archive', `${archivePath} could not be unpacked`, { cause }));
    });
    // Only when the thread is gone does nothing write into the folder any more.
    worker.on('exit', () => {
      signal.removeEventListener('abort', onAbort);
      end();
    });
  });
}

import { createReadStream } from 'node:fs';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parentPort, workerData } from 'node:worker_threads';
import unbzip2 from 'unbzip2-stream';
import { type ExtractLimits, extractTar } from './extract-tar.ts';
import type { FileFacts } from './lock-file.ts';
import { ModelError } from './model-error.ts';

export interface UnpackThreadData {
  readonly archivePath: string;
  readonly into: string;
  readonly limits: ExtractLimits;
}

export type UnpackThreadMessage =
  | { readonly type: 'read'; readonly bytes: number }
  | { readonly type: 'done'; readonly files: Record<string, FileFacts> }
  | { readonly type: 'failed'; readonly kind: 'archive' | 'disk'; readonly message: string };

const { archivePath, into, limits }: UnpackThreadData = workerData;

function tell(message: UnpackThreadMessage): void {
  parentPort?.postMessage(message);
}

/** The decoder of bzip2 stumbles over the end of a file that was cut short. */
function brokenBecause(error: unknown): string {
  if (!(error instanceof Error) || error instanceof TypeError) return 'the archive ends too early, or is broken';
  return `the archive is broken (${error.message})`;
}

const reading = createReadStream(archivePath);
const unpacked = new PassThrough();
let bytes = 0;
reading.on('data', (chunk) => {
  bytes += chunk.length;
  tell({ type: 'read', bytes });
});
// Its failure destroys `unpacked`, which ends the extraction with the same error.
const decoding = pipeline(reading, unbzip2(), unpacked).catch(() => undefined);
try {
  const files = await extractTar(unpacked, into, limits);
  await decoding;
  tell({ type: 'done', files });
} catch (error) {
  const failure = ModelError.fromDisk(error);
  const kind = failure instanceof ModelError && failure.code === 'disk' ? 'disk' : 'archive';
  tell({ type: 'failed', kind, message: failure instanceof ModelError ? failure.message : brokenBecause(failure) });
  reading.destroy();
}

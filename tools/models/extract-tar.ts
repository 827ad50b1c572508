import { createHash, type Hash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar-stream';
import type { FileFacts } from './lock-file.ts';
import { ModelError } from './model-error.ts';

export interface ExtractLimits {
  /** Of all files together, unpacked. */
  readonly maxBytes: number;
  readonly maxEntries: number;
}

/**
 * Writes the files of a tar archive under `into`, without the one folder that holds them all, and returns their sizes and
 * checksums by path. Only files and folders are made, never links or devices, so that no name can lead anywhere else;
 * names that try are refused.
 */
export async function extractTar(
  source: Readable,
  into: string,
  { maxBytes, maxEntries }: ExtractLimits,
): Promise<Record<string, FileFacts>> {
  const files: Record<string, FileFacts> = {};
  const entries = extract();
  // Its failure ends the entries below with the same error.
  const feeding = pipeline(source, entries).catch(() => undefined);
  let root: string | undefined;
  let bytes = 0;
  let count = 0;
  for await (const entry of entries) {
    const { name, type, size = 0 } = entry.header;
    const [top, ...inside] = safeSegments(name);
    count += 1;
    bytes += size;
    if (count > maxEntries) throw new ModelError('bad_archive', `the archive has more than ${maxEntries} entries`);
    if (bytes > maxBytes) throw new ModelError('bad_archive', `the archive unpacks to more than ${maxBytes} bytes`);
    if (type !== 'file' || isMacResidue(name) || top === undefined) {
      entry.resume();
      continue;
    }
    root ??= top;
    if (inside.length === 0 || top !== root) {
      throw new ModelError('bad_archive', `the archive is not one folder: it holds ${root} and ${name}`);
    }
    const path = inside.join('/');
    if (files[path] !== undefined) throw new ModelError('bad_archive', `the archive holds ${path} twice`);
    const target = join(into, path);
    await mkdir(dirname(target), { recursive: true });
    const hash = createHash('sha256');
    await pipeline(hashing(entry, hash), createWriteStream(target, { flags: 'wx', mode: 0o644 }));
    files[path] = { sizeBytes: size, sha256: hash.digest('hex') };
  }
  await feeding;
  return files;
}

async function* hashing(chunks: AsyncIterable<unknown>, hash: Hash): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    if (!(chunk instanceof Uint8Array)) throw new TypeError('an archive consists of bytes');
    hash.update(chunk);
    yield chunk;
  }
}

/** What macOS' tar adds beside each file. */
function isMacResidue(name: string): boolean {
  return /(^|\/)\._[^/]*$/.test(name);
}

function safeSegments(name: string): string[] {
  const segments = name.split('/').filter((segment) => segment !== '' && segment !== '.');
  if (name.startsWith('/') || /[\\\0]|^[a-z]:/i.test(name) || segments.includes('..')) {
    throw new ModelError(
      'bad_archive',
      `the archive holds a name that leads out of its folder: ${JSON.stringify(name)}`,
    );
  }
  return segments;
}

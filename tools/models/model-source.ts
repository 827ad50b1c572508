import { basename, join } from 'node:path';
import type { Model } from './manifest.ts';
import { ModelError } from './model-error.ts';

/** Where models come from: the makers' own hosts, a mirror of them, or a folder of files brought by other means. */
export type ModelSource =
  | { readonly kind: 'origin' }
  | { readonly kind: 'mirror'; readonly baseUrl: string }
  | { readonly kind: 'folder'; readonly dir: string };

/** The address to ask instead of `url`: a mirror keeps the path and replaces what comes before it. */
export function addressOf(url: string, source: ModelSource): string {
  if (source.kind !== 'mirror') return url;
  const { pathname, search } = new URL(url);
  return `${source.baseUrl.replace(/\/+$/, '')}${pathname}${search}`;
}

/** Where in an offline folder the file of that URL lies. */
export function fileInFolder(url: string, dir: string): string {
  return join(dir, basename(new URL(url).pathname));
}

/** Adds to a failure what to do about it. */
export function withAdvice(error: unknown, { name, url, exact }: Model, source: ModelSource): unknown {
  if (!(error instanceof ModelError) || error.advice !== undefined) return error;
  const again = `npm run models -- get ${name}`;
  switch (error.code) {
    case 'unreachable':
    case 'stalled':
    case 'broken_off':
    case 'server_failed':
      return error.advising(
        `With a network, run again: ${again} (it goes on where it stopped). Without one, either set ` +
          'PARLEY_MODELS_MIRROR to the base URL of a mirror, or bring ' +
          `${addressOf(url, source)} into a folder and set PARLEY_MODELS_OFFLINE_DIR to that folder.`,
      );
    case 'not_found':
      return error.advising(
        source.kind === 'folder'
          ? `Bring ${url} into that folder.`
          : source.kind === 'mirror'
            ? 'The mirror lacks this file: add it there, or unset PARLEY_MODELS_MIRROR.'
            : 'It has been moved or withdrawn: choose another model with npm run models -- list.',
      );
    case 'wrong_hash':
    case 'wrong_size':
      return error.advising(
        exact === undefined
          ? 'Suspect the mirror, the folder or a proxy in between. If you know that the model was published anew, forget ' +
              `what was noted of the old one: npm run models -- remove ${name} --forget`
          : "The right checksum is part of Parley's list: suspect the mirror, the folder or a proxy in between.",
      );
    case 'lock_lost':
      return error.advising(`Run again: ${again}`);
    default:
      return error;
  }
}

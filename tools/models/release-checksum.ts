import { z } from 'zod';
import { HTTP_TIMEOUTS, type HttpTimeouts, httpGet } from './http-request.ts';
import { addressOf, type ModelSource } from './model-source.ts';

/** The list of a release with some hundred files has about a megabyte. */
const MAX_LIST_BYTES = 16_000_000;
const PAGE_LENGTH = 100;
const MAX_PAGES = 20;

const Asset = z.object({ name: z.string(), size: z.int().positive(), digest: z.string().nullish() });
const Release = z.object({ assets_url: z.url(), assets: z.array(Asset) });

/** What a release says of one of its files. Files uploaded before mid-2025 have a size there and no checksum. */
export interface ReleaseChecksum {
  readonly sizeBytes: number;
  readonly sha256: string | undefined;
}

export interface ReleaseQuestion {
  readonly url: string;
  readonly source: ModelSource;
  readonly signal?: AbortSignal | undefined;
  readonly timeouts?: HttpTimeouts;
}

/**
 * Asks the GitHub release that holds a file for its size and checksum. Undefined when the file is in no release, or the
 * release, or the mirror of it, does not answer: that is no reason not to fetch the file.
 */
export async function releaseChecksum(question: ReleaseQuestion): Promise<ReleaseChecksum | undefined> {
  const [, repository, tag, file] =
    /^https:\/\/github\.com\/([^/]+\/[^/]+)\/releases\/download\/([^/]+)\/([^/]+)$/.exec(question.url) ?? [];
  if (repository === undefined || tag === undefined || file === undefined) return undefined;
  try {
    const release = Release.parse(
      await getJson(`https://api.github.com/repos/${repository}/releases/tags/${tag}`, question),
    );
    let asset = release.assets.find(({ name }) => name === file);
    for (let page = 1; asset === undefined && page <= MAX_PAGES; page += 1) {
      const list = z
        .array(Asset)
        .parse(await getJson(`${release.assets_url}?per_page=${PAGE_LENGTH}&page=${page}`, question));
      asset = list.find(({ name }) => name === file);
      if (list.length < PAGE_LENGTH) break;
    }
    if (asset === undefined) return undefined;
    return { sizeBytes: asset.size, sha256: /^sha256:([0-9a-f]{64})$/.exec(asset.digest ?? '')?.[1] };
  } catch {
    question.signal?.throwIfAborted();
    return undefined;
  }
}

async function getJson(url: string, { source, signal, timeouts }: ReleaseQuestion): Promise<unknown> {
  const answer = await httpGet({
    url: addressOf(url, source),
    headers: { accept: 'application/vnd.github+json' },
    signal,
    timeouts: timeouts ?? HTTP_TIMEOUTS,
  });
  try {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of answer.body()) {
      bytes += chunk.byteLength;
      if (bytes > MAX_LIST_BYTES) throw new Error('the list of files is too long');
      chunks.push(chunk);
    }
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } finally {
    answer.close();
  }
}

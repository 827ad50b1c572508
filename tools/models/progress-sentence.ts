import { formatBytes } from './format-bytes.ts';
import type { ModelProgress } from './install.ts';

/** What is being done, in words that go behind the model's name. */
export function progressSentence(progress: ModelProgress): string {
  switch (progress.phase) {
    case 'waiting':
      return 'another process is fetching it: waiting';
    case 'asking':
      return 'asking the release for its checksum';
    case 'retrying':
      return `${progress.reason}; trying again`;
    case 'downloading':
    case 'unpacking': {
      const { doneBytes, totalBytes } = progress;
      const share = totalBytes
        ? ` of ${formatBytes(totalBytes)} (${Math.floor((100 * doneBytes) / totalBytes)} %)`
        : '';
      return `${progress.phase} ${formatBytes(doneBytes)}${share}`;
    }
    default:
      return progress satisfies never;
  }
}

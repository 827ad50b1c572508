import { peakDbfs } from '@parley/audio';

/** Below this nobody hears anything, but models that hear a segment as a whole make words of it. */
const SILENT_BELOW_DBFS = -60;

/** Whether there is anything in a segment that could be speech. */
export function isAudible(samples: Int16Array): boolean {
  return samples.length > 0 && peakDbfs(samples) >= SILENT_BELOW_DBFS;
}

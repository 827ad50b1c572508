import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { firstSampleAbove, lastSampleAbove, readWav, resample } from '@parley/audio';
import { INPUT_RATE_HZ } from '@parley/protocol';
import { TalkFailure } from './talk-failure.ts';

/** What counts as speech rather than as the noise of a room, where times of speech are told. */
const SPEECH_DBFS = -40;

/** A WAV file as it is spoken: 16 kHz mono. */
export interface Recording {
  readonly name: string;
  readonly samples: Int16Array;
  /** First sample of speech; undefined for a file that holds none. */
  readonly speechStart: number | undefined;
}

/** Reads a WAV file of any rate. Throws a `TalkFailure` that names the file. */
export async function readRecording(path: string): Promise<Recording> {
  try {
    const { samples, sampleRateHz } = readWav(await readFile(path));
    const spoken = await resample(samples, sampleRateHz, INPUT_RATE_HZ);
    return { name: basename(path), samples: spoken, speechStart: firstSampleAbove(spoken, SPEECH_DBFS) };
  } catch (cause) {
    throw new TalkFailure(`${path}: ${reasonOf(cause)}`, { cause });
  }
}

/** Last sample of speech before a position in the recording. */
export const speechEndBefore = ({ samples }: Recording, position: number): number | undefined =>
  lastSampleAbove(samples.subarray(0, Math.max(0, position)), SPEECH_DBFS);

function reasonOf(cause: unknown): string {
  const { code, message } = cause as { code?: unknown; message?: unknown };
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EISDIR') return 'this is a folder, not a WAV file';
  if (code === 'EACCES') return 'the file may not be read';
  return typeof message === 'string' ? message : 'the file cannot be read';
}

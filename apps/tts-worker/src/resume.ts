import { concatInt16, msToSamples, rmsDbfs } from '@parley/audio';

/** Speech, at one rate, as it comes. */
export type Speech = AsyncIterable<Int16Array>;

/** Leaves out the first samples: exact where the same text gives the same samples again. */
export async function* skipSamples(speech: Speech, count: number): AsyncGenerator<Int16Array> {
  let remaining = count;
  for await (const samples of speech) {
    if (samples.length > remaining) yield samples.subarray(remaining);
    remaining = Math.max(0, remaining - samples.length);
  }
}

/** How far a silence is looked for. */
const SEARCH_MS = 1_000;
const FRAME_MS = 10;
/** Softer than this is taken for a pause between words. */
const SILENCE_DBFS = -45;
const FADE_IN_MS = 5;

/**
 * Goes on with another rendering of a text of which `count` samples have been heard: at the first silence after that
 * point or, where there is none for a second, at the softest place of that second, faded in.
 */
export async function* continueAtSilence(speech: Speech, count: number, rateHz: number): AsyncGenerator<Int16Array> {
  const searchSamples = msToSamples(SEARCH_MS, rateHz);
  const held: Int16Array[] = [];
  let heldSamples = 0;
  let found = false;
  for await (const samples of skipSamples(speech, count)) {
    if (found) {
      yield samples;
      continue;
    }
    held.push(samples);
    heldSamples += samples.length;
    const window = concatInt16(held.splice(0));
    held.push(window);
    const searched = window.subarray(0, searchSamples);
    const start =
      firstSilence(searched, rateHz) ?? (heldSamples >= searchSamples ? softest(searched, rateHz) : undefined);
    if (start === undefined) continue;
    found = true;
    yield fadeIn(window.subarray(start), rateHz);
  }
  // The rest of the clause is short and without a pause: it is the end of the word that was being said.
  if (!found && heldSamples > 0) yield fadeIn(concatInt16(held), rateHz);
}

function firstSilence(samples: Int16Array, rateHz: number): number | undefined {
  return frames(samples, rateHz).find((start) => levelAt(samples, start, rateHz) < SILENCE_DBFS);
}

function softest(samples: Int16Array, rateHz: number): number {
  let softestStart = 0;
  let softestLevel = Number.POSITIVE_INFINITY;
  for (const start of frames(samples, rateHz)) {
    const level = levelAt(samples, start, rateHz);
    if (level < softestLevel) [softestStart, softestLevel] = [start, level];
  }
  return softestStart;
}

function frames(samples: Int16Array, rateHz: number): number[] {
  const size = msToSamples(FRAME_MS, rateHz);
  return Array.from({ length: Math.floor(samples.length / size) }, (_, index) => index * size);
}

function levelAt(samples: Int16Array, start: number, rateHz: number): number {
  return rmsDbfs(samples.subarray(start, start + msToSamples(FRAME_MS, rateHz)));
}

function fadeIn(samples: Int16Array, rateHz: number): Int16Array {
  const fadeSamples = msToSamples(FADE_IN_MS, rateHz);
  return samples.map((value, index) => (index < fadeSamples ? Math.round((value * index) / fadeSamples) : value));
}

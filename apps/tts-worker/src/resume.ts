import { concatInt16, INT16_SCALE, msToSamples, rms, rmsDbfs } from '@parley/audio';

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

/** How much of what was heard is compared with a new rendering. */
export const COMPARED_MS = 200;
/** Two renderings whose difference is this much softer than themselves are one: only rounding tells them apart. */
const SAME_DB = 40;
/** A difference that nobody hears, however soft the speech. */
const SAME_LSB = 2;

/** What an earlier try, or another engine, has said of a clause. */
export interface Heard {
  readonly samples: number;
  /** The last of those samples, `COMPARED_MS` at most; undefined where they are no longer known. */
  readonly tail: Int16Array | undefined;
}

/** How a half-heard clause is gone on with: at the same sample, or at a silence of a new rendering. */
export type ResumeWay = 'same_sample' | 'silence';

export interface ResumeOptions {
  readonly rateHz: number;
  /** The engine says that it gives the same samples again: believed where nothing is left to compare. */
  readonly deterministic: boolean;
  onWay?(way: ResumeWay): void;
}

/**
 * Goes on with a clause from its rendering as a whole: at exactly the next sample where the rendering repeats what was
 * heard last, whatever its engine says of itself; else at the nearest silence.
 */
export async function* continueSpeech(
  speech: Speech,
  { samples, tail }: Heard,
  { rateHz, deterministic, onWay }: ResumeOptions,
): AsyncGenerator<Int16Array> {
  const compared = tail ?? new Int16Array(0);
  const rest = skipSamples(speech, samples - compared.length);
  try {
    let window: Int16Array = new Int16Array(0);
    while (window.length < compared.length) {
      const next = await rest.next();
      if (next.done) break;
      window = concatInt16([window, next.value]);
    }
    const isSame = tail === undefined ? deterministic : isSameSpeech(window.subarray(0, compared.length), compared);
    onWay?.(isSame ? 'same_sample' : 'silence');
    const following = prepend(window.subarray(compared.length), rest);
    yield* isSame ? following : continueAtSilence(following, 0, rateHz);
  } finally {
    await rest.return(undefined);
  }
}

function isSameSpeech(one: Int16Array, other: Int16Array): boolean {
  if (one.length !== other.length) return false;
  const difference = one.map((value, index) => Math.max(-32_768, Math.min(32_767, value - (other[index] ?? 0))));
  return rms(difference) <= Math.max(SAME_LSB / INT16_SCALE, rms(other) / 10 ** (SAME_DB / 20));
}

async function* prepend(first: Int16Array, rest: Speech): AsyncGenerator<Int16Array> {
  if (first.length > 0) yield first;
  yield* rest;
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

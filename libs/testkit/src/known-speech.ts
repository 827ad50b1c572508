import { readFileSync } from 'node:fs';
import { readWav } from '@parley/audio';

/** A word of a recording, in samples of the audio that was looked at. */
export interface KnownWord {
  readonly word: string;
  readonly startSample: number;
  readonly endSample: number;
}

interface Recording {
  readonly samples: Int16Array;
  /** By this it is found: the bytes of its first sound, which begins at `firstSample`. */
  readonly key: Buffer;
  readonly firstSample: number;
  readonly words: readonly KnownWord[];
}

const SPEECH = new URL('../fixtures/speech/', import.meta.url);
const AUDIBLE = 200;
const KEY_SAMPLES = 64;

let recordings: readonly Recording[] | undefined;

/**
 * Finds the recordings of `fixtures/speech` in 16 kHz audio that contains them sample for sample, from their beginnings
 * on, and tells their words as far as they are there: what a scripted recogniser hears.
 */
export function hearKnownSpeech(samples: Int16Array): KnownWord[] {
  recordings ??= loadRecordings();
  const bytes = Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
  const heard = recordings.flatMap((recording) => {
    const words: KnownWord[] = [];
    for (let at = bytes.indexOf(recording.key); at >= 0; at = bytes.indexOf(recording.key, at + 2)) {
      if (at % 2 === 0) words.push(...wordsFrom(recording, samples, at / 2));
    }
    return words;
  });
  return heard.toSorted((a, b) => a.startSample - b.startSample);
}

/** The words of a recording whose first sound is at `at`, up to where the audio is no longer the recording. */
function wordsFrom(recording: Recording, samples: Int16Array, at: number): KnownWord[] {
  const offset = at - recording.firstSample;
  let end = recording.firstSample;
  while (end < recording.samples.length && samples[offset + end] === recording.samples[end]) end += 1;
  return recording.words
    .filter((word) => word.endSample <= end)
    .map(({ word, startSample, endSample }) => ({
      word,
      startSample: offset + startSample,
      endSample: offset + endSample,
    }));
}

function loadRecordings(): Recording[] {
  const manifest = JSON.parse(readFileSync(new URL('manifest.json', SPEECH), 'utf8')) as {
    items: { file: string; text: string }[];
  };
  return manifest.items
    .filter(({ text }) => text !== '')
    .map(({ file, text }) => {
      const { samples } = readWav(readFileSync(new URL(file, SPEECH)));
      const firstSample = samples.findIndex((sample) => Math.abs(sample) >= AUDIBLE);
      const lastSample = samples.findLastIndex((sample) => Math.abs(sample) >= AUDIBLE);
      const first = samples.slice(firstSample, firstSample + KEY_SAMPLES);
      return { samples, firstSample, key: Buffer.from(first.buffer), words: spread(text, firstSample, lastSample) };
    });
}

/** Where the words are is not known: each takes as much of the time as of the letters. */
function spread(text: string, firstSample: number, lastSample: number): KnownWord[] {
  const samplesPerLetter = (lastSample - firstSample) / text.length;
  let letter = 0;
  return text.split(' ').map((word) => {
    const startSample = Math.round(firstSample + letter * samplesPerLetter);
    letter += word.length + 1;
    const endSample = Math.round(firstSample + (letter - 1) * samplesPerLetter);
    return { word, startSample, endSample };
  });
}

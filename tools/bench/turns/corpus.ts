import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readWav, resample } from '@parley/audio';
import { INPUT_RATE_HZ } from '@parley/protocol';
import type { UtteranceClass } from './seeds.ts';
import { BACKCHANNELS, INTERRUPTIONS, PAUSE, type Split, UTTERANCE_CLASSES, UTTERANCES } from './seeds.ts';

/** flite's voices, `kal16` being `kal` at a rate that needs no resampling. */
const VOICES = ['slt', 'rms', 'awb', 'kal16'] as const;
export type Voice = (typeof VOICES)[number];

/** What somebody says, as the microphone hears it: begins with the first loud sample, ends with the last. */
export interface Recording {
  readonly text: string;
  readonly voice: Voice | 'none';
  readonly samples: Int16Array;
}

/** A whole utterance of one speaker. */
export interface Utterance extends Recording {
  readonly kind: UtteranceClass;
  /** What is said between the pauses, and where in the samples. */
  readonly pieces: readonly { readonly text: string; readonly startSample: number; readonly endSample: number }[];
  /** Lengths of the pauses inside. */
  readonly pausesMs: readonly number[];
}

/** −40 dBFS: what counts as a loud sample. */
const LOUD = 328;
/** Levels of voices differ by more than people's do: all are brought to the same peak. */
const PEAK = 12_000;
const PAUSES_MS = [300, 500, 700, 900, 1_200, 1_500];
/** People who dictate digits breathe between the groups, they do not think. */
const NUMBER_PAUSES_MS = [300, 450, 600, 800, 1_000];
const SECONDS = 1_000 / INPUT_RATE_HZ;

/** Renders everything that is said in one part of the seeds, each sentence by `voices` of the four voices. */
export class Corpus {
  readonly #rendered = new Map<string, Promise<Int16Array>>();
  readonly #split: Split;

  constructor(split: Split) {
    this.#split = split;
  }

  /** Utterances of all kinds, or of some, in an order that mixes them. */
  async utterances(
    voicesPerSeed: number,
    kinds: readonly UtteranceClass[] = UTTERANCE_CLASSES,
  ): Promise<readonly Utterance[]> {
    const utterances: Utterance[] = [];
    for (const kind of kinds) {
      for (const [index, seed] of UTTERANCES[this.#split][kind].entries()) {
        for (let turn = 0; turn < voicesPerSeed; turn += 1) {
          // Where a sentence is said again, it is by another voice and with other pauses.
          const voice = VOICES[(index + turn) % VOICES.length] ?? 'slt';
          utterances.push(await this.#utterance(kind, seed, voice, index + 2 * turn));
        }
      }
    }
    return shuffled(utterances);
  }

  async backchannels(voicesPerSeed: number): Promise<readonly Recording[]> {
    return shuffled(await this.#plain(BACKCHANNELS[this.#split], voicesPerSeed));
  }

  async interruptions(voicesPerSeed: number): Promise<readonly Recording[]> {
    return shuffled(await this.#plain(INTERRUPTIONS[this.#split], voicesPerSeed));
  }

  async #plain(seeds: readonly string[], voicesPerSeed: number): Promise<Recording[]> {
    const recordings: Recording[] = [];
    for (const [index, text] of seeds.entries()) {
      for (let turn = 0; turn < voicesPerSeed; turn += 1) {
        const voice = VOICES[(index + turn) % VOICES.length] ?? 'slt';
        recordings.push({ text, voice, samples: await this.#render(text, voice) });
      }
    }
    return recordings;
  }

  async #utterance(kind: UtteranceClass, seed: string, voice: Voice, variant: number): Promise<Utterance> {
    const pieces = seed.split(PAUSE).map((piece) => piece.trim());
    const lengths = kind === 'number' ? NUMBER_PAUSES_MS : PAUSES_MS;
    const pausesMs = pieces.slice(1).map((_, index) => lengths[(variant + 2 * index) % lengths.length] ?? 300);
    const parts: Int16Array[] = [];
    const placed: Utterance['pieces'][number][] = [];
    let at = 0;
    for (const [index, text] of pieces.entries()) {
      if (index > 0) parts.push(new Int16Array(Math.round((pausesMs[index - 1] ?? 0) / SECONDS)));
      const spoken = await this.#render(text, voice);
      const startSample = at + (index > 0 ? (parts.at(-1)?.length ?? 0) : 0);
      parts.push(spoken);
      at = startSample + spoken.length;
      placed.push({ text, startSample, endSample: at });
    }
    return { kind, text: pieces.join(' '), pieces: placed, voice, samples: joined(parts), pausesMs };
  }

  #render(text: string, voice: Voice): Promise<Int16Array> {
    const key = `${voice} ${text}`;
    const rendered = this.#rendered.get(key) ?? render(text, voice);
    this.#rendered.set(key, rendered);
    return rendered;
  }
}

/** Coughs: one or two bursts of noise that begin hard and fade, of 80 to 350 ms and different loudness. */
export function coughs(count: number): readonly Recording[] {
  const random = generator(20_261_121);
  return Array.from({ length: count }, (_, index) => {
    const burst = (): Int16Array => {
      const samples = new Int16Array(Math.round((80 + 270 * random()) / SECONDS));
      const peak = 6_000 + 14_000 * random();
      let low = 0;
      for (let at = 0; at < samples.length; at += 1) {
        low += 0.35 * (2 * random() - 1 - low);
        const envelope = Math.min(1, at / 80) * Math.exp((-3 * at) / samples.length);
        samples[at] = Math.round(2 * peak * low * envelope);
      }
      return samples;
    };
    const gap = new Int16Array(Math.round((80 + 150 * random()) / SECONDS));
    const samples = index % 2 === 0 ? burst() : joined([burst(), gap, burst()]);
    return { text: '', voice: 'none', samples: trimmed(samples) };
  });
}

async function render(text: string, voice: Voice): Promise<Int16Array> {
  const folder = await mkdtemp(join(tmpdir(), 'parley-corpus-'));
  const file = join(folder, 'speech.wav');
  try {
    const flite = spawn('flite', ['-voice', voice, '-f', '-', '-o', file], { stdio: ['pipe', 'ignore', 'inherit'] });
    flite.stdin.end(text);
    const [code] = await once(flite, 'close');
    if (code !== 0) throw new Error(`flite ended with code ${code}`);
    const { samples, sampleRateHz } = readWav(await readFile(file));
    return trimmed(levelled(await resample(samples, sampleRateHz, INPUT_RATE_HZ)));
  } finally {
    await rm(folder, { recursive: true });
  }
}

function levelled(samples: Int16Array): Int16Array {
  const peak = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 1);
  return samples.map((sample) => Math.round((sample * PEAK) / peak));
}

/** From the first loud sample to the last. */
function trimmed(samples: Int16Array): Int16Array {
  const isLoud = (sample: number): boolean => Math.abs(sample) >= LOUD;
  return samples.slice(Math.max(0, samples.findIndex(isLoud)), samples.findLastIndex(isLoud) + 1);
}

function joined(parts: readonly Int16Array[]): Int16Array {
  const all = new Int16Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** The same order in every run. */
function shuffled<T>(items: readonly T[]): T[] {
  const random = generator(7);
  return items
    .map((item) => ({ item, place: random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item);
}

/** Numbers from 0 to 1 by a linear congruential generator: nothing is to differ from run to run. */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

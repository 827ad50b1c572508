import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { int16ToBytes } from '@parley/audio';
import { afterEach, expect, it } from 'vitest';
import { createRecognizer } from '../engines/knowing-recognizer.ts';
import { conversationOf } from './conversation.ts';
import type { Utterance } from './corpus.ts';
import { generator } from './corpus.ts';
import { KNOWN_AUDIO, KNOWN_WORDS, wordsOver, writtenWords } from './known-words.ts';

const folders: string[] = [];

afterEach(async () => {
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true })));
});

/** A tone in two pieces with a pause of 500 ms between. */
function utterance(): Utterance {
  const samples = Int16Array.from({ length: 40_000 }, (_, at) =>
    at >= 16_000 && at < 24_000 ? 0 : Math.round(8_000 * Math.sin(at / 7)),
  );
  return {
    ...{ kind: 'natural-pause', text: 'First this, then that.', voice: 'slt', samples, pausesMs: [500] },
    pieces: [
      { text: 'First this,', startSample: 0, endSample: 16_000 },
      { text: 'then that.', startSample: 24_000, endSample: 40_000 },
    ],
  };
}

it('spreads words over the time of their text, longer ones over more of it', () => {
  expect(wordsOver('a bcd', 1_000, 1_600)).toEqual([
    { word: 'a', sample: 1_100 },
    { word: 'bcd', sample: 1_400 },
  ]);
  expect(wordsOver('', 0, 100)).toEqual([]);
});

it('places what is said in a conversation that is the same in every run', () => {
  const [first, again] = [1, 2].map(() => conversationOf([utterance(), utterance()], generator(3)));
  expect(first).toEqual(again);
  for (const { startSample, endSample } of first?.said ?? []) expect(endSample - startSample).toBe(40_000);
});

it('understands a part of the audio as the words that lie in it, wherever it was cut', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'parley-known-'));
  folders.push(folder);
  const conversation = conversationOf([utterance()], generator(3));
  await writeFile(join(folder, KNOWN_AUDIO), int16ToBytes(conversation.samples));
  await writeFile(join(folder, KNOWN_WORDS), JSON.stringify(writtenWords(conversation)));
  const stream = await (await createRecognizer({ modelDir: folder })).open();
  const [said] = conversation.said;
  const hear = async (fromSample: number, toSample: number): Promise<string> => {
    const start = said?.startSample ?? 0;
    stream.accept(conversation.samples.slice(start + fromSample, start + 9_000));
    stream.accept(conversation.samples.slice(start + 9_000, start + toSample));
    return stream.settle();
  };
  expect(await hear(-1_000, 18_000)).toBe('first this');
  expect(await hear(5_000, 39_000)).toBe('this then that');
  expect(await stream.settle()).toBe('');
});

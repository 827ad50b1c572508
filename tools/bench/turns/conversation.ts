import { INPUT_RATE_HZ } from '@parley/protocol';
import type { Utterance } from './corpus.ts';

/** An utterance and where in the audio of its conversation it lies, end exclusive. */
export interface PlacedUtterance {
  readonly utterance: Utterance;
  readonly startSample: number;
  readonly endSample: number;
}

/** All that one speaker says, in one piece of audio, as a microphone hears it that is always on. */
export interface Conversation {
  readonly samples: Int16Array;
  readonly said: readonly PlacedUtterance[];
}

/** Utterances of one voice that make a conversation: habits are learnt within. */
const UTTERANCES_PER_SPEAKER = 8;
/** Between two utterances there is a reply: as much time as no pause takes, and longer than any wait. */
const REPLY_MS = 3_000;
/** A quiet room: the root mean square of an even distribution is its greatest value over √3. */
const BACKGROUND_DBFS = -60;
const BACKGROUND = 32_768 * 10 ** (BACKGROUND_DBFS / 20) * Math.sqrt(3);
const SAMPLES_PER_MS = INPUT_RATE_HZ / 1_000;

/** Utterances by voice, in conversations. */
export function speakersOf(utterances: readonly Utterance[]): readonly (readonly Utterance[])[] {
  const voices = [...new Set(utterances.map(({ voice }) => voice))];
  const byVoice = voices.map((voice) => utterances.filter((utterance) => utterance.voice === voice));
  return byVoice.flatMap((own) =>
    Array.from({ length: Math.ceil(own.length / UTTERANCES_PER_SPEAKER) }, (_, index) =>
      own.slice(index * UTTERANCES_PER_SPEAKER, (index + 1) * UTTERANCES_PER_SPEAKER),
    ),
  );
}

/** The same audio in every run. Every utterance begins at another place in a frame of voice activity. */
export function conversationOf(utterances: readonly Utterance[], random: () => number): Conversation {
  const said: PlacedUtterance[] = [];
  let at = REPLY_MS * SAMPLES_PER_MS;
  for (const utterance of utterances) {
    const startSample = at + Math.floor(random() * 512);
    const endSample = startSample + utterance.samples.length;
    said.push({ utterance, startSample, endSample });
    at = endSample + REPLY_MS * SAMPLES_PER_MS;
  }
  const samples = Int16Array.from({ length: at }, () => (2 * random() - 1) * BACKGROUND);
  for (const { utterance, startSample } of said) {
    utterance.samples.forEach((sample, index) => {
      samples[startSample + index] = (samples[startSample + index] ?? 0) + sample;
    });
  }
  return { samples, said };
}

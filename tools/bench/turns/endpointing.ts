import { setTimeout as sleep } from 'node:timers/promises';
import type { Settings } from '@parley/protocol';
import { speakersOf } from './conversation.ts';
import type { Utterance } from './corpus.ts';
import type { Engines } from './engines.ts';
import { inParallel } from './in-parallel.ts';
import { Person } from './person.ts';
import type { UtteranceClass } from './seeds.ts';

/** How the end of one utterance was found. */
export interface EndFound {
  readonly kind: UtteranceClass;
  readonly voice: string;
  readonly text: string;
  readonly pausesMs: readonly number[];
  /** What was understood at each end, the last one being the right one. */
  readonly understood: readonly string[];
  /** Length of each pause in which the turn was taken to be over. */
  readonly cutOffInMs: readonly number[];
  /** From the last loud sample to `turn.ended` at the client; undefined where none came. */
  readonly waitMs: number | undefined;
  /** From the last loud sample to the sample at which the end was decided: what the listener chose to wait. */
  readonly chosenMs: number | undefined;
  /** How often the end was guessed early, and how often taken back. */
  readonly eager: number;
  readonly resumed: number;
}

const END_TIMEOUT_MS = 8_000;
const BREATH_MS = [400, 900] as const;

/** Lets speakers say everything there is, several at a time, and tells how the end of each utterance was found. */
export async function findEnds(
  urls: readonly string[],
  engines: Engines,
  utterances: readonly Utterance[],
  settings: Partial<Settings>,
  options: { readonly parallel: number; readonly onDone: () => void },
): Promise<readonly EndFound[]> {
  const found: EndFound[] = [];
  await inParallel(speakersOf(utterances), options.parallel, async (own) => {
    const { instructions } = engines.enrol(() => 'Yes.');
    // The answers are not spoken: nobody is interrupted, only the ends matter.
    const person = await Person.connect(urls, { ...settings, instructions, textOnly: true });
    try {
      for (const utterance of own) {
        await breathe();
        found.push(await findEnd(person, utterance));
        options.onDone();
      }
    } finally {
      await person.leave();
    }
  });
  return found;
}

async function findEnd(person: Person, utterance: Utterance): Promise<EndFound> {
  const from = person.received.length;
  const { startSample, endSample } = await person.say(utterance.samples);
  const last = await person.next('turn.ended', from, ({ decidedSample }) => decidedSample >= endSample, END_TIMEOUT_MS);
  const ended = person.of('turn.ended', from);
  const early = ended.filter(({ event }) => event.decidedSample < endSample && event.decidedSample > startSample);
  return {
    ...{ kind: utterance.kind, voice: utterance.voice, text: utterance.text, pausesMs: utterance.pausesMs },
    understood: ended.map(({ event }) => event.text),
    cutOffInMs: early.map(({ event }) => pauseAt(utterance, event.decidedSample - startSample)),
    waitMs: last && last.atMs - person.spokenMs(endSample - 1),
    chosenMs: last && (last.event.decidedSample - endSample) / 16,
    eager: person.of('turn.eager', from).length,
    resumed: person.of('turn.resumed', from).length,
  };
}

/** Length of the pause around or before a sample of an utterance. */
export function pauseAt({ pieces, pausesMs }: Utterance, sample: number): number {
  const index = pieces.findLastIndex(({ endSample }) => endSample <= sample);
  return pausesMs[index] ?? 0;
}

export const breathe = (): Promise<void> => sleep(BREATH_MS[0] + Math.random() * (BREATH_MS[1] - BREATH_MS[0]));

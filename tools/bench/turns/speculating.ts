import type { Settings } from '@parley/protocol';
import { waitUntil } from '@parley/testkit';
import type { Utterance } from './corpus.ts';
import { breathe } from './endpointing.ts';
import { type Asked, type Engines, numberIn } from './engines.ts';
import { inParallel } from './in-parallel.ts';
import { keyOf, Person } from './person.ts';

/** One spoken turn and its answer, with or without speculation. */
export interface Answered {
  readonly kind: string;
  readonly text: string;
  /** From the last loud sample as sent to the first reply sample played. */
  readonly voiceToVoiceMs: number | undefined;
  /** From the last loud sample to `turn.ended`. */
  readonly waitMs: number | undefined;
  /** From `turn.ended` at the client to the first reply audio there. */
  readonly firstAudioMs: number | undefined;
  /** The answer had been prepared before the turn was over. */
  readonly prepared: boolean;
  /** And its speech had begun to come out of the synthesiser. */
  readonly ready: boolean;
  /** The turn was taken to be over too early. */
  readonly cutOff: boolean;
  /** Replies asked of the language model for this turn, and those of them that were never heard. */
  readonly asked: number;
  readonly wasted: number;
}

/** Engines as slow as good hosted ones. */
export const USUAL_PACE = { firstTokenMs: 250, tokensPerSecond: 60, firstByteMs: 150, realTimeFactor: 0.1 };
const ANSWER = (number: number): string => `That is number ${number}.`;
const ANSWER_TIMEOUT_MS = 8_000;
const PER_SPEAKER = 6;

/** Lets speakers say everything, several at a time, and hear the answers out. */
export async function hearAnswers(
  urls: readonly string[],
  engines: Engines,
  utterances: readonly Utterance[],
  settings: Partial<Settings>,
  options: { readonly parallel: number; readonly onDone: () => void },
): Promise<readonly Answered[]> {
  const answered: Answered[] = [];
  const speakers = Array.from({ length: Math.ceil(utterances.length / PER_SPEAKER) }, (_, index) =>
    utterances.slice(index * PER_SPEAKER, (index + 1) * PER_SPEAKER),
  );
  await inParallel(speakers, options.parallel, async (own) => {
    const { name, instructions } = engines.enrol(ANSWER);
    const person = await Person.connect(urls, { ...settings, instructions });
    try {
      for (const utterance of own) {
        await breathe();
        answered.push(await hearAnswer(person, engines, name, utterance));
        options.onDone();
      }
    } finally {
      await person.leave();
    }
  });
  return answered;
}

async function hearAnswer(person: Person, engines: Engines, name: string, utterance: Utterance): Promise<Answered> {
  const from = person.received.length;
  const askedBefore = engines.of(name).length;
  const { endSample } = await person.say(utterance.samples);
  const spokenMs = person.spokenMs(endSample - 1);
  const ended = await person.next('turn.ended', from, (event) => event.decidedSample >= endSample, ANSWER_TIMEOUT_MS);
  const isFor = (event: { readonly turn?: number }): boolean => (event.turn ?? 0) >= (ended?.event.turn ?? Infinity);
  const done = ended && (await person.next('reply.done', from, isFor, ANSWER_TIMEOUT_MS));
  const key = done && keyOf({ turn: done.event.turn, attempt: done.event.attempt });
  await waitUntil(() => person.replies.get(key ?? '')?.outcome === 'complete', ANSWER_TIMEOUT_MS).catch(
    () => undefined,
  );
  const reply = key === undefined ? undefined : person.replies.get(key);
  const firstAudio = key === undefined ? undefined : person.firstAudioMs.get(key);
  const asks = engines.of(name).slice(askedBefore);
  const own = asks.find(({ number }) => number === numberIn(done?.event.text ?? ''));
  const shown = new Set(person.of('reply.done', from).map(({ event }) => numberIn(event.text)));
  const endedMs = ended?.atMs ?? Number.NaN;
  return {
    ...{ kind: utterance.kind, text: utterance.text },
    voiceToVoiceMs: reply?.firstAtMs === undefined ? undefined : reply.firstAtMs - spokenMs,
    waitMs: ended && ended.atMs - spokenMs,
    firstAudioMs: ended && firstAudio !== undefined ? firstAudio - ended.atMs : undefined,
    prepared: own !== undefined && own.requestedMs < endedMs,
    ready: own !== undefined && isReady(engines, own, endedMs),
    cutOff: person.of('turn.ended', from).some(({ event }) => event.decidedSample < endSample),
    asked: asks.length,
    wasted: asks.filter(({ number }) => !shown.has(number)).length,
  };
}

function isReady(engines: Engines, { number }: Asked, atMs: number): boolean {
  const spokenMs = engines.spokenMs.get(number);
  return spokenMs !== undefined && spokenMs + engines.pace.firstByteMs < atMs;
}

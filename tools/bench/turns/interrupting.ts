import type { PlayedReply } from '@parley/client';
import type { Reply, Settings } from '@parley/protocol';
import { waitUntil } from '@parley/testkit';
import { eventTimeMs, monotonicMs, wallClockOffsetMs } from '../clock.ts';
import type { Recording } from './corpus.ts';
import { breathe } from './endpointing.ts';
import { type Engines, SECONDS_PER_CHARACTER } from './engines.ts';
import { inParallel } from './in-parallel.ts';
import { keyOf, Person } from './person.ts';

/** One interruption as the client saw it. */
export interface Stopped {
  readonly text: string;
  readonly voice: string;
  readonly afterMs: number;
  /** From the first loud sample as sent to the last reply sample played. */
  readonly silentMs: number | undefined;
  readonly duckedMs: number | undefined;
  /** From the first loud sample to where the listener heard speech begin. */
  readonly onsetLagMs: number | undefined;
  /** Speech heard when it was confirmed. */
  readonly confirmedMs: number | undefined;
  /** From the sending of the frame with the sample that confirmed to the last reply sample played. */
  readonly beyondMs: number | undefined;
  /** The same from the frame that completed that sample's stream entry. */
  readonly beyondEntryMs: number | undefined;
  /** From the decision in the log to the end of the request at the language model; undefined where none ran. */
  readonly abortMs: number | undefined;
  /** What the history says of the reply. */
  readonly remembered: string | undefined;
  /** Words of it that were not played to their end. */
  readonly unheardWords: readonly string[];
  /** What was understood, and whether it was answered. */
  readonly understood: string;
  readonly answered: boolean;
}

/** What became of a reply over which somebody coughed, or showed that they listen. */
export interface LeftAlone {
  readonly text: string;
  readonly voice: string;
  readonly afterMs: number;
  readonly ducked: boolean;
  /** The reply was stopped, and maybe went on. */
  readonly stopped: boolean;
  /** All of it was heard in the end, over all attempts, and nothing else was said in its place. */
  readonly heardWhole: boolean;
  /** Longest silence between two attempts. */
  readonly gapMs: number;
  readonly understood: string;
  /** What happened from the sound on. */
  readonly story: string;
}

/** The model talks on, and speech is made about as fast as it is heard: both engines are at work at most interruptions. */
export const LONG_ANSWER_PACE = { firstTokenMs: 100, tokensPerSecond: 12, firstByteMs: 80, realTimeFactor: 0.6 };
const LONG = (number: number): string =>
  `Here is answer number ${number} to what you asked. There is a good deal that can be said about it, and most of it is ` +
  'known to everybody. The rest is a matter of taste, as people say, but some of it is worth a closer look. ' +
  'Nobody has counted how often it was tried before it worked. In the end it was a matter of patience and of luck.';
const SHORT = (number: number): string => `This is answer number ${number}. It has two sentences, and both are short.`;
const PROMPT = 'Tell me about it.';
const STEP_TIMEOUT_MS = 8_000;
const ENTRY_SAMPLES = 640;

export interface OverReply {
  readonly recording: Recording;
  /** When to speak, from the first reply sample played. */
  readonly afterMs: number;
}

/** Speaks over replies to stop them. */
export async function interruptReplies(
  urls: readonly string[],
  engines: Engines,
  trials: readonly OverReply[],
  settings: Partial<Settings>,
  options: { readonly parallel: number; readonly onDone: () => void },
): Promise<readonly Stopped[]> {
  const stopped: Stopped[] = [];
  await inParallel(batches(trials), options.parallel, async (own) => {
    const answer = (number: number, text: string): string => (text === PROMPT ? LONG(number) : SHORT(number));
    const { name, instructions } = engines.enrol(answer);
    const person = await Person.connect(urls, { ...settings, instructions });
    try {
      for (const trial of own) {
        await breathe();
        stopped.push(await interruptOne(person, engines, name, trial));
        options.onDone();
      }
    } finally {
      await person.leave();
    }
  });
  return stopped;
}

async function interruptOne(
  person: Person,
  engines: Engines,
  name: string,
  { recording, afterMs }: OverReply,
): Promise<Stopped> {
  const from = person.received.length;
  const askedBefore = engines.of(name).length;
  person.session.sendText(PROMPT);
  const turn = (await person.next('reply.started', from))?.event.turn ?? 0;
  await playedFor(person, turn, afterMs);
  const attempt = person.position()?.attempt ?? 0;
  const spokenFrom = person.received.length;
  const ducksBefore = person.ducksMs.length;
  const { startSample, endSample } = await person.say(recording.samples);
  const startedMs = person.spokenMs(startSample);
  const ended = await person.next('turn.ended', spokenFrom, ({ decidedSample }) => decidedSample >= endSample);
  // A reply of which no word was heard is replaced by another attempt at the same turn, to which the new words belong.
  const isNext = (event: Reply): boolean => event.turn > turn || (event.turn === turn && event.attempt > attempt);
  const next = await person.next('reply.done', spokenFrom, isNext, STEP_TIMEOUT_MS);
  const reply = person.replies.get(keyOf({ turn, attempt }));
  const asks = engines.of(name).slice(askedBefore);
  const [own] = asks;
  const onset = person.of('speech.started', spokenFrom)[0]?.event.sample;
  const confirmed = person.of('speech.confirmed', spokenFrom)[0]?.event.samples;
  const cut =
    person.of('reply.truncated', spokenFrom).find(({ event }) => event.turn === turn) ??
    person.of('reply.cancelled', spokenFrom).find(({ event }) => event.turn === turn);
  const lastMs = reply?.outcome === 'stopped' ? (reply.lastAtMs ?? startedMs) : undefined;
  const decided = onset === undefined || confirmed === undefined ? undefined : onset + confirmed;
  const abortedMs = own && engines.abortedMs(own);
  const history = asks.at(-1)?.messages.findLast(({ role }) => role === 'assistant')?.content;
  const remembered = cut?.event.type === 'reply.truncated' ? history : undefined;
  // What follows is not part of the trial.
  person.session.interrupt();
  await waitUntil(() => person.position()?.outcome !== 'playing', STEP_TIMEOUT_MS).catch(() => undefined);
  const ducked = person.ducksMs[ducksBefore];
  return {
    ...{ text: recording.text, voice: recording.voice, afterMs },
    silentMs: lastMs === undefined ? undefined : lastMs - startedMs,
    duckedMs: ducked === undefined ? undefined : ducked - startedMs,
    onsetLagMs: onset === undefined ? undefined : (onset - startSample) / 16,
    confirmedMs: confirmed === undefined ? undefined : confirmed / 16,
    beyondMs: lastMs === undefined || decided === undefined ? undefined : lastMs - person.frameSentMs(decided - 1),
    beyondEntryMs:
      lastMs === undefined || decided === undefined
        ? undefined
        : lastMs - person.frameSentMs(Math.ceil(decided / ENTRY_SAMPLES) * ENTRY_SAMPLES - 1),
    abortMs: cut && abortedMs !== undefined ? abortedMs - logTimeMs(cut.event.at) : undefined,
    remembered,
    unheardWords: remembered === undefined ? [] : unheard(remembered, person, turn, reply),
    understood: ended?.event.text ?? '',
    answered: next !== undefined,
  };
}

/** Makes sounds over replies that are not meant to stop them. */
export async function disturbReplies(
  urls: readonly string[],
  engines: Engines,
  trials: readonly OverReply[],
  settings: Partial<Settings>,
  options: { readonly parallel: number; readonly onDone: () => void },
): Promise<readonly LeftAlone[]> {
  const disturbed: LeftAlone[] = [];
  await inParallel(batches(trials), options.parallel, async (own) => {
    const { instructions } = engines.enrol(SHORT);
    const person = await Person.connect(urls, { ...settings, instructions });
    try {
      for (const trial of own) {
        await breathe();
        disturbed.push(await disturbOne(person, trial));
        options.onDone();
      }
    } finally {
      await person.leave();
    }
  });
  return disturbed;
}

async function disturbOne(person: Person, { recording, afterMs }: OverReply): Promise<LeftAlone> {
  const from = person.received.length;
  person.session.sendText(PROMPT);
  const turn = (await person.next('reply.started', from))?.event.turn ?? 0;
  await playedFor(person, turn, afterMs);
  const [ducksBefore, stopsBefore] = [person.ducksMs.length, person.stopsMs.length];
  const soundFrom = person.received.length;
  const said = await person.say(recording.samples);
  const started = await person.next('speech.started', from, ({ sample }) => sample >= said.startSample - 1_600, 800);
  const ended =
    started && (await person.next('turn.ended', from, ({ utterance }) => utterance === started.event.utterance));
  await waitUntil(
    () => person.attempts(turn).at(-1)?.outcome === 'complete' || person.of('reply.started', from).length > 4,
    STEP_TIMEOUT_MS + 4_000,
  ).catch(() => undefined);
  const attempts = person.attempts(turn);
  const tookTheTurn = person.of('reply.started', from).some(({ event }) => event.turn > turn);
  const last = attempts.at(-1);
  if (last?.outcome !== 'complete' || tookTheTurn) person.session.interrupt();
  return {
    ...{ text: recording.text, voice: recording.voice, afterMs },
    ducked: person.ducksMs.length > ducksBefore,
    stopped: person.stopsMs.length > stopsBefore,
    heardWhole: last?.outcome === 'complete' && !tookTheTurn,
    gapMs: Math.max(
      0,
      ...attempts.slice(1).map(({ firstAtMs = 0 }, index) => firstAtMs - (attempts[index]?.lastAtMs ?? 0)),
    ),
    understood: ended?.event.text ?? '',
    story: person.received
      .slice(soundFrom)
      .map(({ event }) => event.type)
      .join(' '),
  };
}

/** Waits until the reply of a turn has been played for so long; at once for its first sample. */
const playedFor = (person: Person, turn: number, ms: number): Promise<void> =>
  waitUntil(() => {
    const reply = person.position();
    if (reply?.turn !== turn || reply.firstAtMs === undefined) return false;
    return performance.now() - reply.firstAtMs >= ms;
  }, ms + STEP_TIMEOUT_MS);

/**
 * Words of what is remembered of a reply that were not played to their end. The scripted voice takes the same time for
 * every character, so that the place in the text follows from the samples.
 */
function unheard(remembered: string, person: Person, turn: number, reply: PlayedReply | undefined): string[] {
  const clauses = person
    .of('reply.clause')
    .filter(({ event }) => event.turn === turn && event.attempt === reply?.attempt)
    .sort((a, b) => a.event.clause - b.event.clause)
    .map(({ event }) => event.text.trim());
  let characters = (reply?.samples ?? 0) / person.session.settings.outputRateHz / SECONDS_PER_CHARACTER;
  let heard = '';
  for (const clause of clauses) {
    if (characters <= 0) break;
    heard += ` ${clause.slice(0, Math.floor(characters + 0.5))}`;
    characters -= clause.length;
  }
  const heardWords = wordsOf(heard);
  const words = wordsOf(remembered);
  return words.filter((word, index) => heardWords[index] !== word);
}

const wordsOf = (text: string): string[] => text.toLowerCase().match(/[\p{L}\p{N}']+/gu) ?? [];

/** The time of an event of the log on `performance.now()`. */
const LOG_OFFSET_MS = wallClockOffsetMs() - (performance.now() - monotonicMs());
const logTimeMs = (at: number): number => eventTimeMs(at, LOG_OFFSET_MS);

const TRIALS_PER_SESSION = 6;

const batches = (trials: readonly OverReply[]): OverReply[][] =>
  Array.from({ length: Math.ceil(trials.length / TRIALS_PER_SESSION) }, (_, index) =>
    trials.slice(index * TRIALS_PER_SESSION, (index + 1) * TRIALS_PER_SESSION),
  );

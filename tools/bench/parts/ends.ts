import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { SessionEvent } from '@parley/protocol';
import type { Part, PartContext, PartResult } from '../part.ts';
import { type Conversation, conversationOf, type PlacedUtterance, speakersOf } from '../turns/conversation.ts';
import { Corpus, generator } from '../turns/corpus.ts';
import { Ears, of, type Understanding } from '../turns/ears.ts';
import {
  curveOf,
  DEFAULT_PATIENCE,
  type EndRun,
  endData,
  endRemarks,
  endsTable,
  modelName,
  PATIENCES,
  pausesTable,
} from '../turns/end-figures.ts';
import { type EndFound, pauseAt } from '../turns/endpointing.ts';
import { type KnownWord, wordsOver, writtenWords } from '../turns/known-words.ts';

const MODEL_DIR = fileURLToPath(new URL('../../../libs/testkit/fixtures/models/smart-turn-v3', import.meta.url));
const STT_MODEL_DIR = fileURLToPath(new URL('../../../libs/testkit/fixtures/models/tiny-stt-en', import.meta.url));
const VOICES = 4;
const SEED = 20_261_128;
const SAMPLES_PER_MS = 16;

/** What was said, as one knew it. */
type Words = 'as understood' | 'as written';

interface WordsRun extends EndRun {
  readonly words: Words;
}

/** Pauses of which the end-of-turn model said something, and of which it did not. */
interface SoundAnswers {
  readonly answered: number;
  readonly missed: number;
}

/**
 * When turns are ended, by the corpus heard by the worker alone and faster than it was spoken: only what it chose to wait
 * counts, however busy the machine. Speech is recognised once, and that text taken for every setting; in its place the text
 * as it was written tells errors of recognition from errors of judgement.
 */
export const endsPart: Part = {
  name: 'ends',
  summary: 'ends of turns alone, decided by the real listener faster than the corpus is spoken (held-out part)',
  async run(context) {
    const { options, progress } = context;
    progress('rendering the corpus');
    const corpus = new Corpus(options.tuning ? 'tuning' : 'held-out');
    const random = generator(SEED);
    const audio = speakersOf(await corpus.utterances(options.quick ? 1 : VOICES)).map((own) =>
      conversationOf(own, random),
    );
    const understood = await recognise(audio, context);
    const written = placed(audio, writtenWords);
    const runs: WordsRun[] = [];
    const sounds = { answered: 0, missed: 0 };
    for (const [name, words] of [['as understood', understood] as const, ['as written', written] as const]) {
      for (const model of existsSync(MODEL_DIR) ? [false, true] : [false]) {
        const measured = await measure(audio, words, { name, model }, context);
        runs.push(...measured.runs);
        sounds.answered += measured.answered;
        sounds.missed += measured.missed;
      }
    }
    if (options.drawFile !== undefined) await writeFile(options.drawFile, curveOf(linesOf(runs)));
    return resultOf(runs, sounds, options.recognizer);
  },
};

/** Words of each conversation, at their places in all audio, one conversation after the other. */
function placed(audio: readonly Conversation[], wordsOf: (one: Conversation, index: number) => readonly KnownWord[]) {
  let start = 0;
  return audio.flatMap((conversation, index) => {
    const words = wordsOf(conversation, index).map(({ word, sample }) => ({ word, sample: start + sample }));
    start += conversation.samples.length;
    return words;
  });
}

/** Lets the engine understand everything once, for good where a file is given. */
async function recognise(audio: readonly Conversation[], context: PartContext): Promise<readonly KnownWord[]> {
  const { wordsFile } = context.options;
  if (wordsFile !== undefined && existsSync(wordsFile)) {
    return JSON.parse(await readFile(wordsFile, 'utf8')) as KnownWord[];
  }
  const words = await recogniseNow(audio, context);
  if (wordsFile !== undefined) await writeFile(wordsFile, JSON.stringify(words));
  return words;
}

async function recogniseNow(
  audio: readonly Conversation[],
  { options, progress }: PartContext,
): Promise<readonly KnownWord[]> {
  const isSherpa = options.recognizer === 'sherpa';
  const engine = { engine: options.recognizer, modelDir: isSherpa ? STT_MODEL_DIR : undefined };
  const ears = await Ears.open(engine, undefined);
  try {
    const heard: (readonly SessionEvent[])[] = [];
    for (const [index, conversation] of audio.entries()) {
      progress(`recognising: ${index} of ${audio.length} conversations`);
      heard.push(await ears.hear(conversation, {}));
    }
    return placed(audio, (_, index) =>
      of(heard[index] ?? [], 'transcript.final').flatMap(({ text, fromSample, toSample }) =>
        wordsOver(text, fromSample, toSample),
      ),
    );
  } finally {
    await ears.close();
  }
}

async function measure(
  audio: readonly Conversation[],
  words: readonly KnownWord[],
  { name, model }: { readonly name: Words; readonly model: boolean },
  { options, progress }: PartContext,
): Promise<{ readonly runs: readonly WordsRun[] } & SoundAnswers> {
  const { quick, patiences = quick ? [DEFAULT_PATIENCE] : PATIENCES } = options;
  const understanding: Understanding = { audio, words };
  const ears = await Ears.open(understanding, model ? MODEL_DIR : undefined);
  try {
    const runs: WordsRun[] = [];
    for (const patience of patiences) {
      const found: EndFound[] = [];
      for (const [index, conversation] of audio.entries()) {
        progress(`text ${name}, ${modelName(model)} Smart Turn, patience ${patience}: ${index} of ${audio.length}`);
        const events = await ears.hear(conversation, { patience });
        found.push(...conversation.said.map((said) => endOf(said, events)));
      }
      runs.push({ words: name, model, patience, found });
    }
    const scores = await ears.soundScores();
    const missed = [...scores].reduce((sum, [outcome, count]) => sum + (outcome === 'used' ? 0 : count), 0);
    return { runs, answered: scores.get('used') ?? 0, missed };
  } finally {
    await ears.close();
  }
}

/** What was told of one utterance. */
function endOf({ utterance, startSample, endSample }: PlacedUtterance, events: readonly SessionEvent[]): EndFound {
  const { kind, voice, text, pausesMs } = utterance;
  const ended = of(events, 'turn.ended');
  const last = ended.find(({ decidedSample }) => decidedSample >= endSample);
  const own = ended.filter(
    ({ decidedSample }) => decidedSample > startSample && decidedSample <= (last?.decidedSample ?? 0),
  );
  const waitMs = last && (last.decidedSample - endSample) / SAMPLES_PER_MS;
  const ids = new Set(own.map((event) => event.utterance));
  const count = (type: 'turn.eager' | 'turn.resumed'): number =>
    of(events, type).filter((event) => ids.has(event.utterance)).length;
  return {
    ...{ kind, voice, text, pausesMs, waitMs, chosenMs: waitMs },
    understood: own.map((event) => event.text),
    cutOffInMs: own
      .filter(({ decidedSample }) => decidedSample < endSample)
      .map(({ decidedSample }) => pauseAt(utterance, decidedSample - startSample)),
    ...{ eager: count('turn.eager'), resumed: count('turn.resumed') },
  };
}

const linesOf = (runs: readonly WordsRun[]) =>
  (['as understood', 'as written'] as const).flatMap((words) =>
    [true, false].map((model) => {
      const own = runs.filter((run) => run.words === words && run.model === model);
      return [`text ${words}, ${modelName(model)} Smart Turn`, own] as const;
    }),
  );

function resultOf(runs: readonly WordsRun[], { answered, missed }: SoundAnswers, recognizer: string): PartResult {
  const tables = (['as understood', 'as written'] as const).flatMap((words) => {
    const own = runs.filter((run) => run.words === words);
    return [endsTable(own, 'the sample of the decision'), pausesTable(own)].map((table) => ({
      ...table,
      title: `Text ${words}. ${table.title}`,
    }));
  });
  return {
    tables,
    remarks: [
      ...(missed === 0
        ? []
        : [`Smart Turn answered for ${answered} pauses and not for ${missed}: rows "with" it are not valid`]),
      ...runs
        .filter(({ patience, words }) => patience === DEFAULT_PATIENCE && words === 'as understood')
        .flatMap(endRemarks),
    ],
    data: {
      recognizer,
      soundsAnswered: answered,
      soundsMissed: missed,
      ends: runs.map((run) => ({ words: run.words, ...endData(run) })),
    },
  };
}

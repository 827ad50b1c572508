import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Settings } from '@parley/protocol';
import { type System, startRedis, startSystem } from '@parley/testkit';
import type { Part, PartContext, PartResult, ResultTable } from '../part.ts';
import { summarize } from '../statistics.ts';
import { Corpus, coughs, type Utterance } from '../turns/corpus.ts';
import {
  curveOf,
  DEFAULT_PATIENCE,
  type EndRun,
  endData,
  endRemarks,
  endsTable,
  known,
  modelName,
  PATIENCES,
  pausesTable,
  percent,
  share,
  whole,
} from '../turns/end-figures.ts';
import { findEnds } from '../turns/endpointing.ts';
import { Engines } from '../turns/engines.ts';
import {
  disturbReplies,
  interruptReplies,
  type LeftAlone,
  LONG_ANSWER_PACE,
  type OverReply,
  type Stopped,
} from '../turns/interrupting.ts';
import type { UtteranceClass } from '../turns/seeds.ts';
import { type Answered, hearAnswers, USUAL_PACE } from '../turns/speculating.ts';

const MODEL_DIR = fileURLToPath(new URL('../../../libs/testkit/fixtures/models/smart-turn-v3', import.meta.url));
const STT_MODEL_DIR = fileURLToPath(new URL('../../../libs/testkit/fixtures/models/tiny-stt-en', import.meta.url));
const CONFIRM_MS = 200;
/** Moments of a reply at which somebody speaks over it: at its first sample, and later. */
const INTERRUPT_AFTER_MS = [0, 250, 900, 2_000, 3_500];
const DISTURB_AFTER_MS = [150, 800, 1_600];
const QUICK_ENGINES = { firstTokenMs: 20, tokensPerSecond: 200, firstByteMs: 20, realTimeFactor: 0 };
/** More than what the benchmark itself brings. */
const BUSY_LOAD = 1.5;
const TARGETS = {
  silentMs: CONFIRM_MS + 80,
  beyondMs: 20,
  abortMs: 100,
  firstAudioMs: 20,
};

/** How well turns are taken, by a corpus of synthesised speech that goes through the whole system. */
export const turnsPart: Part = {
  name: 'turns',
  summary: 'ends of turns, interruptions, asides and speculation on a corpus of synthesised speech (held-out part)',
  async run(context) {
    const { options } = context;
    const corpus = new Corpus(options.tuning ? 'tuning' : 'held-out');
    const models = options.ends ? (existsSync(MODEL_DIR) ? [true, false] : [false]) : [];
    const ends: EndRun[] = [];
    const loads = [loadPerCore()];
    for (const model of models) {
      ends.push(...(await withSystem(context, { model }, (lab) => measureEnds(lab, corpus, model, context))));
    }
    const rest = await withSystem(context, { model: false }, async (lab) => ({
      ...(await measureInterruptions(lab, corpus, context)),
      ...(await measureSpeculation(lab, corpus, context)),
    }));
    loads.push(loadPerCore());
    if (options.drawFile !== undefined) await writeFile(options.drawFile, curveOf(linesOf(ends)));
    return resultOf(ends, rest, options.recognizer, loads);
  },
};

interface TurnLab {
  readonly system: System;
  readonly engines: Engines;
}

async function withSystem<T>(
  { options, progress }: PartContext,
  { model }: { readonly model: boolean },
  work: (lab: TurnLab) => Promise<T>,
): Promise<T> {
  progress('starting the system');
  const redis = await startRedis();
  const engines = await Engines.start(QUICK_ENGINES);
  let system: System | undefined;
  try {
    system = await startSystem({
      redisUrl: redis.url,
      env: {
        PARLEY_STT_ENGINE: options.recognizer,
        ...(options.recognizer === 'sherpa' ? { PARLEY_STT_MODEL_DIR: STT_MODEL_DIR } : {}),
        ...(model ? { PARLEY_TURN_MODEL_DIR: MODEL_DIR } : {}),
        PARLEY_LLM_ENGINE: 'openai',
        PARLEY_LLM_BASE_URL: engines.llm.url,
        PARLEY_TTS_ENGINE: 'openai',
        PARLEY_TTS_BASE_URL: engines.tts.url,
        PARLEY_TTS_CACHE_MB: '0',
      },
    });
    return await work({ system, engines });
  } finally {
    await system?.stop();
    await engines.close();
    await redis.stop();
  }
}

/** Counts what has been done of something. */
function counter({ options, progress }: PartContext, what: string, total: number) {
  let done = 0;
  const onDone = (): void => {
    done += 1;
    progress(`${what}: ${done} of ${total}`);
  };
  return { parallel: options.speakers, onDone };
}

async function measureEnds(
  { system, engines }: TurnLab,
  corpus: Corpus,
  model: boolean,
  context: PartContext,
): Promise<EndRun[]> {
  const { quick, patiences = quick ? [DEFAULT_PATIENCE] : PATIENCES } = context.options;
  const utterances = await corpus.utterances(quick ? 1 : 2);
  const runs: EndRun[] = [];
  for (const patience of patiences) {
    const what = `ends, patience ${patience}, ${model ? 'with' : 'without'} Smart Turn`;
    const settings: Partial<Settings> = { patience, speculation: false };
    const found = await findEnds(
      ...([system.urls, engines, utterances, settings, counter(context, what, utterances.length)] as const),
    );
    runs.push({ model, patience, found });
  }
  return runs;
}

interface RestMeasured {
  readonly interruptions: readonly Stopped[];
  readonly backchannels: readonly LeftAlone[];
  readonly coughs: readonly LeftAlone[];
  readonly speculating: readonly Answered[];
  readonly waiting: readonly Answered[];
}

async function measureInterruptions({ system, engines }: TurnLab, corpus: Corpus, context: PartContext) {
  const { quick } = context.options;
  const settings: Partial<Settings> = { confirmMs: CONFIRM_MS };
  const interruptions = spread(await corpus.interruptions(quick ? 2 : 4), quick ? 15 : 60, INTERRUPT_AFTER_MS);
  const backchannels = spread(await corpus.backchannels(quick ? 2 : 4), quick ? 12 : 48, DISTURB_AFTER_MS);
  const noises = spread(coughs(quick ? 8 : 24), quick ? 8 : 24, DISTURB_AFTER_MS);
  engines.setPace(LONG_ANSWER_PACE);
  const count = (what: string, { length }: { readonly length: number }) => counter(context, what, length);
  return {
    interruptions: await interruptReplies(
      ...([system.urls, engines, interruptions, settings, count('interruptions', interruptions)] as const),
    ),
    backchannels: await disturbReplies(
      ...([system.urls, engines, backchannels, settings, count('backchannels', backchannels)] as const),
    ),
    coughs: await disturbReplies(...([system.urls, engines, noises, settings, count('coughs', noises)] as const)),
  };
}

async function measureSpeculation({ system, engines }: TurnLab, corpus: Corpus, context: PartContext) {
  const kinds: UtteranceClass[] = ['complete', 'natural-pause'];
  const utterances: readonly Utterance[] = await corpus.utterances(context.options.quick ? 1 : 2, kinds);
  engines.setPace(USUAL_PACE);
  const hear = (speculation: boolean) => {
    const progress = counter(context, `speculation ${speculation ? 'on' : 'off'}`, utterances.length);
    return hearAnswers(system.urls, engines, utterances, { speculation }, progress);
  };
  return { speculating: await hear(true), waiting: await hear(false) };
}

/** So many trials over the recordings, each moment equally often. */
const spread = <T>(recordings: readonly T[], count: number, momentsMs: readonly number[]) =>
  Array.from({ length: count }, (_, index) => ({
    recording: recordings[index % recordings.length],
    afterMs: momentsMs[index % momentsMs.length] ?? 0,
  })).filter((trial): trial is OverReply & { recording: T & OverReply['recording'] } => trial.recording !== undefined);

const linesOf = (ends: readonly EndRun[]) =>
  [true, false].map((model) => [`${modelName(model)} Smart Turn`, ends.filter((run) => run.model === model)] as const);

const row = (what: string, values: readonly number[]): (string | number)[] => {
  const { count, p50, p95, max } = summarize(values);
  return count === 0 ? [what, 0, '', '', ''] : [what, count, whole(p50), whole(p95), whole(max)];
};

function interruptionTable(stopped: readonly Stopped[]): ResultTable {
  const of = (key: 'silentMs' | 'duckedMs' | 'onsetLagMs' | 'confirmedMs' | 'beyondMs' | 'beyondEntryMs' | 'abortMs') =>
    known(stopped.map((one) => one[key]));
  return {
    title: `Interruptions (confirmed by ${CONFIRM_MS} ms of speech), ms`,
    head: ['What', 'n', 'p50', 'p95', 'max'],
    rows: [
      row('first loud sample as sent → last reply sample played', of('silentMs')),
      row('   of it: until the listener hears speech (negative: before)', of('onsetLagMs')),
      row('   of it: speech heard when it is confirmed, in windows of 32 ms', of('confirmedMs')),
      row('   beyond: frame with the confirming sample sent → last sample played', of('beyondMs')),
      row('   beyond, from the frame that completes its entry of 40 ms', of('beyondEntryMs')),
      row('first loud sample as sent → volume lowered', of('duckedMs')),
      row('decision in the log → request closed at the language model', of('abortMs')),
    ],
  };
}

function asideTable(groups: readonly (readonly [name: string, trials: readonly LeftAlone[]])[]): ResultTable {
  return {
    title: 'Sounds over a reply that are not meant to stop it',
    head: ['What', 'n', 'reply lost', 'heard whole', 'of it without a stop', 'gap p50 ms', 'gap p95 ms'],
    rows: groups.map(([name, trials]) => {
      const gaps = trials.filter(({ heardWhole, stopped }) => heardWhole && stopped).map(({ gapMs }) => gapMs);
      return [
        ...[name, trials.length, percent(share(trials, ({ heardWhole }) => !heardWhole))],
        percent(share(trials, ({ heardWhole }) => heardWhole)),
        percent(share(trials, ({ heardWhole, stopped }) => heardWhole && !stopped)),
        ...(gaps.length === 0 ? ['', ''] : [whole(summarize(gaps).p50), whole(summarize(gaps).p95)]),
      ];
    }),
  };
}

function speculationFigures({ speculating, waiting }: Pick<RestMeasured, 'speculating' | 'waiting'>) {
  const paired = speculating.flatMap((on) => {
    const off = waiting.find(({ text, voiceToVoiceMs }) => text === on.text && voiceToVoiceMs !== undefined);
    if (on.voiceToVoiceMs === undefined || off?.voiceToVoiceMs === undefined || on.cutOff || off.cutOff) return [];
    return [{ saved: off.voiceToVoiceMs - on.voiceToVoiceMs, wait: on.waitMs ?? 0 }];
  });
  const uncut = speculating.filter(({ cutOff }) => !cutOff);
  return {
    hitRate: share(uncut, ({ prepared }) => prepared),
    readyRate: share(uncut, ({ ready }) => ready),
    asked: speculating.reduce((sum, { asked }) => sum + asked, 0),
    wasted: speculating.reduce((sum, { wasted }) => sum + wasted, 0),
    savedMs: paired.map(({ saved }) => saved),
    /** The engines' own time, up to the wait. */
    promisedMs: paired.map(({ wait }) => Math.min(wait, USUAL_PACE.firstTokenMs + USUAL_PACE.firstByteMs)),
    firstAudioMs: known(uncut.filter(({ ready }) => ready).map(({ firstAudioMs }) => firstAudioMs)),
  };
}

/** Of turns that were heard out: after a false cut-off there is no telling what an answer answers. */
const voiceToVoice = (answered: readonly Answered[]): number[] =>
  known(answered.filter(({ cutOff }) => !cutOff).map(({ voiceToVoiceMs }) => voiceToVoiceMs));

function speculationTables(rest: RestMeasured): ResultTable[] {
  const figures = speculationFigures(rest);
  return [
    {
      title: `Speculation (first token ${USUAL_PACE.firstTokenMs} ms, first audio ${USUAL_PACE.firstByteMs} ms), ms`,
      head: ['What', 'n', 'p50', 'p95', 'max'],
      rows: [
        row('voice to voice, on', voiceToVoice(rest.speculating)),
        row('voice to voice, off', voiceToVoice(rest.waiting)),
        row('saved, the same sentence on against off', figures.savedMs),
        row("the engines' own time, up to the wait", figures.promisedMs),
        row('turn.ended → first audio, where the answer was ready', figures.firstAudioMs),
      ],
    },
    {
      title: 'Replies prepared ahead',
      head: ['Turns', 'prepared', 'ready at the end', 'asked of the model', 'wasted'],
      rows: [
        [
          ...[rest.speculating.length, percent(figures.hitRate), percent(figures.readyRate), figures.asked],
          `${figures.wasted} (${percent(figures.wasted / Math.max(1, figures.asked))})`,
        ],
      ],
    },
  ];
}

/** Processes that want to run, by core, over the last minute. Above one, those of others distort every time. */
const loadPerCore = (): number => (loadavg()[0] ?? 0) / cpus().length;

function resultOf(
  ends: readonly EndRun[],
  rest: RestMeasured,
  recognizer: string,
  loads: readonly number[],
): PartResult {
  const unheard = rest.interruptions.filter(({ unheardWords }) => unheardWords.length > 0);
  return {
    tables: [
      ...(ends.length === 0 ? [] : [endsTable(ends, 'turn.ended at the client'), pausesTable(ends)]),
      interruptionTable(rest.interruptions),
      asideTable([
        ['backchannels', rest.backchannels],
        ['coughs', rest.coughs],
      ]),
      ...speculationTables(rest),
    ],
    remarks: [
      ...(Math.max(...loads) > BUSY_LOAD
        ? [
            `the machine was busy, ${loads.map((load) => load.toFixed(1)).join(' to ')} processes a core: times are too long`,
          ]
        : []),
      ...ends.filter(({ patience }) => patience === DEFAULT_PATIENCE).flatMap(endRemarks),
      ...interruptionRemarks(rest.interruptions),
      ...unheard.map(
        ({ remembered, unheardWords }) => `in the history, unheard: "${unheardWords.join(' ')}" of "${remembered}"`,
      ),
      ...[...rest.backchannels, ...rest.coughs]
        .filter(({ heardWhole }) => !heardWhole)
        .map(
          ({ text, voice, afterMs, understood }) =>
            `lost a reply to "${text || 'cough'}" (${voice}) after ${afterMs} ms, understood "${understood}"`,
        ),
      ...speculationRemarks(speculationFigures(rest)),
    ],
    data: {
      recognizer,
      loadPerCore: loads,
      ends: ends.map(endData),
      interruptions: rest.interruptions,
      unheardWords: unheard.length,
      backchannels: rest.backchannels,
      coughs: rest.coughs,
      speculation: { ...speculationFigures(rest), on: rest.speculating, off: rest.waiting },
    },
  };
}

function interruptionRemarks(stopped: readonly Stopped[]): string[] {
  const p95 = (values: readonly (number | undefined)[]): number => summarize(known(values)).p95;
  const [silent, beyond, abort] = [
    p95(stopped.map(({ silentMs }) => silentMs)),
    p95(stopped.map(({ beyondEntryMs }) => beyondEntryMs)),
    p95(stopped.map(({ abortMs }) => abortMs)),
  ];
  const unstopped = stopped.filter(({ silentMs }) => silentMs === undefined);
  const unanswered = stopped.filter(({ answered }) => !answered);
  return [
    ...(silent <= TARGETS.silentMs ? [] : [`silence after ${whole(silent)} ms (p95), not ${TARGETS.silentMs}`]),
    ...(beyond <= TARGETS.beyondMs
      ? []
      : [`${whole(beyond)} ms (p95) of it beyond confirmation and quantisation, not ${TARGETS.beyondMs}`]),
    ...(abort <= TARGETS.abortMs
      ? []
      : [`requests closed ${whole(abort)} ms (p95) after the decision, not ${TARGETS.abortMs}`]),
    ...unstopped.map(({ text, voice, afterMs }) => `"${text}" (${voice}) after ${afterMs} ms did not stop the reply`),
    ...unanswered.map(({ text, voice, afterMs }) => `"${text}" (${voice}) after ${afterMs} ms was not answered`),
  ];
}

function speculationRemarks({ savedMs, promisedMs, firstAudioMs }: ReturnType<typeof speculationFigures>): string[] {
  const [saved, promised, first] = [summarize(savedMs).p50, summarize(promisedMs).p50, summarize(firstAudioMs)];
  return [
    ...(saved >= promised ? [] : [`speculation saves ${whole(saved)} ms (p50), not ${whole(promised)}`]),
    ...(first.count > 0 && first.p95 <= TARGETS.firstAudioMs
      ? []
      : [
          `first audio of a ready answer after ${whole(first.p95)} ms (p95 of ${first.count}), not ${TARGETS.firstAudioMs}`,
        ]),
  ];
}

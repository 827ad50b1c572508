import { QUICK_ANSWER } from '../engines/script.ts';
import { Lab } from '../lab.ts';
import { ms, type Part, type PartContext, type ResultTable } from '../part.ts';
import { type Summary, summarize } from '../statistics.ts';
import { PLAIN_TURNS } from '../talkers/conversation.ts';
import { type TurnTimes, turnTimes } from '../turn-times.ts';

const SESSIONS = [1, 5, 20];
const WARM_UP_SESSIONS = 15;
const WARM_UP_ROUNDS = 20;
/** The first turns of a session warm connections and compilers up. */
const WARM_UP_TURNS = 3;
const TARGETS = { p50Ms: 10, p99Ms: 30, loadedP99Ms: 60 };

const HOPS: readonly (readonly [key: keyof TurnTimes, what: string])[] = [
  ['hear', 'frame at the gateway → turn.ended in the log'],
  ['decide', '→ reply.started committed'],
  ['askLlm', '→ queued, claimed, history read, request at the language model'],
  ['llm', '   (language model, scripted)'],
  ['clause', 'token that completes a clause → first clause in the log'],
  ['askTts', '→ committed, queued, claimed, request at the synthesiser'],
  ['tts', '   (synthesiser, scripted)'],
  ['chunk', 'first byte → first audio in the log'],
  ['send', '→ read by the gateway, sent, received'],
];

/** The overhead of a turn and where it goes. */
export const turnPart: Part = {
  name: 'turn',
  summary: 'overhead of a spoken turn, from the frame that decides it to the first reply audio, engines taken out',
  async run(context) {
    const { turns, sessions = SESSIONS, profileDir } = context.options;
    const lab = await Lab.open({ script: QUICK_ANSWER, profileDir });
    const results: { sessions: number; times: TurnTimes[]; lost: string[]; troubles: string[] }[] = [];
    try {
      // What runs once in a while is slow for its first hundreds of times: a system that has served nobody is not measured.
      await measure(lab, WARM_UP_SESSIONS, WARM_UP_ROUNDS, context);
      for (const count of sessions) {
        results.push({ sessions: count, ...(await measure(lab, count, Math.ceil(turns / count), context)) });
      }
    } finally {
      await lab.close();
    }
    return {
      tables: [overheadTable(results), hopsTable(results)],
      remarks: results.flatMap(({ sessions: count, times, lost, troubles }) => [
        ...missedTargets(count, summarize(times.map(({ overhead }) => overhead))),
        ...[...lost, ...troubles].map((why) => `at ${count} sessions: ${why}`),
      ]),
      data: results.map(({ sessions: count, times, lost }) => ({
        sessions: count,
        lost: lost.length,
        overheadMs: summarize(times.map(({ overhead }) => overhead)),
        quantisationMs: summarize(times.map(({ quantisation }) => quantisation)),
        hopsMs: Object.fromEntries(HOPS.map(([key]) => [key, summarize(times.map((time) => time[key]))])),
      })),
    };
  },
};

async function measure(lab: Lab, sessions: number, turns: number, { progress }: PartContext) {
  const talkers = await lab.talk({
    ...{ sessions, turns: turns + WARM_UP_TURNS, way: 'speech', frameSamples: 320, noiseDbfs: -60 },
    // A short turn: what is measured does not depend on its length.
    ...{
      settings: { ...PLAIN_TURNS, silenceMs: 300 },
      pauseMs: [100, 500],
      questionMs: 700,
      interruptAfterMs: undefined,
    },
    ...{ connectsPerSecond: 20, acknowledge: false },
  });
  const total = sessions * (turns + WARM_UP_TURNS);
  const timer = setInterval(
    () => progress(`${sessions} sessions: ${talkers.talk.turns.length} of ${total} turns`),
    500,
  );
  try {
    await talkers.allDone();
    const times = await turnTimes(lab, talkers, WARM_UP_TURNS);
    return { times, lost: talkers.talk.lost, troubles: talkers.talk.troubles };
  } finally {
    clearInterval(timer);
    await talkers.leave();
  }
}

function missedTargets(sessions: number, { p50, p99, count }: Summary): string[] {
  if (count === 0) return [`at ${sessions} sessions nothing could be measured`];
  if (sessions > 1) {
    return p99 <= TARGETS.loadedP99Ms
      ? []
      : [`p99 at ${sessions} sessions is ${ms(p99)} ms, not ${TARGETS.loadedP99Ms}`];
  }
  return [
    ...(p50 <= TARGETS.p50Ms ? [] : [`p50 at one session is ${ms(p50)} ms, not ${TARGETS.p50Ms}`]),
    ...(p99 <= TARGETS.p99Ms ? [] : [`p99 at one session is ${ms(p99)} ms, not ${TARGETS.p99Ms}`]),
  ];
}

type Result = { readonly sessions: number; readonly times: readonly TurnTimes[]; readonly lost: readonly string[] };

function overheadTable(results: readonly Result[]): ResultTable {
  const row = (sessions: number, what: string, { count, mean, p50, p95, p99, max }: Summary, lost: number | string) => [
    ...[sessions, what, count, lost, ms(mean), ms(p50), ms(p95), ms(p99), ms(max)],
  ];
  return {
    title: 'Overhead of a turn, ms (engines taken out)',
    head: ['Sessions', 'What', 'Turns', 'Lost', 'mean', 'p50', 'p95', 'p99', 'max'],
    rows: results.flatMap(({ sessions, times, lost }) => [
      row(sessions, 'overhead', summarize(times.map(({ overhead }) => overhead)), lost.length),
      row(sessions, 'quantisation', summarize(times.map(({ quantisation }) => quantisation)), ''),
    ]),
  };
}

function hopsTable(results: readonly Result[]): ResultTable {
  return {
    title: 'Where the time goes, ms, mean / p95 (times in the log are whole milliseconds)',
    head: ['Hop', ...results.map(({ sessions }) => `${sessions} sessions`)],
    rows: HOPS.map(([key, what]) => [
      what,
      ...results.map(({ times }) => {
        const { mean, p95 } = summarize(times.map((time) => time[key]));
        return `${ms(mean)} / ${ms(p95)}`;
      }),
    ]),
  };
}

import { eventTimeMs, wallClockOffsetMs } from '../clock.ts';
import { QUICK_ANSWER } from '../engines/script.ts';
import { Lab } from '../lab.ts';
import { ms, type Part } from '../part.ts';
import { summarize } from '../statistics.ts';
import { PLAIN_TURNS } from '../talkers/conversation.ts';
import type { InterruptionSeen } from '../talkers/plan.ts';

const SESSIONS = 5;
const MAX_TRIALS = 200;
const INTERRUPT_AFTER_MS = 700;
/** The model keeps talking, and speech is made no faster than it is heard: both engines are at work when it comes. */
const LONG_ANSWER = { ...QUICK_ANSWER, tokensPerSecond: 12, realTimeFactor: 0.9, secondsPerCharacter: 0.06 };
const REST = 'There is a great deal that I could tell you about it, and I will do so now at some length. '.repeat(4);
const CONFIRM_MS = 200;
const TARGETS = { stopMs: CONFIRM_MS + 80, abortMs: 100 };

/** How soon there is silence when somebody speaks over a reply. */
export const bargeInPart: Part = {
  name: 'barge-in',
  summary: 'from the first loud sample spoken over a reply to silence at the client and the end of engine work',
  async run({ options, progress }) {
    const trials = Math.min(options.turns, MAX_TRIALS);
    const lab = await Lab.open({ script: { ...LONG_ANSWER, rest: REST }, profileDir: options.profileDir });
    try {
      const talkers = await lab.talk({
        ...{
          sessions: SESSIONS,
          turns: Math.ceil(trials / SESSIONS),
          way: 'speech',
          frameSamples: 320,
          noiseDbfs: -60,
        },
        ...{
          settings: { ...PLAIN_TURNS, silenceMs: 300, confirmMs: CONFIRM_MS },
          pauseMs: [200, 500],
          questionMs: 700,
        },
        ...{ interruptAfterMs: INTERRUPT_AFTER_MS, connectsPerSecond: 20, acknowledge: false },
      });
      const { interruptions, lost, troubles } = talkers.talk;
      const timer = setInterval(() => progress(`${interruptions.length} of ${trials} interruptions`), 500);
      await talkers.allDone().finally(() => clearInterval(timer));
      const { llm, tts } = await lab.engineLog();
      await talkers.leave();
      const aborts = new Map(
        [...llm, ...tts].flatMap(({ number, abortedMs }) => (abortedMs === undefined ? [] : [[number, abortedMs]])),
      );
      return result(interruptions, aborts, [...lost, ...troubles]);
    } finally {
      await lab.close();
    }
  },
};

function result(seen: readonly InterruptionSeen[], aborts: ReadonlyMap<string, number>, troubles: readonly string[]) {
  const offsetMs = wallClockOffsetMs();
  const stop = summarize(seen.map(({ onsetMs, frameMs, stoppedMs }) => stoppedMs - onsetMs + frameMs));
  const speech = summarize(seen.map(({ confirmedSamples }) => confirmedSamples / 16));
  const decided = summarize(seen.map(({ confirmedAt, stoppedMs }) => stoppedMs - eventTimeMs(confirmedAt, offsetMs)));
  const aborted = summarize(
    seen.flatMap(({ number, confirmedAt }) => {
      const abortedMs = aborts.get(number);
      return abortedMs === undefined ? [] : [abortedMs - eventTimeMs(confirmedAt, offsetMs)];
    }),
  );
  const rows = [
    ['first loud sample spoken → stop at the client', stop],
    ['   of it: speech heard when it was confirmed', speech],
    ['   of it: confirmed in the log → stop at the client', decided],
    ['confirmed in the log → engine sees its client hang up', aborted],
  ] as const;
  return {
    tables: [
      {
        title: `Interruptions (confirmed after ${CONFIRM_MS} ms of speech), ms`,
        head: ['What', 'n', 'mean', 'p50', 'p95', 'p99', 'max'],
        rows: rows.map(([what, { count, mean, p50, p95, p99, max }]) => [
          ...[what, count, ms(mean), ms(p50), ms(p95), ms(p99), ms(max)],
        ]),
      },
    ],
    remarks: [
      ...(stop.p95 <= TARGETS.stopMs ? [] : [`silence after ${ms(stop.p95)} ms (p95), not ${TARGETS.stopMs}`]),
      ...(aborted.p95 <= TARGETS.abortMs ? [] : [`engines stop after ${ms(aborted.p95)} ms (p95)`]),
      ...troubles,
    ],
    data: { stopMs: stop, confirmedSpeechMs: speech, decidedToStopMs: decided, decidedToAbortMs: aborted },
  };
}

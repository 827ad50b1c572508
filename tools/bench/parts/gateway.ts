import { setTimeout as sleep } from 'node:timers/promises';
import { QUICK_ANSWER } from '../engines/script.ts';
import { Lab, type Usage } from '../lab.ts';
import type { Part, PartContext } from '../part.ts';
import { slope } from '../statistics.ts';
import { PLAIN_TURNS } from '../talkers/conversation.ts';
import type { TalkPlan } from '../talkers/plan.ts';
import { consumption } from '../usage.ts';

const STREAMING_SESSIONS = [50, 100, 150];
const IDLE_SESSIONS = [0, 1_000, 2_000];
const SETTLE_MS = 15_000;
const MEASURE_MS = 20_000;
const TARGETS = { perCore: 1_000, idleKib: 50 };
/** A reply that goes on for about a minute, made a little faster than it is heard. */
const STORY = { ...QUICK_ANSWER, tokensPerSecond: 0, realTimeFactor: 0.8, secondsPerCharacter: 0.06 };
const REST = 'Once upon a time there was a house by the sea in which nobody had lived for many years. '.repeat(12);

const PLAN: Omit<TalkPlan, 'urls' | 'sessions'> = {
  way: 'text',
  settings: PLAIN_TURNS,
  // 40 ms up; the gateway sends 40 ms down.
  frameSamples: 640,
  // Digital silence: what a listener does with it is measured elsewhere.
  noiseDbfs: undefined,
  pauseMs: [100, 500],
  questionMs: 500,
  turns: 0,
  interruptAfterMs: undefined,
  connectsPerSecond: 40,
  acknowledge: true,
};

interface Streaming {
  readonly sessions: number;
  readonly gatewayCores: number;
  readonly perCore: number;
  readonly framesOutPerSecond: number;
  /** Why turns were lost. */
  readonly lost: readonly string[];
}

interface Idle {
  readonly sessions: number;
  readonly rssBytes: number;
  readonly heapBytes: number;
}

/** What the gateway itself costs. */
export const gatewayPart: Part = {
  name: 'gateway',
  summary: 'sessions per core with user audio in and reply audio out at once, and memory of an idle session',
  async run(context) {
    const { profileDir, sessions = STREAMING_SESSIONS } = context.options;
    const script = { ...STORY, rest: REST };
    const streaming: Streaming[] = [];
    for (const count of sessions) {
      const lab = await Lab.open({ script, profileDir });
      try {
        streaming.push(await stream(lab, count, context));
      } finally {
        await lab.close();
      }
    }
    const lab = await Lab.open({ script, env: { PARLEY_VAD: 'energy' } });
    try {
      return result(streaming, await idle(lab, context));
    } finally {
      await lab.close();
    }
  },
};

async function stream(lab: Lab, sessions: number, { progress }: PartContext): Promise<Streaming> {
  const talkers = await lab.talk({ ...PLAN, sessions });
  try {
    progress(`${sessions} sessions streaming: settling`);
    await sleep(SETTLE_MS);
    const before = await lab.usage();
    const countsBefore = await talkers.counts();
    progress(`${sessions} sessions streaming: measuring for ${MEASURE_MS / 1_000} s`);
    await sleep(MEASURE_MS);
    const { cpuSeconds, seconds } = consumption(before, await lab.usage());
    const counts = await talkers.counts();
    const gatewayCores = (cpuSeconds.get('gateway') ?? 0) / seconds;
    // Between two replies nothing comes down: only what was really sent counts as streaming.
    const share = (counts.audioSeconds - countsBefore.audioSeconds) / seconds / sessions;
    return {
      ...{ sessions, gatewayCores },
      perCore: Math.round((sessions / gatewayCores) * Math.min(1, share)),
      framesOutPerSecond: (counts.audioFrames - countsBefore.audioFrames) / seconds / sessions,
      lost: talkers.talk.lost,
    };
  } finally {
    await talkers.leave();
  }
}

async function idle(lab: Lab, { progress }: PartContext): Promise<Idle[]> {
  const found: Idle[] = [];
  let before = 0;
  const groups = [];
  for (const sessions of IDLE_SESSIONS) {
    progress(`${sessions} idle sessions`);
    if (sessions > before) groups.push(await lab.talk({ ...PLAN, way: 'mute', sessions: sessions - before }));
    before = sessions;
    await sleep(SETTLE_MS);
    found.push({ sessions, ...(await gatewayMemory(lab)) });
  }
  for (const talkers of groups) await talkers.leave();
  return found;
}

async function gatewayMemory(lab: Lab): Promise<Omit<Idle, 'sessions'>> {
  const { processes }: Usage = await lab.usage();
  const gateway = processes.find(({ name }) => name === 'gateway');
  return { rssBytes: gateway?.rssBytes ?? 0, heapBytes: gateway?.heapBytes ?? 0 };
}

function result(streaming: readonly Streaming[], idleAt: readonly Idle[]) {
  const perIdleSession = (of: (at: Idle) => number): number =>
    slope(idleAt.map((at) => [at.sessions, of(at)] as const)) / 1_024;
  const rssKib = perIdleSession(({ rssBytes }) => rssBytes);
  const heapKib = perIdleSession(({ heapBytes }) => heapBytes);
  const best = Math.max(...streaming.map(({ perCore }) => perCore));
  return {
    tables: [
      {
        title: 'Gateway with 40 ms in and 40 ms out for everybody',
        head: ['Sessions', 'cores used', 'sessions per core', 'frames out per session-second', 'lost'],
        rows: streaming.map(({ sessions, gatewayCores, perCore, framesOutPerSecond, lost }) => [
          ...[sessions, gatewayCores.toFixed(3), perCore, framesOutPerSecond.toFixed(1), lost.length],
        ]),
      },
      {
        title: 'Memory of the gateway with idle sessions',
        head: ['Sessions', 'RSS MiB', 'heap and buffers MiB'],
        rows: [
          ...idleAt.map(({ sessions, rssBytes, heapBytes }) => [
            ...[sessions, (rssBytes / 2 ** 20).toFixed(1), (heapBytes / 2 ** 20).toFixed(1)],
          ]),
          ['KiB a session', rssKib.toFixed(1), heapKib.toFixed(1)],
        ],
      },
    ],
    remarks: [
      ...streaming.flatMap(({ sessions, lost }) => lost.slice(0, 3).map((why) => `${sessions} sessions: ${why}`)),
      ...(best >= TARGETS.perCore ? [] : [`${best} sessions per core, not ${TARGETS.perCore}`]),
      ...(rssKib <= TARGETS.idleKib ? [] : [`${rssKib.toFixed(0)} KiB an idle session, not ${TARGETS.idleKib}`]),
    ],
    data: { streaming, idle: idleAt, kibPerIdleSession: { rss: rssKib, heap: heapKib } },
  };
}

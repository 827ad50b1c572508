import { setTimeout as sleep } from 'node:timers/promises';
import { QUICK_ANSWER } from '../engines/script.ts';
import { Lab } from '../lab.ts';
import { ms, type Part, type PartContext } from '../part.ts';
import { summarize } from '../statistics.ts';
import { CONVERSATION, CONVERSATION_ANSWER } from '../talkers/conversation.ts';
import { turnOverheads } from '../turn-times.ts';
import { type Consumption, consumption } from '../usage.ts';

const SESSIONS = [1, 10, 20, 40, 60, 80, 120, 160, 200];
const SETTLE_MS = 12_000;
const MEASURE_MS = 40_000;
/** Beyond this the machine is over its knee, and more sessions say nothing new. */
const KNEE_P95_MS = 500;
const CPU_TARGET = 0.6;
const COMMANDS_SHOWN = 8;

interface Point {
  readonly sessions: number;
  readonly turns: number;
  readonly lost: number;
  readonly overheads: readonly number[];
  readonly used: Consumption;
  /** Frames that the voice activity model scores together, on average. */
  readonly batch: number;
}

/** What a talking session costs, from one session to the knee. */
export const costPart: Part = {
  name: 'cost',
  summary: 'CPU of all our processes, Redis commands and bytes per talking session, from 1 session to the knee',
  async run(context) {
    const { sessions = SESSIONS, profileDir } = context.options;
    const points: Point[] = [];
    for (const count of sessions) {
      const lab = await Lab.open({ script: { ...QUICK_ANSWER, ...CONVERSATION_ANSWER }, profileDir });
      try {
        points.push(await measure(lab, count, context));
      } finally {
        await lab.close();
      }
      const last = points.at(-1);
      if (last && (last.lost > 0 || summarize(last.overheads).p95 > KNEE_P95_MS)) break;
    }
    return result(points);
  },
};

async function measure(lab: Lab, sessions: number, { progress }: PartContext): Promise<Point> {
  const talkers = await lab.talk({ ...CONVERSATION, sessions });
  try {
    progress(`${sessions} sessions: settling`);
    await sleep(SETTLE_MS);
    const before = await lab.usage();
    const countsBefore = await talkers.counts();
    const batchBefore = await vadBatches(lab);
    progress(`${sessions} sessions: measuring for ${MEASURE_MS / 1_000} s`);
    await sleep(MEASURE_MS);
    const used = consumption(before, await lab.usage());
    const counts = await talkers.counts();
    const batchAfter = await vadBatches(lab);
    await talkers.finish();
    const overheads = await turnOverheads(lab, talkers, 1);
    return {
      ...{ sessions, used, overheads },
      batch: (batchAfter.frames - batchBefore.frames) / (batchAfter.runs - batchBefore.runs),
      turns: counts.turns - countsBefore.turns,
      lost: talkers.talk.lost.length,
    };
  } finally {
    await talkers.leave();
  }
}

async function vadBatches(lab: Lab): Promise<{ readonly frames: number; readonly runs: number }> {
  const metrics = await lab.metrics('stt-worker');
  const value = (name: string): number => metrics.get(`parley_stt_vad_batch_frames_${name}`) ?? 0;
  return { frames: value('sum'), runs: value('count') };
}

const perSessionMinute = (value: number, { sessions, used }: Point): number => (value * 60) / used.seconds / sessions;
const perSessionSecond = (value: number, point: Point): number => perSessionMinute(value, point) / 60;

function result(points: readonly Point[]) {
  const names = [...(points[0]?.used.cpuSeconds.keys() ?? [])];
  const typical = points.find(({ sessions }) => sessions >= 10) ?? points.at(-1);
  const missed = points.filter((point) => perSessionMinute(point.used.totalCpuSeconds, point) > CPU_TARGET);
  return {
    tables: [
      {
        title: 'CPU seconds per session-minute, engines apart; overhead of a turn in ms',
        head: ['Sessions', ...names, 'all', 'cores used', 'VAD batch', 'turns', 'lost', 'p50', 'p95', 'p99'],
        rows: points.map((point) => {
          const { p50, p95, p99 } = summarize(point.overheads);
          const cores = point.used.totalCpuSeconds / point.used.seconds;
          return [
            point.sessions,
            ...names.map((name) => perSessionMinute(point.used.cpuSeconds.get(name) ?? 0, point).toFixed(3)),
            perSessionMinute(point.used.totalCpuSeconds, point).toFixed(3),
            ...[cores.toFixed(2), point.batch.toFixed(1), point.turns, point.lost, ms(p50), ms(p95), ms(p99)],
          ];
        }),
      },
      {
        title: 'Redis, per session-second',
        head: ['Sessions', 'commands', 'kB in', 'kB out', 'CPU ms'],
        rows: points.map((point) => [
          point.sessions,
          perSessionSecond(point.used.redisCommands, point).toFixed(1),
          (perSessionSecond(point.used.redisBytesIn, point) / 1_000).toFixed(1),
          (perSessionSecond(point.used.redisBytesOut, point) / 1_000).toFixed(1),
          perSessionSecond((point.used.cpuSeconds.get('redis') ?? 0) * 1_000, point).toFixed(2),
        ]),
      },
      {
        title: `Redis commands per session-second at ${typical?.sessions ?? 0} sessions, the most frequent`,
        head: ['Command', 'calls', 'µs each'],
        rows: (typical?.used.calls ?? [])
          .slice(0, COMMANDS_SHOWN)
          .map(([command, calls, usec]) => [
            command,
            typical ? perSessionSecond(calls, typical).toFixed(2) : '',
            (usec / calls).toFixed(1),
          ]),
      },
    ],
    remarks: missed.map(
      (point) =>
        `${perSessionMinute(point.used.totalCpuSeconds, point).toFixed(2)} CPU seconds per session-minute at ` +
        `${point.sessions} sessions, not ${CPU_TARGET}`,
    ),
    data: points.map((point) => ({
      sessions: point.sessions,
      seconds: point.used.seconds,
      turns: point.turns,
      lost: point.lost,
      vadBatchFrames: point.batch,
      overheadMs: summarize(point.overheads),
      cpuSecondsPerSessionMinute: Object.fromEntries(
        [...point.used.cpuSeconds].map(([name, value]) => [name, perSessionMinute(value, point)]),
      ),
      redisPerSessionSecond: {
        commands: perSessionSecond(point.used.redisCommands, point),
        bytesIn: perSessionSecond(point.used.redisBytesIn, point),
        bytesOut: perSessionSecond(point.used.redisBytesOut, point),
        calls: Object.fromEntries(point.used.calls.map(([name, calls]) => [name, perSessionSecond(calls, point)])),
      },
    })),
  };
}

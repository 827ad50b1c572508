import { setTimeout as sleep } from 'node:timers/promises';
import { QUICK_ANSWER } from '../engines/script.ts';
import { Lab, type Usage } from '../lab.ts';
import { ms, type Part } from '../part.ts';
import { slope, summarize } from '../statistics.ts';
import { CONVERSATION, CONVERSATION_ANSWER } from '../talkers/conversation.ts';
import { turnOverheads } from '../turn-times.ts';
import { consumption } from '../usage.ts';

const SAMPLE_MS = 10_000;
/** 40 ms, so that the talkers leave the machine to what they measure. */
const FRAME_SAMPLES = 640;
/** Heaps grow to their working size at first. */
const SETTLE_SHARE = 0.3;
const MIB = 2 ** 20;

/** Many sessions for a long time: nothing may be lost, and memory may not grow. */
export const soakPart: Part = {
  name: 'soak',
  summary: 'many talking sessions for a long time: lost turns, memory, figures (by default 200 for 10 minutes)',
  async run({ options, progress }) {
    const { soakSessions: sessions, minutes, profileDir } = options;
    const lab = await Lab.open({ script: { ...QUICK_ANSWER, ...CONVERSATION_ANSWER }, profileDir });
    try {
      const talkers = await lab.talk({ ...CONVERSATION, frameSamples: FRAME_SAMPLES, sessions });
      const samples: Usage[] = [await lab.usage()];
      const endMs = performance.now() + minutes * 60_000;
      while (performance.now() < endMs) {
        await sleep(Math.min(SAMPLE_MS, endMs - performance.now()));
        samples.push(await lab.usage());
        const { turns, lost } = await talkers.counts();
        progress(`${((endMs - performance.now()) / 60_000).toFixed(1)} min left: ${turns} turns, ${lost} lost`);
      }
      await talkers.finish();
      const counts = await talkers.counts();
      const overheads = await turnOverheads(lab, talkers, 1);
      await talkers.leave();
      return result({ sessions, samples, counts, lost: talkers.talk.lost, troubles: talkers.talk.troubles, overheads });
    } finally {
      await lab.close();
    }
  },
};

interface Soaked {
  readonly sessions: number;
  readonly samples: readonly Usage[];
  readonly counts: { readonly turns: number; readonly lost: number; readonly disconnects: number };
  readonly lost: readonly string[];
  readonly troubles: readonly string[];
  readonly overheads: readonly number[];
}

function result({ sessions, samples, counts, lost, troubles, overheads }: Soaked) {
  const [first] = samples;
  const last = samples.at(-1);
  if (!first || !last) throw new Error('nothing was sampled');
  const used = consumption(first, last);
  const settled = samples.slice(Math.floor(samples.length * SETTLE_SHARE));
  const memory = last.processes.map(({ name, rssBytes, heapBytes }) => {
    const rssAt = (usage: Usage): number => usage.processes.find((one) => one.name === name)?.rssBytes ?? 0;
    return {
      name,
      rssMib: rssBytes / MIB,
      heapMib: heapBytes / MIB,
      settledRssMib: rssAt(settled[0] ?? last) / MIB,
      rssMibByTime: samples.map((usage) => Math.round((rssAt(usage) / MIB) * 10) / 10),
      growthMibPerHour: (slope(settled.map((usage) => [usage.atMs, rssAt(usage)] as const)) * 3_600_000) / MIB,
      cpuPerSessionMinute: ((used.cpuSeconds.get(name) ?? 0) * 60) / used.seconds / sessions,
    };
  });
  const overhead = summarize(overheads);
  const cpu = (used.totalCpuSeconds * 60) / used.seconds / sessions;
  return {
    tables: [
      {
        title: `${sessions} sessions for ${(used.seconds / 60).toFixed(1)} minutes`,
        head: ['Turns', 'lost', 'disconnects', 'overhead p50', 'p95', 'p99 ms', 'CPU s per session-minute'],
        rows: [
          [
            ...[counts.turns, counts.lost, counts.disconnects, ms(overhead.p50), ms(overhead.p95), ms(overhead.p99)],
            cpu.toFixed(3),
          ],
        ],
      },
      {
        title: 'Memory and CPU by process',
        head: ['Process', 'RSS MiB settled', 'at the end', 'growth MiB/h', 'heap MiB', 'CPU s per session-minute'],
        rows: memory.map(({ name, settledRssMib, rssMib, growthMibPerHour, heapMib, cpuPerSessionMinute }) => [
          ...[name, settledRssMib.toFixed(0), rssMib.toFixed(0), growthMibPerHour.toFixed(0), heapMib.toFixed(0)],
          cpuPerSessionMinute.toFixed(3),
        ]),
      },
    ],
    remarks: [...lost.slice(0, 20), ...troubles.slice(0, 20)],
    data: { sessions, seconds: used.seconds, ...counts, overheadMs: overhead, cpuPerSessionMinute: cpu, memory },
  };
}

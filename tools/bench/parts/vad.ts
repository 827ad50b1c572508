import { SileroVad, VAD_FRAME_SAMPLES, VAD_SAMPLE_RATE_HZ } from '@parley/audio/vad';
import type { Part } from '../part.ts';
import { questionSamples } from '../talkers/microphone.ts';

const SESSIONS = [1, 8, 32, 64, 256];
const FRAMES_PER_SESSION = 2_000;
const MAX_FRAMES = 60_000;
const FRAME_MS = (VAD_FRAME_SAMPLES / VAD_SAMPLE_RATE_HZ) * 1_000;
const TARGET_SESSIONS = 400;

/** How many people one core can listen to without a break. */
export const vadPart: Part = {
  name: 'vad',
  summary: 'sessions whose every frame one core can give to the voice activity model',
  async run({ progress }) {
    const vad = await SileroVad.load();
    const rows: { sessions: number; frames: number; msPerFrame: number; perCore: number }[] = [];
    try {
      for (const sessions of SESSIONS) {
        progress(`${sessions} sessions`);
        const rounds = Math.ceil(Math.min(MAX_FRAMES, FRAMES_PER_SESSION * sessions) / sessions);
        const msPerFrame = await measure(vad, sessions, rounds);
        rows.push({ sessions, frames: rounds * sessions, msPerFrame, perCore: Math.floor(FRAME_MS / msPerFrame) });
      }
    } finally {
      await vad.close();
    }
    const best = Math.max(...rows.map(({ perCore }) => perCore));
    return {
      tables: [
        {
          title: 'Voice activity model, one core, no gate before it',
          head: ['Sessions', 'frames', 'CPU ms a frame', 'sessions per core'],
          rows: rows.map(({ sessions, frames, msPerFrame, perCore }) => [
            ...[sessions, frames, msPerFrame.toFixed(4), perCore],
          ]),
        },
      ],
      remarks: best >= TARGET_SESSIONS ? [] : [`${best} sessions per core, not ${TARGET_SESSIONS}`],
      data: rows,
    };
  },
};

/** CPU milliseconds a frame, for sessions that each have one frame in every batch. */
async function measure(vad: SileroVad, sessions: number, rounds: number): Promise<number> {
  const speech = questionSamples(2_000);
  const states = Array.from({ length: sessions }, () => vad.createState());
  const frameAt = (round: number): Int16Array => {
    const start = (round * VAD_FRAME_SAMPLES) % (speech.length - VAD_FRAME_SAMPLES);
    return speech.subarray(start, start + VAD_FRAME_SAMPLES);
  };
  const run = async (from: number, to: number): Promise<void> => {
    for (let round = from; round < to; round += 1) {
      const pcm = frameAt(round);
      await vad.run(states.map((state) => ({ state, pcm })));
    }
  };
  await run(0, Math.ceil(rounds / 10));
  const before = process.cpuUsage();
  await run(0, rounds);
  const { user, system } = process.cpuUsage(before);
  // CPU time, not the time it took: others may be at work on the machine.
  return (user + system) / 1_000 / (rounds * sessions);
}

import { FakeClock } from '@parley/runtime';
import { describe, expect, it } from 'vitest';
import { Microphone } from './microphone.ts';
import type { Recording } from './recording.ts';

const recording = (samples: number): Recording => ({
  name: 'test.wav',
  samples: new Int16Array(samples).fill(5),
  speechStart: 0,
});

function microphone() {
  const clock = new FakeClock();
  const frames: Int16Array[] = [];
  const on = new Microphone((frame) => frames.push(frame), clock);
  const loud = () => frames.map((frame) => frame.filter((sample) => sample !== 0).length);
  return { clock, frames, on, loud };
}

describe('Microphone', () => {
  it('sends a frame of 20 ms each 20 ms, the first one at once', async () => {
    const { clock, frames, on } = microphone();
    on.start();
    expect(frames).toHaveLength(1);
    await clock.advance(1_000);
    expect(frames).toHaveLength(51);
    expect(frames.every((frame) => frame.length === 320)).toBe(true);
    on.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  it('makes up for a late timer, so that it never drifts', () => {
    const frames: Int16Array[] = [];
    let nowMs = 0;
    let tick = () => {};
    const late = {
      nowMs: () => nowMs,
      setTimeout: (fn: () => void) => {
        tick = fn;
        return () => {};
      },
    };
    const on = new Microphone((frame) => frames.push(frame), late);
    on.start();
    for (nowMs of [35, 70, 105, 1_000]) tick();
    expect(frames).toHaveLength(51);
  });

  it('speaks recordings one after the other between silence, and knows when each sample was sent', async () => {
    const { clock, on, loud } = microphone();
    on.start();
    const [first, second] = [on.speak(recording(500)), on.speak(recording(320))];
    await clock.advance(100);
    expect(loud()).toEqual([0, 320, 180, 320, 0, 0]);
    const spoken = await first;
    expect(spoken.isSpoken).toBe(true);
    expect([spoken.startSample, spoken.sentAtMs(0), spoken.sentAtMs(319), spoken.sentAtMs(320)]).toEqual([
      320, 20, 20, 40,
    ]);
    expect([(await second).startSample, (await second).sentAtMs(0)]).toEqual([960, 60]);
    expect(spoken.sentAtMs(undefined)).toBeUndefined();
  });
});

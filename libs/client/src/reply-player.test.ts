import type { DownlinkAudio } from '@parley/protocol';
import { describe, expect, it } from 'vitest';
import { type PlayedReply, ReplyPlayer, type ReplyPlayerOptions } from './reply-player.ts';
import { ManualClock } from './testing/manual-clock.ts';

/** A player at 1 kHz, where a sample is a millisecond, and what it tells. */
function player(options: Partial<ReplyPlayerOptions> = {}) {
  const clock = new ManualClock();
  const told: string[] = [];
  const heard: number[] = [];
  const short = ({ turn, attempt, samples, firstAtMs, lastAtMs }: PlayedReply) =>
    `${turn}.${attempt} ${samples} @${firstAtMs ?? '-'}..${lastAtMs ?? '-'}`;
  const played = new ReplyPlayer({
    clock,
    rateHz: 1_000,
    onStarted: (reply) => told.push(`started ${short(reply)}`),
    onHeard: (pcm) => heard.push(...pcm),
    onEnded: (reply) => told.push(`${reply.outcome} ${short(reply)}`),
    ...options,
  });
  return { clock, player: played, told, heard };
}

/** Audio whose samples tell their own number. */
function frame(startSample: number, samples: number, more: Partial<DownlinkAudio> = {}): DownlinkAudio {
  const pcm = Int16Array.from({ length: samples }, (_, i) => startSample + i + 1);
  return {
    turn: 1,
    attempt: 0,
    generation: 1,
    clause: 0,
    startSample,
    endOfClause: false,
    endOfReply: false,
    pcm: new Uint8Array(pcm.buffer),
    ...more,
  };
}

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i + 1);

describe('ReplyPlayer', () => {
  it('plays in real time from the moment the first sample is there, to the last one of the reply', () => {
    const { clock, player: loudspeaker, told, heard } = player();
    clock.advance(50);
    loudspeaker.enqueue(frame(0, 40));
    loudspeaker.enqueue(frame(40, 60, { endOfReply: true }));
    clock.advance(30);
    expect(loudspeaker.position()).toMatchObject({ samples: 30, firstAtMs: 50, lastAtMs: 80, outcome: 'playing' });
    clock.advance(100);
    expect(told).toEqual(['started 1.0 0 @50..-', 'complete 1.0 100 @50..150']);
    expect(heard).toEqual(numbers(0, 100));
    expect(loudspeaker.idle).toBe(true);
    expect(clock.pendingTimers).toBe(0);
  });

  it('stands still when it runs dry, and goes on when more comes', () => {
    const { clock, player: loudspeaker, told, heard } = player();
    loudspeaker.enqueue(frame(0, 20));
    clock.advance(100);
    expect(loudspeaker.idle).toBe(true);
    expect(loudspeaker.position()).toMatchObject({ samples: 20, lastAtMs: 20, outcome: 'playing' });
    loudspeaker.enqueue(frame(20, 20, { endOfReply: true }));
    clock.advance(100);
    expect(told.at(-1)).toBe('complete 1.0 40 @0..120');
    expect(heard).toEqual(numbers(0, 40));
  });

  it('completes a reply whose end comes after its last sample was played', () => {
    const { clock, player: loudspeaker, told } = player();
    loudspeaker.enqueue(frame(0, 20));
    clock.advance(50);
    loudspeaker.enqueue(frame(20, 0, { endOfReply: true }));
    expect(told.at(-1)).toBe('complete 1.0 20 @0..20');
  });

  it('completes a reply without any audio', () => {
    const { player: loudspeaker, told } = player();
    loudspeaker.enqueue(frame(0, 0, { endOfReply: true }));
    expect(told).toEqual(['complete 1.0 0 @-..-']);
  });

  it('plays one reply after the other', () => {
    const { clock, player: loudspeaker, told, heard } = player();
    loudspeaker.enqueue(frame(0, 20, { endOfReply: true }));
    loudspeaker.enqueue(frame(0, 30, { turn: 2, endOfReply: true }));
    clock.advance(35);
    expect(loudspeaker.position()).toMatchObject({ turn: 2, samples: 15, firstAtMs: 20 });
    clock.advance(100);
    expect(told.filter((line) => !line.startsWith('started'))).toEqual([
      'complete 1.0 20 @0..20',
      'complete 2.0 30 @20..50',
    ]);
    expect(heard).toEqual([...numbers(0, 20), ...numbers(0, 30)]);
  });

  it('gives up a reply that did not end once the next one is there', () => {
    const { clock, player: loudspeaker, told } = player();
    loudspeaker.enqueue(frame(0, 20));
    loudspeaker.enqueue(frame(0, 10, { turn: 2, endOfReply: true }));
    clock.advance(100);
    expect(told.filter((line) => !line.startsWith('started'))).toEqual([
      'stopped 1.0 20 @0..20',
      'complete 2.0 10 @20..30',
    ]);
  });

  it('stops to the sample, and takes nothing more of the old generation', () => {
    const { clock, player: loudspeaker, told, heard } = player();
    loudspeaker.enqueue(frame(0, 100));
    clock.advance(33);
    loudspeaker.stop(2);
    loudspeaker.enqueue(frame(100, 40));
    clock.advance(100);
    expect(told).toEqual(['started 1.0 0 @0..-', 'stopped 1.0 33 @0..33']);
    expect(heard).toEqual(numbers(0, 33));
    expect(loudspeaker.played(1, 0)).toBe(33);
    loudspeaker.enqueue(frame(0, 10, { turn: 2, generation: 2, endOfReply: true }));
    clock.advance(100);
    expect(told.at(-1)).toBe('complete 2.0 10 @133..143');
  });

  it('takes audio of a newer generation as a stop of the older', () => {
    const { clock, player: loudspeaker, told } = player();
    loudspeaker.enqueue(frame(0, 100));
    clock.advance(10);
    loudspeaker.enqueue(frame(0, 10, { turn: 2, generation: 2, endOfReply: true }));
    clock.advance(100);
    expect(told).toEqual([
      'started 1.0 0 @0..-',
      'stopped 1.0 10 @0..10',
      'started 2.0 0 @10..-',
      'complete 2.0 10 @10..20',
    ]);
  });

  it('plays softly while it is ducked', () => {
    const loud = (startSample: number) => ({
      ...frame(startSample, 10),
      pcm: new Uint8Array(new Int16Array(10).fill(8_000).buffer),
    });
    const { clock, player: loudspeaker, heard } = player();
    loudspeaker.enqueue(loud(0));
    loudspeaker.enqueue(loud(10));
    clock.advance(5);
    loudspeaker.duck();
    clock.advance(5);
    loudspeaker.restore();
    clock.advance(10);
    expect(heard).toEqual([8_000, 2_000, 8_000, 8_000].flatMap((level) => new Array(5).fill(level)));
  });

  it('holds no more than its bound, and counts what it drops', () => {
    const { clock, player: loudspeaker, heard } = player({ maxBufferedMs: 50 });
    loudspeaker.enqueue(frame(0, 40));
    loudspeaker.enqueue(frame(40, 40));
    expect(loudspeaker.droppedSamples).toBe(40);
    clock.advance(100);
    expect(heard).toEqual(numbers(0, 40));
  });

  it.each([8_000, 22_050, 44_100])('plays every sample at %i Hz, whatever the steps of the clock', (rateHz) => {
    const { clock, player: loudspeaker, heard, told } = player({ rateHz });
    loudspeaker.enqueue(frame(0, 12_345, { endOfReply: true }));
    for (let i = 0; i < 500; i++) clock.advance(3.7);
    expect(heard).toHaveLength(12_345);
    expect(told.at(-1)).toMatch(/^complete 1\.0 12345 /);
    expect(clock.pendingTimers).toBe(0);
  });

  it('is silent once it is closed', () => {
    const { clock, player: loudspeaker, told, heard } = player();
    loudspeaker.enqueue(frame(0, 40));
    loudspeaker.close();
    clock.advance(100);
    expect(told).toHaveLength(1);
    expect(heard).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });
});

import type { DownlinkAudio } from '@parley/protocol';
import { describe, expect, it } from 'vitest';
import type { SendResult } from './client-link.ts';
import { Playout, type PlayoutReply } from './playout.ts';

const RATE_HZ = 24_000;
const ms = (count: number): number => (count * RATE_HZ) / 1_000;

/** A stage of its own time: what was sent and reported, and the samples of each clause as bytes that can be told apart. */
class Stage {
  readonly frames: DownlinkAudio[] = [];
  readonly reports: number[] = [];
  /** Frames that went out together. */
  readonly departures: number[] = [];
  readonly playout: Playout;
  answer: SendResult = 'sent';
  nowMs = 0;
  #reply: PlayoutReply = { turn: 1, attempt: 0, generation: 1, clauses: [], done: false, played: 0 };
  #entry = 0;

  constructor() {
    this.playout = new Playout({
      rateHz: RATE_HZ,
      send: (frame) => {
        if (this.answer !== 'dropped') this.frames.push(frame);
        return this.answer;
      },
      together: (sending) => {
        const before = this.frames.length;
        sending();
        this.departures.push(this.frames.length - before);
      },
      report: (_reply, samples) => this.reports.push(samples),
    });
  }

  /** What the turn machine says of the reply; lengths in milliseconds, undefined while a clause is being made. */
  know(lengthsMs: readonly (number | undefined)[], done = false, playedMs = 0): this {
    const clauses = lengthsMs.map((length) => ({ samples: length === undefined ? undefined : ms(length) }));
    this.#reply = { ...this.#reply, clauses, done, played: ms(playedMs) };
    this.playout.update(this.#reply, 1);
    return this;
  }

  /** A chunk is read from `out`; answers its entry. */
  read(clause: number, startMs: number, lengthMs: number, turn = 1): string {
    this.#entry += 1;
    const entry = `7-${this.#entry}`;
    const pcm = new Int16Array(ms(lengthMs));
    for (let i = 0; i < pcm.length; i += 1) pcm[i] = (clause * 10_000 + startMs + Math.floor(i / ms(1))) % 30_000;
    const bytes = new Uint8Array(pcm.buffer);
    this.playout.add({ entry, turn, attempt: 0, clause, startSample: ms(startMs), pcm: bytes });
    return entry;
  }

  /** Lets time pass in ticks of the gateway. */
  run(forMs: number, hold = false): this {
    for (const end = this.nowMs + forMs; this.nowMs < end; ) {
      this.nowMs += 20;
      this.playout.tick(this.nowMs, hold);
    }
    return this;
  }

  get sentMs(): number {
    return this.playout.sentSamples / ms(1);
  }

  /** First sample of each millisecond sent, as [clause, millisecond]. */
  get heard(): string[] {
    return this.frames.flatMap(({ pcm }) => {
      const samples = new Int16Array(pcm.buffer, pcm.byteOffset, pcm.byteLength / 2);
      return Array.from({ length: samples.length / ms(1) }, (_, i) => String(samples[i * ms(1)]));
    });
  }

  /** Ends told, as `clause` or `clause reply`. */
  get ends(): string[] {
    return this.frames
      .filter(({ endOfClause, endOfReply }) => endOfClause || endOfReply)
      .map(({ clause, endOfClause, endOfReply }) => `${endOfClause ? clause : ''}${endOfReply ? ' reply' : ''}`.trim());
  }
}

const range = (clause: number, fromMs: number, toMs: number): string[] =>
  Array.from({ length: toMs - fromMs }, (_, i) => String(clause * 10_000 + fromMs + i));

describe('pacing', () => {
  it('sends with a small lead over real time', () => {
    const stage = new Stage().know([undefined]);
    stage.read(0, 0, 5_000);
    stage.run(20);
    expect(stage.sentMs).toBeGreaterThanOrEqual(300);
    for (let second = 0; second < 3; second += 1) {
      stage.run(1_000);
      expect(stage.sentMs - (stage.nowMs - 20)).toBeGreaterThanOrEqual(240);
      expect(stage.sentMs - (stage.nowMs - 20)).toBeLessThanOrEqual(340);
    }
  });

  it('sends two frames together', () => {
    const stage = new Stage().know([undefined]);
    stage.read(0, 0, 5_000);
    stage.run(1_000);
    expect(stage.departures[0]).toBe(8);
    expect(new Set(stage.departures.slice(1))).toEqual(new Set([2]));
  });

  it('numbers every sample and sends each once', () => {
    const stage = new Stage().know([200, 100], true);
    stage.read(0, 0, 90);
    stage.read(0, 90, 110);
    stage.read(1, 0, 100);
    stage.run(1_000);
    expect(stage.heard).toEqual([...range(0, 0, 200), ...range(1, 0, 100)]);
    let next = 0;
    for (const { startSample, pcm, turn, attempt, generation } of stage.frames) {
      expect({ startSample, turn, attempt, generation }).toEqual({
        startSample: next,
        turn: 1,
        attempt: 0,
        generation: 1,
      });
      next += pcm.byteLength / 2;
    }
  });

  it('goes on at once after a stall of the engine, with the lead counted anew', () => {
    const stage = new Stage().know([undefined]);
    stage.read(0, 0, 400);
    stage.run(2_000);
    expect(stage.sentMs).toBe(400);
    stage.read(0, 400, 2_000);
    stage.run(20);
    expect(stage.sentMs).toBeGreaterThanOrEqual(700);
    expect(stage.sentMs).toBeLessThanOrEqual(740);
  });

  it('is not made up for after a stall of this process', () => {
    const stage = new Stage().know([undefined]);
    stage.read(0, 0, 10_000);
    stage.run(100);
    stage.nowMs += 3_000;
    stage.run(20);
    expect(stage.sentMs).toBeLessThanOrEqual(800);
  });

  it('holds a reply that has not begun while the user speaks, and only that', () => {
    const stage = new Stage().know([undefined]);
    stage.read(0, 0, 2_000);
    stage.run(500, true);
    expect(stage.frames).toEqual([]);
    stage.run(20);
    expect(stage.frames.length).toBeGreaterThan(0);
    const sent = stage.sentMs;
    stage.run(200, true);
    expect(stage.sentMs).toBeGreaterThan(sent);
  });

  it('sends again what a full socket did not take', () => {
    const stage = new Stage().know([100], true);
    stage.read(0, 0, 100);
    stage.answer = 'dropped';
    stage.run(100);
    expect(stage.sentMs).toBe(0);
    stage.answer = 'sent';
    stage.run(200);
    expect(stage.heard).toEqual(range(0, 0, 100));
  });
});

describe('the order of clauses', () => {
  it('is kept although a later one is there first', () => {
    const stage = new Stage().know([undefined, 100]);
    stage.read(1, 0, 100);
    stage.run(200);
    expect(stage.frames).toEqual([]);
    stage.read(0, 0, 50);
    stage.run(200);
    expect(stage.heard).toEqual(range(0, 0, 50));
    stage.read(0, 50, 50);
    stage.know([100, 100], true).run(1_000);
    expect(stage.heard).toEqual([...range(0, 0, 100), ...range(1, 0, 100)]);
  });

  it('is kept where two are made side by side', () => {
    const stage = new Stage().know([undefined, undefined]);
    for (let at = 0; at < 200; at += 40) {
      stage.read(0, at, 40);
      stage.read(1, at, 40);
      stage.run(20);
    }
    stage.know([200, 200], true).run(1_000);
    expect(stage.heard).toEqual([...range(0, 0, 200), ...range(1, 0, 200)]);
  });

  it('passes over a clause that was given up', () => {
    const stage = new Stage().know([100, 0, 100], true);
    stage.read(0, 0, 100);
    stage.read(2, 0, 100);
    stage.run(1_000);
    expect(stage.heard).toEqual([...range(0, 0, 100), ...range(2, 0, 100)]);
    expect(stage.ends).toEqual(['0', '2 reply']);
  });

  it('is not disturbed by what was read before, or belongs to another reply', () => {
    const stage = new Stage().know([100], true);
    stage.read(0, 0, 100, 2);
    stage.read(0, 0, 60);
    stage.read(0, 0, 60);
    stage.read(0, 60, 40);
    stage.run(1_000);
    expect(stage.heard).toEqual(range(0, 0, 100));
  });
});

describe('ends', () => {
  it('are told once each, with the last audio where they are known', () => {
    const stage = new Stage().know([100, 100], true);
    stage.read(0, 0, 100);
    stage.read(1, 0, 100);
    stage.run(2_000);
    expect(stage.ends).toEqual(['0', '1 reply']);
    expect(stage.frames.every(({ pcm }) => pcm.byteLength > 0)).toBe(true);
  });

  it('that become known later are told by themselves', () => {
    const stage = new Stage().know([undefined]);
    stage.read(0, 0, 100);
    stage.run(200);
    expect(stage.ends).toEqual([]);
    stage.know([100, undefined]).run(20);
    expect(stage.ends).toEqual(['0']);
    stage.read(1, 0, 100);
    stage.know([100, 100]).run(200);
    stage.know([100, 100], true).run(200);
    expect(stage.ends).toEqual(['0', '1', 'reply']);
    expect(stage.frames.at(-1)).toMatchObject({ startSample: ms(200), clause: 1 });
  });

  it('of a reply whose last clause was given up comes after its last audio', () => {
    const stage = new Stage().know([100, undefined], true);
    stage.read(0, 0, 100);
    stage.run(400);
    stage.know([100, 0], true).run(20);
    expect(stage.ends.at(-1)).toContain('reply');
    expect(stage.ends.filter((end) => end.includes('reply'))).toHaveLength(1);
  });

  it('are told of a reply that was over before its end was known', () => {
    const stage = new Stage().know([100]);
    stage.read(0, 0, 100);
    stage.run(400);
    stage.playout.update(undefined, 1);
    expect(stage.ends).toEqual(['0', 'reply']);
    stage.playout.update(undefined, 1);
    expect(stage.ends).toEqual(['0', 'reply']);
  });

  it('are not told of a reply that was stopped, or of which nothing was sent', () => {
    const stopped = new Stage().know([undefined]);
    stopped.read(0, 0, 400);
    stopped.run(100);
    stopped.playout.update(undefined, 2);
    expect(stopped.ends).toEqual([]);
    const unheard = new Stage().know([]);
    unheard.playout.update(undefined, 1);
    expect(unheard.frames).toEqual([]);
  });
});

describe('another reply', () => {
  it('drops what is held of the one before', () => {
    const stage = new Stage().know([1_000]);
    stage.read(0, 0, 1_000);
    stage.run(100);
    const sent = stage.frames.length;
    const next = { turn: 2, attempt: 0, generation: 3, clauses: [{ samples: undefined }], done: false, played: 0 };
    stage.playout.update(next, 3);
    stage.run(500);
    expect(stage.frames.length).toBe(sent);
    stage.read(0, 0, 40, 2);
    stage.run(40);
    expect(stage.frames.at(-1)).toMatchObject({ turn: 2, generation: 3, startSample: 0 });
  });
});

describe('a reply that waits behind the stage', () => {
  const NEXT = { turn: 2, attempt: 0 };
  const onStage: PlayoutReply = { ...NEXT, generation: 2, clauses: [{ samples: ms(200) }], done: true, played: 0 };

  /** Half of it is made. */
  function waiting(): { stage: Stage; entries: string[] } {
    const stage = new Stage();
    stage.playout.update(undefined, 1, NEXT);
    const entries = [0, 50].map((at) => stage.read(0, at, 50, 2));
    return { stage, entries };
  }

  it('is not heard', () => {
    const { stage } = waiting();
    expect(stage.run(500).frames).toEqual([]);
    expect(stage.reports).toEqual([]);
  });

  it('is heard in the very tick in which it comes on stage, from its first sample', () => {
    const { stage } = waiting();
    stage.run(500).playout.update(onStage, 2);
    stage.playout.tick(stage.nowMs, false);
    expect(stage.sentMs).toBe(100);
    expect(stage.frames[0]).toMatchObject({ ...NEXT, generation: 2, clause: 0, startSample: 0 });
    stage.read(0, 100, 100, 2);
    stage.run(500);
    expect(stage.heard).toEqual(range(0, 0, 200));
    expect(stage.ends).toEqual(['0 reply']);
  });

  it('keeps clauses apart that were made side by side', () => {
    const { stage } = waiting();
    stage.read(1, 0, 100, 2);
    stage.read(0, 100, 100, 2);
    stage.playout.update({ ...onStage, clauses: [{ samples: ms(200) }, { samples: ms(100) }] }, 2);
    stage.run(1_000);
    expect(stage.heard).toEqual([...range(0, 0, 200), ...range(1, 0, 100)]);
  });

  it('is kept once, though it is read again', () => {
    const { stage } = waiting();
    stage.read(0, 0, 50, 2);
    stage.read(0, 50, 50, 2);
    stage.playout.update(onStage, 2);
    stage.read(0, 50, 50, 2);
    expect(stage.run(500).heard).toEqual(range(0, 0, 100));
  });

  it('waits while another reply is played, which it does not disturb', () => {
    const stage = new Stage().know([400], true);
    stage.read(0, 0, 400);
    const first: PlayoutReply = {
      ...{ turn: 1, attempt: 0, generation: 1, clauses: [{ samples: ms(400) }] },
      ...{ done: true, played: 0 },
    };
    stage.playout.update(first, 1, NEXT);
    stage.read(0, 0, 100, 2);
    stage.run(1_000);
    expect(stage.heard).toEqual(range(0, 0, 400));
    stage.playout.update(onStage, 2);
    stage.run(100);
    expect(stage.frames.at(-1)).toMatchObject({ ...NEXT, startSample: ms(80) });
  });

  it('is dropped with all there is of it where it is thrown away, or another one takes its place', () => {
    for (const instead of [undefined, { turn: 2, attempt: 1 }]) {
      const { stage } = waiting();
      stage.playout.update(undefined, 1, instead);
      expect(stage.playout.oldestNeeded()).toBeUndefined();
      stage.read(0, 100, 50, 2);
      stage.playout.update({ ...onStage, attempt: 1 }, 2);
      expect(stage.run(500).frames).toEqual([]);
    }
  });

  it('is not played in place of a reply that overtakes it', () => {
    const { stage } = waiting();
    stage.playout.update({ ...onStage, turn: 3 }, 2);
    expect(stage.run(500).frames).toEqual([]);
  });

  it('keeps its audio in the stream until it has been played', () => {
    const { stage, entries } = waiting();
    expect(stage.playout.oldestNeeded()).toBe(entries[0]);
    stage.playout.update(onStage, 2);
    stage.run(500);
    expect(stage.playout.oldestNeeded()).toBe(entries[0]);
    stage.playout.update({ ...onStage, played: ms(60) }, 2);
    expect(stage.playout.oldestNeeded()).toBe(entries[1]);
  });

  it('begins as soon as the user is silent', () => {
    const { stage } = waiting();
    stage.playout.update(onStage, 2);
    stage.playout.tick(stage.nowMs, true);
    expect(stage.frames).toEqual([]);
    stage.playout.tick(stage.nowMs, false);
    expect(stage.sentMs).toBe(100);
  });

  it('is not told an end of its own where it is thrown away', () => {
    const { stage } = waiting();
    stage.playout.update(undefined, 1);
    expect(stage.run(100).frames).toEqual([]);
  });
});

describe('the play clock', () => {
  it('runs in real time behind what was sent, where the client tells nothing', () => {
    const stage = new Stage().know([1_000], true);
    stage.read(0, 0, 1_000);
    stage.run(500);
    const played = stage.playout.played(stage.nowMs) / ms(1);
    expect(played).toBeGreaterThanOrEqual(400);
    expect(played).toBeLessThanOrEqual(440);
    stage.run(2_000);
    expect(stage.playout.played(stage.nowMs)).toBe(ms(1_000));
  });

  it('stands still while there is nothing to play', () => {
    const stage = new Stage().know([undefined]);
    stage.read(0, 0, 200);
    stage.run(5_000);
    expect(stage.playout.played(stage.nowMs)).toBe(ms(200));
    stage.read(0, 200, 1_000);
    stage.run(200);
    expect(stage.playout.played(stage.nowMs) / ms(1)).toBeLessThanOrEqual(340);
  });

  it('is what the client says, as long as that is fresh, and never more than was sent', () => {
    const stage = new Stage().know([undefined]);
    stage.read(0, 0, 5_000);
    stage.run(500);
    stage.playout.clientPlayed({ turn: 1, attempt: 0 }, ms(100), stage.nowMs);
    stage.run(1_000);
    expect(stage.playout.played(stage.nowMs)).toBe(ms(100));
    stage.run(2_000);
    expect(stage.playout.played(stage.nowMs)).toBeGreaterThan(ms(2_000));
    stage.playout.clientPlayed({ turn: 1, attempt: 0 }, 10 ** 9, stage.nowMs);
    expect(stage.playout.played(stage.nowMs)).toBe(stage.playout.sentSamples);
    stage.playout.clientPlayed({ turn: 9, attempt: 0 }, 1, stage.nowMs);
    expect(stage.playout.played(stage.nowMs)).toBe(stage.playout.sentSamples);
  });

  it('is reported at most four times a second, rising, and at once at the end', () => {
    const stage = new Stage().know([1_000], true);
    stage.read(0, 0, 1_000);
    stage.run(3_000);
    expect(stage.reports.length).toBeLessThanOrEqual(6);
    expect(stage.reports).toEqual([...new Set(stage.reports)].sort((a, b) => a - b));
    expect(stage.reports.at(-1)).toBe(ms(1_000));
  });
});

describe('a resume', () => {
  const reply = { turn: 1, attempt: 0 };
  const chunks = (stage: Stage): void => {
    for (const clause of [0, 1]) for (let at = 0; at < 100; at += 50) stage.read(clause, at, 50);
  };

  it.each([
    ['inside the first clause', 30],
    ['at the end of a chunk', 50],
    ['at the end of a clause', 100],
    ['inside the second clause', 130],
    ['inside its last chunk', 170],
    ['at the end of all', 200],
  ])('%s sends what the client lacks and no more', (_where, received) => {
    const stage = new Stage().know([100, 100], true, 20);
    stage.playout.resumeAt(reply, ms(received), ms(20));
    chunks(stage);
    stage.run(1_000);
    expect(stage.heard).toEqual([...range(0, 0, 100), ...range(1, 0, 100)].slice(received));
    expect(stage.frames[0]?.startSample).toBe(ms(received));
    expect(stage.ends.filter((end) => end.includes('reply'))).toHaveLength(1);
  });

  it('of a clause still being made goes on where the client lacks it', () => {
    const stage = new Stage().know([undefined], false, 20);
    stage.playout.resumeAt(reply, ms(70), ms(20));
    stage.read(0, 50, 50);
    stage.run(100);
    expect(stage.heard).toEqual(range(0, 70, 100));
  });

  it('without a word of the client goes on at what the log says was played', () => {
    const stage = new Stage().know([100, 100], true, 120);
    stage.read(1, 0, 100);
    stage.run(1_000);
    expect(stage.heard).toEqual(range(1, 20, 100));
    expect(stage.frames[0]?.startSample).toBe(ms(120));
  });

  it('passes over what has been trimmed, rather than wait for it', () => {
    const stage = new Stage().know([200], true, 0);
    stage.playout.resumeAt(reply, ms(10), 0);
    stage.read(0, 50, 150);
    stage.run(1_000);
    expect(stage.heard).toEqual(range(0, 50, 200));
    expect(stage.frames[0]?.startSample).toBe(ms(50));
  });

  it('of another reply changes nothing', () => {
    const stage = new Stage().know([100], true);
    stage.playout.resumeAt({ turn: 9, attempt: 0 }, ms(50), ms(50));
    stage.read(0, 0, 100);
    stage.run(500);
    expect(stage.heard).toEqual(range(0, 0, 100));
  });
});

describe('the oldest entry that is still needed', () => {
  it('is none before there is any', () => {
    expect(new Stage().playout.oldestNeeded()).toBeUndefined();
    expect(new Stage().know([undefined]).playout.oldestNeeded()).toBeUndefined();
  });

  it('moves on with what the log says was played, not with what was sent', () => {
    const stage = new Stage().know([undefined]);
    const entries = [0, 100, 200, 300].map((at) => stage.read(0, at, 100));
    stage.run(2_000);
    expect(stage.playout.oldestNeeded()).toBe(entries[0]);
    stage.know([undefined], false, 99);
    expect(stage.playout.oldestNeeded()).toBe(entries[0]);
    stage.know([undefined], false, 200);
    expect(stage.playout.oldestNeeded()).toBe(entries[2]);
  });

  it('is no later than what a client that reports has played', () => {
    const stage = new Stage().know([undefined]);
    const entries = [0, 100].map((at) => stage.read(0, at, 100));
    stage.run(1_000);
    stage.playout.clientPlayed({ turn: 1, attempt: 0 }, ms(50), stage.nowMs);
    stage.know([undefined], false, 200);
    expect(stage.playout.oldestNeeded()).toBe(entries[0]);
  });

  it('may belong to a later clause that was made side by side', () => {
    const stage = new Stage().know([undefined, undefined]);
    stage.read(0, 0, 100);
    const early = stage.read(1, 0, 100);
    stage.read(0, 100, 100);
    stage.run(150);
    stage.know([undefined, undefined], false, 120);
    expect(stage.playout.oldestNeeded()).toBe(early);
  });

  it('is the last of a clause that is still being spoken, though it was played, and a later clause has begun', () => {
    const stage = new Stage().know([undefined, undefined]);
    stage.read(0, 0, 100);
    const last = stage.read(0, 100, 100);
    stage.read(1, 0, 100);
    stage.run(2_000);
    stage.know([undefined, undefined], false, 200);
    expect(stage.playout.oldestNeeded()).toBe(last);
  });

  it('compares entries by number, not by letter', () => {
    const stage = new Stage().know([undefined, undefined]);
    for (let at = 0; at < 900; at += 100) stage.read(1, at, 100);
    stage.read(0, 0, 100);
    expect(stage.playout.oldestNeeded()).toBe('7-1');
  });
});

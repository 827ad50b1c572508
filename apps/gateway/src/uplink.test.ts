import { type Bus, connectBus } from '@parley/bus';
import { DEFAULT_SETTINGS, sessionKeys } from '@parley/protocol';
import { createLogger, createMetrics, FakeClock, systemClock } from '@parley/runtime';
import { startRedis, type TestRedis } from '@parley/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Uplink, type UplinkOptions } from './uplink.ts';

/** Samples whose values are their numbers, so that any loss or repetition shows. */
const pcm = (from: number, samples: number): Uint8Array =>
  new Uint8Array(Int16Array.from({ length: samples }, (_, i) => (from + i) % 30_000).buffer);

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Written {
  readonly end: number;
  readonly pcm: Uint8Array;
}

/** An uplink into a list that can be away, and a clock that stands still. */
function recorded(options: Partial<UplinkOptions> = {}) {
  const clock = new FakeClock();
  const written: Written[] = [];
  const lost: [from: number, samples: number, reason: string][] = [];
  const store = { away: false, duplicates: 0, hastened: 0, patient: [] as boolean[] };
  const uplink = new Uplink({
    session: 'session-1',
    audioIn: {
      async add(_session, end, bytes, { mayWait = false }) {
        if (store.away) throw new Error('away');
        store.patient.push(mayWait);
        if (end <= (written.at(-1)?.end ?? 0)) return 'duplicate';
        written.push({ end, pcm: bytes });
        return 'added';
      },
      hasten: () => {
        store.hastened += 1;
      },
      reader: () => {
        throw new Error('not read here');
      },
    },
    clock,
    nextSample: 0,
    capSamples: 60 * 16_000,
    burstMs: 15_000,
    refillFactor: 1.5,
    onDuplicate: (samples) => {
      store.duplicates += samples;
    },
    onLost: (from, samples, reason) => lost.push([from, samples, reason]),
    ...options,
  });
  const accept = (from: number, samples: number): void => uplink.accept({ startSample: from, pcm: pcm(from, samples) });
  return { uplink, clock, written, lost, store, accept };
}

const ends = (written: readonly Written[]): number[] => written.map(({ end }) => end);

describe('packing', () => {
  it('makes entries of about 40 ms of small frames', async () => {
    const { accept, written } = recorded();
    for (let at = 0; at < 3_200; at += 320) accept(at, 320);
    await settled();
    expect(ends(written)).toEqual([640, 1_280, 1_920, 2_560, 3_200]);
    expect(Buffer.concat(written.map((entry) => entry.pcm))).toEqual(Buffer.from(pcm(0, 3_200)));
  });

  it('writes frames as they come while something is being decided', async () => {
    const { accept, written, uplink } = recorded();
    accept(0, 320);
    uplink.hurry(true);
    accept(320, 320);
    accept(640, 320);
    await settled();
    expect(ends(written)).toEqual([320, 640, 960]);
    uplink.hurry(false);
    accept(960, 320);
    accept(1_280, 320);
    await settled();
    expect(ends(written)).toEqual([320, 640, 960, 1_600]);
  });

  it('lets an entry wait for those of other sessions, unless something is being decided or more is behind it', async () => {
    const { accept, clock, uplink, store } = recorded();
    accept(0, 640);
    await settled();
    expect(store.patient).toEqual([true]);
    uplink.hurry(true);
    uplink.hurry(true);
    expect(store.hastened).toBe(1);
    accept(640, 640);
    await settled();
    uplink.hurry(false);
    store.away = true;
    accept(1_280, 640);
    accept(1_920, 640);
    await settled();
    store.away = false;
    await clock.advance(50);
    await settled();
    expect(store.patient).toEqual([true, false, false, true]);
  });

  it('takes frames of any size', async () => {
    const { accept, written, uplink } = recorded();
    for (const [at, samples] of [
      [0, 1],
      [1, 639],
      [640, 5_000],
      [5_640, 100],
    ] as const) {
      accept(at, samples);
    }
    uplink.flush();
    await settled();
    expect(ends(written)).toEqual([640, 5_640, 5_740]);
  });

  it('writes a part of an entry after a while', async () => {
    const { accept, uplink, clock, written } = recorded();
    accept(0, 320);
    await clock.advance(59);
    uplink.tick(clock.nowMs());
    await settled();
    expect(written).toEqual([]);
    await clock.advance(1);
    uplink.tick(clock.nowMs());
    await settled();
    expect(ends(written)).toEqual([320]);
  });

  it('writes a part of an entry when asked, and nothing when there is nothing', async () => {
    const { accept, uplink, written } = recorded();
    uplink.flush();
    accept(0, 320);
    uplink.flush();
    uplink.flush();
    await settled();
    expect(ends(written)).toEqual([320]);
  });

  it('keeps no view into the buffer of the message', async () => {
    const { uplink, written } = recorded();
    const message = pcm(0, 640);
    uplink.accept({ startSample: 0, pcm: message });
    message.fill(0);
    await settled();
    expect(Buffer.from(written[0]?.pcm ?? [])).toEqual(Buffer.from(pcm(0, 640)));
  });
});

describe('numbering', () => {
  it('drops what came before, and cuts what overlaps', async () => {
    const { accept, written, store, uplink } = recorded();
    accept(0, 640);
    accept(0, 640);
    accept(320, 320);
    accept(320, 960);
    await settled();
    expect(ends(written)).toEqual([640, 1_280]);
    expect(Buffer.concat(written.map((entry) => entry.pcm))).toEqual(Buffer.from(pcm(0, 1_280)));
    expect(store.duplicates).toBe(640 + 320 + 320);
    expect(uplink.nextSample).toBe(1_280);
  });

  it('goes on where the session stands', async () => {
    const { accept, written, uplink } = recorded({ nextSample: 10_000 });
    expect(uplink.nextSample).toBe(10_000);
    accept(9_000, 1_640);
    await settled();
    expect(ends(written)).toEqual([10_640]);
    expect(Buffer.from(written[0]?.pcm ?? [])).toEqual(Buffer.from(pcm(10_000, 640)));
  });

  it('reports a gap, and writes what came before it first', async () => {
    const { accept, written, lost } = recorded();
    accept(0, 320);
    accept(1_000, 640);
    await settled();
    expect(ends(written)).toEqual([320, 1_640]);
    expect(lost).toEqual([[320, 680, 'gap']]);
  });

  it('refuses a number far beyond what can be, and takes the right one after it', async () => {
    const { accept, written, lost } = recorded();
    expect(() => accept(10 ** 12, 640)).toThrow(expect.objectContaining({ code: 'bad_audio' }));
    accept(0, 640);
    await settled();
    expect(ends(written)).toEqual([640]);
    expect(lost).toEqual([]);
  });
});

describe('the rate', () => {
  it('allows what a client sends again after a resume, and no more at once', () => {
    const { accept } = recorded();
    for (let at = 0; at < 15 * 16_000; at += 16_000) accept(at, 16_000);
    expect(() => accept(15 * 16_000, 320)).toThrow(expect.objectContaining({ code: 'rate_limited' }));
  });

  it('allows a little more than real time for ever', async () => {
    const { accept, clock } = recorded();
    for (let at = 0; at < 60 * 16_000; at += 1_600) {
      accept(at, 1_600);
      await clock.advance(70);
    }
  });

  it('counts repeated audio too', () => {
    const { accept } = recorded();
    for (let i = 0; i < 15; i += 1) accept(0, 16_000);
    expect(() => accept(0, 16_000)).toThrow(expect.objectContaining({ code: 'rate_limited' }));
  });
});

describe('while Redis is away', () => {
  it('audio waits, in order, and is written when it is back', async () => {
    const { accept, written, store, clock, uplink } = recorded();
    accept(0, 640);
    await settled();
    store.away = true;
    for (let at = 640; at < 6_400; at += 640) accept(at, 640);
    await clock.advance(1_000);
    expect(ends(written)).toEqual([640]);
    expect(uplink.nextSample).toBe(6_400);
    store.away = false;
    await clock.advance(50);
    expect(ends(written)).toEqual([640, 1_280, 1_920, 2_560, 3_200, 3_840, 4_480, 5_120, 5_760, 6_400]);
  });

  it('it is refused once too much waits, so that the client keeps it', async () => {
    const { accept, store, clock, written, uplink } = recorded({ burstMs: 60_000 });
    store.away = true;
    let at = 0;
    const fill = (): void => {
      for (; at < 40 * 16_000; at += 640) accept(at, 640);
    };
    expect(fill).toThrow(expect.objectContaining({ code: 'bus_unavailable' }));
    expect(uplink.nextSample).toBe(at);
    expect(at).toBeGreaterThanOrEqual(15 * 16_000);
    expect(at).toBeLessThanOrEqual(15 * 16_000 + 2 * 640);
    store.away = false;
    await clock.advance(50);
    expect(written.at(-1)?.end).toBe(at);
  });

  it('closing does not wait for it', async () => {
    const { accept, store, uplink, clock, written } = recorded();
    store.away = true;
    accept(0, 640);
    const closed = uplink.close();
    await clock.advance(50);
    await closed;
    expect(written).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('closing', () => {
  it('writes what is there first', async () => {
    const { accept, uplink, written } = recorded();
    accept(0, 1_000);
    accept(1_000, 10);
    await uplink.close();
    expect(ends(written)).toEqual([1_000, 1_010]);
  });
});

describe('what the cap removes', () => {
  it('is reported a second at a time, each sample once', () => {
    const { accept, uplink, lost } = recorded({ capSamples: 32_000, burstMs: 600_000 });
    for (let at = 0; at < 16_000 * 5; at += 8_000) {
      accept(at, 8_000);
      uplink.reportOverflow(0);
    }
    expect(lost).toEqual([
      [0, 16_000, 'overflow'],
      [16_000, 16_000, 'overflow'],
      [32_000, 16_000, 'overflow'],
    ]);
  });

  it('is nothing while the audio is settled in time', () => {
    const { accept, uplink, lost } = recorded({ capSamples: 32_000, burstMs: 600_000 });
    for (let at = 0; at < 16_000 * 10; at += 8_000) {
      accept(at, 8_000);
      uplink.reportOverflow(at);
    }
    expect(lost).toEqual([]);
  });
});

describe('into a real Redis', () => {
  let redis: TestRedis;
  let bus: Bus;
  const session = 'uplink-test-session-00';

  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());
  beforeEach(async () => {
    const logger = createLogger({ name: 'test', level: 'silent' });
    const metrics = createMetrics({ processMetrics: false });
    bus = await connectBus({ url: redis.url, process: { id: 'g1', host: 'test', pid: 1 }, logger, metrics });
  });
  afterEach(() => bus.close());

  it('no sample is lost or repeated over a crash and its return', async () => {
    const made = await bus.sessions.create({
      session,
      tokenHash: 't',
      keyHash: 'k',
      settings: DEFAULT_SETTINGS,
      state: '{}',
    });
    expect(made.ok).toBe(true);
    const uplink = new Uplink({
      session,
      audioIn: bus.audioIn,
      clock: systemClock,
      nextSample: 0,
      capSamples: 60 * 16_000,
      burstMs: 60_000,
      refillFactor: 10,
      onDuplicate: () => undefined,
      onLost: () => undefined,
    });
    const total = 100 * 640;
    for (let at = 0; at < total; at += 640) {
      uplink.accept({ startSample: at, pcm: pcm(at, 640) });
      if (at === 30 * 640) await redis.kill();
      if (at === 60 * 640) await redis.restart();
      await settled();
    }
    await vi.waitFor(() => expect(bus.connected).toBe(true), { timeout: 5_000 });
    const key = sessionKeys(session).in;
    await vi.waitFor(async () => expect(await redis.client.xlen(key)).toBe(100), { timeout: 5_000 });
    const entries = await redis.client.xrangeBuffer(key, '-', '+');
    const audio = Buffer.concat(entries.flatMap(([, fields]) => (fields[1] ? [fields[1]] : [])));
    expect(audio.equals(Buffer.from(pcm(0, total)))).toBe(true);
    await uplink.close();
  });
});

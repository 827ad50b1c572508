import { type SessionId, sessionKeys, wakeKey } from '@parley/protocol';
import { startRedis, type TestRedis } from '@parley/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AudioReader } from './audio-reader.ts';
import {
  connectTestBus,
  connectTwoProcesses,
  createSession,
  metricLines,
  type TestBus,
  type TwoProcesses,
} from './bus-fixture.ts';

const ENTRY_SAMPLES = 640;
const CAP_SAMPLES = 60 * 16_000;

let processes: TwoProcesses<TestRedis>;
let redis: TestRedis;
let gateway: TestBus;
let worker: TestBus;

beforeAll(async () => {
  processes = await connectTwoProcesses(await startRedis(), 'gateway-a', 'worker-a');
  ({ redis, first: gateway, second: worker } = processes);
});
afterAll(() => processes?.close());

/** PCM whose samples are their own numbers, so that a lost, moved or doubled one shows. */
function numbered(startSample: number, samples: number): Uint8Array {
  const pcm = Int16Array.from({ length: samples }, (_, i) => ((startSample + i) % 65_536) - 32_768);
  return new Uint8Array(pcm.buffer);
}

const add = (session: SessionId, startSample: number, samples = ENTRY_SAMPLES, cap = CAP_SAMPLES) =>
  gateway.bus.audioIn.add(session, startSample + samples, numbered(startSample, samples), { capSamples: cap });

interface Heard {
  nextSample: number;
  bytes: Buffer[];
  gaps: number[];
}

/** A reader that joins what it hears and checks that frames are consecutive. */
function listen(workerId: string, bus = worker.bus): { reader: AudioReader; heard: Map<SessionId, Heard> } {
  const heard = new Map<SessionId, Heard>();
  const reader = bus.audioIn.reader(workerId, (session, frames, gapSamples) => {
    const one = heard.get(session) ?? { nextSample: frames[0]?.startSample ?? 0, bytes: [], gaps: [] };
    heard.set(session, one);
    if (gapSamples > 0) {
      one.gaps.push(gapSamples);
      one.nextSample += one.bytes.length > 0 ? gapSamples : 0;
    }
    for (const { startSample, pcm } of frames) {
      if (startSample !== one.nextSample) throw new Error(`expected sample ${one.nextSample}, got ${startSample}`);
      one.bytes.push(Buffer.from(pcm));
      one.nextSample += pcm.length / 2;
    }
  });
  return { reader, heard };
}

const isWhole = (one: Heard | undefined, from: number, to: number): boolean =>
  one !== undefined && Buffer.from(numbered(from, to - from)).equals(Buffer.concat(one.bytes));

describe('user audio', () => {
  it('is refused where Redis has it already', async () => {
    const { session } = await createSession(gateway.bus);
    expect(await add(session, 0)).toBe('added');
    expect(await add(session, 0)).toBe('duplicate');
    expect(await add(session, 100)).toBe('added');
    expect(await add(session, 0)).toBe('duplicate');
    expect(await metricLines(gateway.metrics, 'parley_audio_in_duplicates_total{')).toEqual([
      'parley_audio_in_duplicates_total{side="write"} 2',
    ]);
  });

  it('that may wait for others goes by itself in the end, and at once when it is hastened', async () => {
    const sessions = await Promise.all([1, 2].map(async () => (await createSession(gateway.bus)).session));
    const added = (endSample: number) =>
      Promise.all(
        sessions.map((session) =>
          gateway.bus.audioIn.add(session, endSample, numbered(0, 640), { capSamples: CAP_SAMPLES, mayWait: true }),
        ),
      );
    expect(await added(640)).toEqual(['added', 'added']);
    const hastened = added(1_280);
    gateway.bus.audioIn.hasten();
    gateway.bus.audioIn.hasten();
    expect(await hastened).toEqual(['added', 'added']);
  });

  it('is capped by samples', async () => {
    const { session } = await createSession(gateway.bus);
    for (let i = 0; i < 10; i += 1) await add(session, i * ENTRY_SAMPLES, ENTRY_SAMPLES, 3 * ENTRY_SAMPLES);
    const ids = (await redis.client.xrange(sessionKeys(session).in, '-', '+')).map(([id]) => id);
    expect(ids).toEqual(['4480-0', '5120-0', '5760-0', '6400-0']);
  });
});

describe('a reader', () => {
  it('hears many sessions, each whole, and takes up new ones while it waits', async () => {
    const { reader, heard } = listen('w-many');
    const sessions = await Promise.all(
      Array.from({ length: 20 }, async () => (await createSession(gateway.bus)).session),
    );
    for (const session of sessions) {
      await add(session, 0);
      reader.add(session, 0);
      await expect.poll(() => heard.get(session)?.nextSample, { timeout: 1_000, interval: 5 }).toBe(ENTRY_SAMPLES);
    }
    expect(reader.size).toBe(20);
    for (let i = 1; i < 30; i += 1) await Promise.all(sessions.map((session) => add(session, i * ENTRY_SAMPLES)));
    for (const session of sessions) {
      await expect.poll(() => isWhole(heard.get(session), 0, 30 * ENTRY_SAMPLES)).toBe(true);
      expect(heard.get(session)?.gaps).toEqual([]);
    }
    await reader.close();
    expect(await redis.client.exists(wakeKey('w-many'))).toBe(0);
  });

  it('starts at a sample in the middle of an entry and cuts what lies before', async () => {
    const { session } = await createSession(gateway.bus);
    for (let i = 0; i < 4; i += 1) await add(session, i * ENTRY_SAMPLES);
    const { reader, heard } = listen('w-cut');
    reader.add(session, 1_000);
    await expect.poll(() => isWhole(heard.get(session), 1_000, 4 * ENTRY_SAMPLES)).toBe(true);
    expect(heard.get(session)?.gaps).toEqual([]);
    await reader.close();
  });

  it('cuts audio that was sent again in other pieces', async () => {
    const { session } = await createSession(gateway.bus);
    await add(session, 0, 640);
    await add(session, 320, 640);
    await add(session, 0, 2_000);
    const { reader, heard } = listen('w-overlap');
    reader.add(session, 0);
    await expect.poll(() => isWhole(heard.get(session), 0, 2_000)).toBe(true);
    await reader.close();
  });

  it('reports a gap before the first frame and between frames', async () => {
    const { session } = await createSession(gateway.bus);
    await add(session, 100, 640);
    await add(session, 740, 640);
    await add(session, 2_000, 640);
    const { reader, heard } = listen('w-gap');
    reader.add(session, 0);
    await expect.poll(() => heard.get(session)?.nextSample).toBe(2_640);
    expect(heard.get(session)?.gaps).toEqual([100, 620]);
    expect(await metricLines(worker.metrics, 'parley_audio_in_gap_samples_total')).toEqual([
      'parley_audio_in_gap_samples_total 720',
    ]);
    await reader.close();
  });

  it('delivers nothing of a session once that was removed, and reads it again from where it is told', async () => {
    const { session } = await createSession(gateway.bus);
    const heard: number[] = [];
    const reader = worker.bus.audioIn.reader('w-remove', (id, frames) => {
      heard.push(...frames.map(({ startSample }) => startSample));
      reader.remove(id);
    });
    await add(session, 0);
    reader.add(session, 0);
    await expect.poll(() => heard).toEqual([0]);
    for (let i = 1; i < 5; i += 1) await add(session, i * ENTRY_SAMPLES);
    const { session: other } = await createSession(gateway.bus);
    await add(other, 0);
    reader.add(other, 0);
    await expect.poll(() => heard).toEqual([0, 0]);
    reader.add(session, 2 * ENTRY_SAMPLES);
    await expect.poll(() => heard).toEqual([0, 0, 1280, 1920, 2560]);
    await reader.close();
  });

  it('goes on from its own position when Redis was restarted', async () => {
    const own = await startRedis();
    const bus = await connectTestBus(own.url, 'worker-b');
    const { session } = await createSession(bus.bus);
    const { reader, heard } = listen('w-restart', bus.bus);
    const write = (start: number) =>
      bus.bus.audioIn.add(session, start + ENTRY_SAMPLES, numbered(start, ENTRY_SAMPLES), { capSamples: CAP_SAMPLES });
    reader.add(session, 0);
    for (let i = 0; i < 5; i += 1) await write(i * ENTRY_SAMPLES);
    await own.restart();
    await expect.poll(() => bus.bus.connected, { timeout: 5_000 }).toBe(true);
    for (let i = 5; i < 10; i += 1) await write(i * ENTRY_SAMPLES);
    await expect.poll(() => isWhole(heard.get(session), 0, 10 * ENTRY_SAMPLES), { timeout: 5_000 }).toBe(true);
    await reader.close();
    await bus.bus.close();
    await own.stop();
  });
});

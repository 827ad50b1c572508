import { DEFAULT_SETTINGS, INITIAL_HEARING, sessionKeys } from '@parley/protocol';
import { startRedis, type TestRedis } from '@parley/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  connectTestBus,
  connectTwoProcesses,
  createSession,
  granted,
  metricLines,
  newSessionId,
  step,
  type TestBus,
  type TwoProcesses,
} from './bus-fixture.ts';

let processes: TwoProcesses<TestRedis>;
let redis: TestRedis;
let a: TestBus;
let b: TestBus;

beforeAll(async () => {
  processes = await connectTwoProcesses(await startRedis(), 'gateway-a', 'gateway-b');
  ({ redis, first: a, second: b } = processes);
});
afterAll(() => processes?.close());

const REPLY = { stage: 'reply', turn: 1, attempt: 0 } as const;
const CLAUSE = { stage: 'speak', turn: 1, attempt: 0, clause: 0 } as const;
const refusal = (code: string) => ({ ok: false, refusal: code });
const typed = (text: string) => ({ type: 'input.text', text }) as const;

describe('own', () => {
  it('creates a session in epoch 1 and writes session.moved', async () => {
    const before = a.bus.redisNowMs();
    const session = await createSession(a.bus);
    expect(session).toMatchObject({
      epoch: 1,
      movedEvent: '1-0',
      state: 'state-0',
      eventCursor: '0-0',
      settings: DEFAULT_SETTINGS,
      generation: 0,
      audioCursor: 0,
      hearing: INITIAL_HEARING,
      inputSample: 0,
      outbox: new Map(),
    });
    expect(session).not.toHaveProperty('listener');
    expect(session).not.toHaveProperty('previousOwner');
    expect(Math.abs(session.created - before)).toBeLessThan(1_000);
    expect(await a.bus.log.read(session.session, '0-0')).toEqual([
      { type: 'session.moved', owner: 'gateway-a', epoch: 1, id: '1-0', at: session.created },
    ]);
  });

  it('refuses to create what exists: EXISTS', async () => {
    const { session } = await createSession(a.bus);
    const again = { session, tokenHash: 'x', keyHash: 'y', settings: DEFAULT_SETTINGS, state: '' };
    expect(await b.bus.sessions.create(again)).toEqual(refusal('EXISTS'));
  });

  it('refuses an unknown session: NOSESSION, by token and by a gateway itself', async () => {
    const session = newSessionId();
    for (const tokenHash of ['token-hash', null]) {
      expect(await a.bus.sessions.resume({ session, tokenHash, keyHash: null })).toEqual(refusal('NOSESSION'));
    }
    expect(await redis.client.keys(`s:{${session}}*`)).toEqual([]);
  });

  it('refuses a wrong token, and the right one under another key: TOKEN', async () => {
    const { session } = await createSession(a.bus);
    const resume = (tokenHash: string, keyHash: string | null) =>
      b.bus.sessions.resume({ session, tokenHash, keyHash });
    expect(await resume('other', 'key-hash')).toEqual(refusal('TOKEN'));
    expect(await resume('token-hash', 'other')).toEqual(refusal('TOKEN'));
    expect(await resume('token-hash', null)).toEqual(refusal('TOKEN'));
    expect(granted(await resume('token-hash', 'key-hash')).epoch).toBe(2);
  });

  it('hands over state, cursors, listener and outbox under the next epoch', async () => {
    const { session } = await createSession(a.bus);
    const lease = granted(await b.bus.sessions.acquire({ session, expect: '' }));
    await a.bus.audioIn.add(session, 640, new Uint8Array(1280), { capSamples: 16_000 });
    granted(
      await a.bus.sessions.commit({
        ...step(session, 1, '0-0', '1-1'),
        generation: 4,
        settings: { ...DEFAULT_SETTINGS, voice: 'v' },
        outbox: { 'c.1': '{"x":[]}' },
      }),
    );
    expect(await b.bus.sessions.resume({ session, tokenHash: null, keyHash: null })).toMatchObject({
      epoch: 2,
      movedEvent: '2-0',
      state: 'state-1',
      eventCursor: '1-1',
      generation: 4,
      settings: { voice: 'v' },
      inputSample: 640,
      listener: { id: 'gateway-b', fence: lease.fence },
      outbox: new Map([['c.1', '{"x":[]}']]),
      previousOwner: { id: 'gateway-a', host: 'test-host' },
    });
  });

  it('tells workers of the new owner on the control channel', async () => {
    const { session } = await createSession(a.bus);
    const seen: unknown[] = [];
    const stop = await a.bus.control.subscribe((message) => void seen.push(message));
    granted(await b.bus.sessions.resume({ session, tokenHash: null, keyHash: null }));
    await expect.poll(() => seen).toEqual([{ session, owner: 'gateway-b', epoch: 2 }]);
    await stop();
  });

  it('survives an owner whose name looks like the place of the epoch', async () => {
    const odd = await connectTestBus(redis.url, 'x","epoch":0,"y');
    const { session } = await createSession(odd.bus);
    expect(await odd.bus.log.read(session, '0-0')).toMatchObject([{ owner: 'x","epoch":0,"y', epoch: 1 }]);
    await odd.bus.close();
  });
});

describe('commit', () => {
  it('writes events, state, history, work and outbox in one step', async () => {
    const { session } = await createSession(a.bus);
    const answer = granted(
      await a.bus.sessions.commit({
        ...step(session, 1, '0-0', '1-0'),
        generation: 2,
        events: [
          { type: 'reply.started', ...{ turn: 1, attempt: 0 } },
          { type: 'reply.released', turn: 1, attempt: 0, text: 'grüß "dich"\n' },
        ],
        history: [{ push: { role: 'user', turn: 1, text: 'hallo' } }],
        work: { create: [{ ref: REPLY, input: '{"deep":[[],{}],"n":12345678901234567}', resumeAt: 3 }] },
        outbox: { 'r.1': 'one', 'r.2': 'two' },
      }),
    );
    expect(answer.ids).toEqual(['1-1', '1-2']);
    expect(await a.bus.log.read(session, '1-0')).toMatchObject([
      { type: 'reply.started', id: '1-1' },
      { type: 'reply.released', id: '1-2', text: 'grüß "dich"\n' },
    ]);
    expect(await a.bus.registry.history(session)).toEqual([{ role: 'user', turn: 1, text: 'hallo' }]);
    const claim = granted(await b.bus.sessions.claim({ session, ref: REPLY, try: 1 }));
    expect(claim).toMatchObject({
      resumeAt: 3,
      input: '{"deep":[[],{}],"n":12345678901234567}',
      owner: 'gateway-a',
      epoch: 1,
      settings: DEFAULT_SETTINGS,
    });
    granted(await a.bus.sessions.commit({ ...step(session, 1, '1-0', '1-2'), outboxDone: ['r.1', 'none'] }));
    const next = granted(await b.bus.sessions.resume({ session, tokenHash: null, keyHash: null }));
    expect(next.outbox).toEqual(new Map([['r.2', 'two']]));
  });

  it('replaces messages of the history, one just pushed too', async () => {
    const { session } = await createSession(a.bus);
    const user = (text: string) => ({ role: 'user', turn: 1, text }) as const;
    granted(
      await a.bus.sessions.commit({
        ...step(session, 1, '0-0', '1-0'),
        history: [{ push: user('a') }, { push: user('b') }, { set: 1, message: user('B') }],
      }),
    );
    expect(await a.bus.registry.history(session)).toEqual([user('a'), user('B')]);
    expect(await a.bus.registry.history(session, 1)).toEqual([user('B')]);
    expect(await a.bus.registry.history(session, 0)).toEqual([]);
  });

  it('empties the history, and counts from the start what comes after', async () => {
    const { session } = await createSession(a.bus);
    const user = (turn: number, text: string) => ({ role: 'user', turn, text }) as const;
    const first = step(session, 1, '0-0', '1-0');
    granted(await a.bus.sessions.commit({ ...first, history: [{ push: user(1, 'a') }, { push: user(2, 'b') }] }));
    const change = [{ push: user(3, 'c') }, { set: 1, message: user(2, 'B') }] as const;
    const anew = [{ clear: true }, { push: user(4, 'd') }, { set: 0, message: user(4, 'D') }] as const;
    granted(await a.bus.sessions.commit({ ...step(session, 1, '1-0', '1-1'), history: [...change, ...anew] }));
    expect(await a.bus.registry.history(session)).toEqual([user(4, 'D')]);
    granted(await a.bus.sessions.commit({ ...step(session, 1, '1-1', '1-2'), history: [{ clear: true }] }));
    expect(await a.bus.registry.history(session)).toEqual([]);
    granted(await a.bus.sessions.commit({ ...step(session, 1, '1-2', '1-3'), history: [{ clear: true }] }));
    const gone = { set: 0, message: user(4, 'x') };
    const late = a.bus.sessions.commit({ ...step(session, 1, '1-3', '1-4'), history: [{ clear: true }, gone] });
    await expect(late).rejects.toMatchObject({ code: 'internal' });
  });

  it('writes nothing at all when the history has nothing to be replaced', async () => {
    const { session } = await createSession(a.bus);
    const commit = a.bus.sessions.commit({
      ...step(session, 1, '0-0', '1-0'),
      events: [typed('x')],
      history: [{ set: 0, message: { role: 'user', turn: 1, text: 'b' } }],
    });
    await expect(commit).rejects.toMatchObject({ code: 'internal' });
    expect(await redis.client.hget(sessionKeys(session).hash, 'eventCursor')).toBe('0-0');
    expect(await a.bus.log.read(session, '1-0')).toEqual([]);
  });

  it('is checked before it is sent: a bad number or id never reaches the script', async () => {
    const { session } = await createSession(a.bus);
    const base = step(session, 1, '0-0', '1-0');
    for (const bad of [{ trimEvents: '5' }, { audioCursor: -1 }, { generation: 0.5 }, { cursor: '+' }]) {
      await expect(a.bus.sessions.commit({ ...base, ...bad })).rejects.toMatchObject({ code: 'internal' });
    }
    granted(await a.bus.sessions.commit(base));
  });

  it('refuses a stale owner, also one with the right epoch but another name: NOTOWNER', async () => {
    const { session } = await createSession(a.bus);
    expect(await b.bus.sessions.commit(step(session, 1, '0-0', '1-0'))).toEqual(refusal('NOTOWNER'));
    granted(await b.bus.sessions.resume({ session, tokenHash: null, keyHash: null }));
    expect(await a.bus.sessions.commit(step(session, 1, '0-0', '1-0'))).toEqual(refusal('NOTOWNER'));
    granted(await b.bus.sessions.commit(step(session, 2, '0-0', '2-0')));
  });

  it('refuses a step from another cursor: CURSOR', async () => {
    const { session } = await createSession(a.bus);
    granted(await a.bus.sessions.commit(step(session, 1, '0-0', '1-0')));
    const again = { ...step(session, 1, '0-0', '1-0'), events: [typed('twice')] };
    expect(await a.bus.sessions.commit(again)).toEqual(refusal('CURSOR'));
    expect(await a.bus.log.read(session, '1-0')).toEqual([]);
  });

  it('lets exactly one of two racing owners through', async () => {
    const { session } = await createSession(a.bus);
    const owned = await Promise.all(
      [a, b].map(async (one) => {
        const { epoch } = granted(await one.bus.sessions.resume({ session, tokenHash: null, keyHash: null }));
        const commit = { ...step(session, epoch, '0-0', '1-0'), events: [typed(one.bus.process.id)] };
        return (await one.bus.sessions.commit(commit)).ok;
      }),
    );
    // The first may have committed before the second took over, but then the second is refused by its cursor.
    expect(owned.filter(Boolean)).toHaveLength(1);
    const events = await a.bus.log.read(session, '1-0');
    expect(events.filter((event) => event.type === 'input.text')).toHaveLength(1);
  });

  it('cancels a reply with all its clauses, created before, with it or after', async () => {
    const { session } = await createSession(a.bus);
    const clause = (n: number) => ({ ref: { ...CLAUSE, clause: n }, input: '{}' });
    const other = { stage: 'reply', turn: 1, attempt: 1 } as const;
    granted(
      await a.bus.sessions.commit({
        ...step(session, 1, '0-0', '1-0'),
        work: { create: [{ ref: REPLY, input: '{}' }, clause(0)] },
      }),
    );
    const held = granted(await b.bus.sessions.claim({ session, ref: REPLY, try: 1 }));
    granted(
      await a.bus.sessions.commit({
        ...step(session, 1, '1-0', '1-0'),
        work: { create: [clause(1), { ref: other, input: '{}' }], cancel: [{ turn: 1, attempt: 0 }] },
      }),
    );
    granted(await a.bus.sessions.commit({ ...step(session, 1, '1-0', '1-0'), work: { create: [clause(2)] } }));
    for (const n of [0, 1, 2]) {
      expect(await b.bus.sessions.claim({ session, ref: { ...CLAUSE, clause: n }, try: 1 })).toEqual(refusal('STALE'));
    }
    const holder = { kind: 'work', ref: REPLY, fence: held.fence } as const;
    expect(await b.bus.sessions.append({ session, holder, events: [] })).toEqual(refusal('CANCELLED'));
    granted(await b.bus.sessions.claim({ session, ref: other, try: 1 }));
  });

  it('raises a try: the old holder is fenced, the new try is granted once, with its input and what was done', async () => {
    const { session } = await createSession(a.bus);
    granted(
      await a.bus.sessions.commit({
        ...step(session, 1, '0-0', '1-0'),
        work: { create: [{ ref: REPLY, input: 'first' }] },
      }),
    );
    const first = granted(await b.bus.sessions.claim({ session, ref: REPLY, try: 1 }));
    const holder = { kind: 'work', ref: REPLY, fence: first.fence } as const;
    granted(await b.bus.sessions.append({ session, holder, events: [], resumeAt: 7 }));
    const raise = (attempt: number, input?: string) =>
      a.bus.sessions.commit({
        ...step(session, 1, '1-0', '1-0'),
        work: { raiseTry: [{ ref: REPLY, try: attempt, ...(input === undefined ? {} : { input }) }] },
      });
    granted(await raise(2, 'second'));
    expect(await b.bus.sessions.append({ session, holder, events: [typed('late')] })).toEqual(refusal('FENCED'));
    expect(await b.bus.sessions.claim({ session, ref: REPLY, try: 1 })).toEqual(refusal('STALE'));
    expect(await b.bus.sessions.claim({ session, ref: REPLY, try: 2 })).toMatchObject({
      ok: true,
      input: 'second',
      resumeAt: 7,
    });
    granted(await raise(2));
    expect(await b.bus.sessions.claim({ session, ref: REPLY, try: 2 })).toEqual(refusal('TAKEN'));
    granted(await raise(3));
    expect(await b.bus.sessions.claim({ session, ref: REPLY, try: 3 })).toMatchObject({ ok: true, input: 'second' });
    expect((await a.bus.log.read(session, '1-0')).map(({ type }) => type)).toEqual([]);
  });

  it('drops the work of older turns only', async () => {
    const { session } = await createSession(a.bus);
    const refs = [1, 2, 3, 10].map((turn) => ({ stage: 'reply', turn, attempt: 0 }) as const);
    granted(
      await a.bus.sessions.commit({
        ...step(session, 1, '0-0', '1-0'),
        work: { create: refs.map((ref) => ({ ref, input: '{}' })), cancel: [{ turn: 1, attempt: 4 }] },
      }),
    );
    granted(await a.bus.sessions.commit({ ...step(session, 1, '1-0', '1-0'), work: { dropTurnsBefore: 3 } }));
    const { work } = (await a.bus.registry.inspect(session)) ?? { work: [] };
    expect(work.map(({ key }) => key).sort()).toEqual(['reply.10.0', 'reply.3.0']);
    expect(await b.bus.sessions.claim({ session, ref: REPLY, try: 1 })).toEqual(refusal('STALE'));
    expect(await redis.client.hlen(sessionKeys(session).work)).toBe(6);
  });

  it('passes over an utterance given up and trims the streams', async () => {
    const { session } = await createSession(a.bus);
    for (const end of [640, 1280, 1920])
      await a.bus.audioIn.add(session, end, new Uint8Array(1280), { capSamples: 16_000 });
    const appended = granted(
      await a.bus.sessions.append({
        session,
        holder: { kind: 'owner', epoch: 1 },
        events: [typed('a'), typed('b'), typed('c')],
      }),
    );
    const hearing = { ...INITIAL_HEARING, utterance: 2 };
    granted(
      await a.bus.sessions.commit({
        ...step(session, 1, '0-0', '1-2'),
        audioCursor: 1280,
        hearing,
        trimEvents: appended.ids[1] ?? '',
      }),
    );
    expect(await redis.client.xrange(sessionKeys(session).in, '-', '+')).toMatchObject([['1920-0', expect.anything()]]);
    expect(await a.bus.log.firstId(session)).toBe('1-2');
    expect(await a.bus.registry.inspect(session)).toMatchObject({ audioCursor: 1280, hearing, inputSample: 1920 });
  });

  it('closes a session: its last events are published, its keys are gone, and everyone is told', async () => {
    const { session } = await createSession(a.bus);
    await a.bus.audioIn.add(session, 640, new Uint8Array(1280), { capSamples: 16_000 });
    const events: string[] = [];
    const control: unknown[] = [];
    const log = await b.bus.log.follow(session, '0-0', ({ type }) => void events.push(type));
    const stop = await b.bus.control.subscribe((message) => void control.push(message));
    granted(
      await a.bus.sessions.commit({
        ...step(session, 1, '0-0', '1-0'),
        events: [{ type: 'session.closed', reason: 'bye' }],
        history: [{ push: { role: 'user', turn: 1, text: 'x' } }],
        work: { create: [{ ref: REPLY, input: '{}' }] },
        outbox: { x: 'y' },
        close: true,
      }),
    );
    await expect.poll(() => events).toEqual(['session.moved', 'session.closed']);
    await expect.poll(() => control).toEqual([{ session, closed: true }]);
    expect(await redis.client.keys(`s:{${session}}*`)).toEqual([]);
    await log.close();
    await stop();
  });

  it('and then every script refuses it, and no audio brings it back: CLOSED', async () => {
    const { session } = await createSession(a.bus);
    granted(await a.bus.sessions.commit({ ...step(session, 1, '0-0', '1-0'), close: true }));
    const { sessions } = a.bus;
    const closed = refusal('CLOSED');
    expect(await sessions.commit(step(session, 1, '1-0', '1-0'))).toEqual(closed);
    expect(await sessions.acquire({ session, expect: '' })).toEqual(closed);
    expect(await sessions.claim({ session, ref: REPLY, try: 1 })).toEqual(closed);
    const holders = [
      { holder: { kind: 'owner', epoch: 1 } },
      { holder: { kind: 'listener', fence: 'f' } },
      { holder: { kind: 'work', ref: REPLY, fence: 'f' } },
    ] as const;
    for (const holder of holders) {
      expect(await sessions.append({ session, events: [typed('x')], ...holder })).toEqual(closed);
    }
    expect(await a.bus.audioIn.add(session, 640, new Uint8Array(1280), { capSamples: 16_000 })).toBe('closed');
    expect(await sessions.resume({ session, tokenHash: null, keyHash: null })).toEqual(refusal('NOSESSION'));
    expect(await redis.client.keys(`s:{${session}}*`)).toEqual([]);
  });
});

describe('acquire', () => {
  it('turns an offer into a lease and says so in the log', async () => {
    const { session } = await createSession(a.bus);
    const lease = granted(await b.bus.sessions.acquire({ session, expect: '' }));
    expect(lease).toMatchObject({ audioCursor: 0, hearing: INITIAL_HEARING, owner: 'gateway-a', epoch: 1 });
    expect(await a.bus.log.read(session, '1-0')).toMatchObject([
      { type: 'lease.moved', fence: lease.fence, worker: 'gateway-b', id: lease.eventCursorAtAcquire },
    ]);
  });

  it('refuses an offer that the lease has moved past: STALE', async () => {
    const { session } = await createSession(a.bus);
    const offers = await Promise.all([a, b].map((one) => one.bus.sessions.acquire({ session, expect: '' })));
    expect(offers.filter(({ ok }) => ok)).toHaveLength(1);
    expect(offers.find(({ ok }) => !ok)).toEqual(refusal('STALE'));
    const current = offers.find((offer) => offer.ok);
    granted(await a.bus.sessions.acquire({ session, expect: current?.fence ?? '' }));
    expect(await b.bus.sessions.acquire({ session, expect: 'guess' })).toEqual(refusal('STALE'));
  });
});

describe('append', () => {
  it('moves the cursor with the transcript, and only for the current listener: FENCED', async () => {
    const { session } = await createSession(a.bus);
    const old = granted(await a.bus.sessions.acquire({ session, expect: '' }));
    const current = granted(await b.bus.sessions.acquire({ session, expect: old.fence }));
    for (const end of [640, 1280, 1920])
      await a.bus.audioIn.add(session, end, new Uint8Array(1280), { capSamples: 16_000 });
    const hearing = { ...INITIAL_HEARING, text: 'one two', open: true };
    const settle = (fence: string) =>
      a.bus.sessions.append({
        session,
        holder: { kind: 'listener', fence },
        events: [{ type: 'transcript.final', utterance: 1, text: 'one two', fromSample: 0, toSample: 1280 }],
        audioCursor: 1280,
        hearing,
      });
    granted(await settle(current.fence));
    expect(await settle(old.fence)).toEqual(refusal('FENCED'));
    expect(await settle('')).toEqual(refusal('FENCED'));
    const finals = (await a.bus.log.read(session, '0-0')).filter(({ type }) => type === 'transcript.final');
    expect(finals).toHaveLength(1);
    const successor = granted(await a.bus.sessions.acquire({ session, expect: current.fence }));
    expect(successor).toMatchObject({ audioCursor: 1280, hearing });
    expect(await redis.client.xlen(sessionKeys(session).in)).toBe(1);
  });

  it('moves the cursor in silence, without an event', async () => {
    const { session } = await createSession(a.bus);
    const { fence } = granted(await a.bus.sessions.acquire({ session, expect: '' }));
    const holder = { kind: 'listener', fence } as const;
    const answer = await a.bus.sessions.append({ session, holder, events: [], audioCursor: 16_000 });
    expect(answer).toEqual({ ok: true, ids: [] });
    expect((await a.bus.registry.inspect(session))?.audioCursor).toBe(16_000);
  });

  it('nobody who hears is taken for a listener of a session without one: FENCED', async () => {
    const { session } = await createSession(a.bus);
    const holder = { kind: 'listener', fence: '' } as const;
    expect(await a.bus.sessions.append({ session, holder, events: [] })).toEqual(refusal('FENCED'));
  });

  it('adds speech byte for byte and refers to it in the same step', async () => {
    const { session } = await createSession(a.bus);
    granted(
      await a.bus.sessions.commit({
        ...step(session, 1, '0-0', '1-0'),
        work: { create: [{ ref: CLAUSE, input: '{}' }] },
      }),
    );
    const { fence } = granted(await b.bus.sessions.claim({ session, ref: CLAUSE, try: 1 }));
    const holder = { kind: 'work', ref: CLAUSE, fence } as const;
    const bytes = Uint8Array.from({ length: 512 }, (_, i) => i % 256);
    const inMiddle = new Uint8Array([9, 9, ...bytes, 9]).subarray(2, 514);
    granted(
      await b.bus.sessions.append({
        session,
        holder,
        events: [{ type: 'audio.chunk', turn: 1, attempt: 0, clause: 0, startSample: 0, samples: 256 }],
        resumeAt: 256,
        pcm: { clause: 0, startSample: 0, bytes: inMiddle, last: false },
      }),
    );
    granted(
      await b.bus.sessions.append({
        session,
        holder,
        events: [],
        resumeAt: 512,
        done: true,
        pcm: { clause: 0, startSample: 256, bytes, last: true },
      }),
    );
    const entries = await a.bus.audioOut.read(session, '0');
    expect(entries).toMatchObject([
      { turn: 1, attempt: 0, clause: 0, startSample: 0, last: false },
      { turn: 1, attempt: 0, clause: 0, startSample: 256, last: true },
    ]);
    expect(entries.map(({ pcm }) => Buffer.from(bytes).equals(pcm))).toEqual([true, true]);
    expect(await a.bus.audioOut.read(session, entries[0]?.entry ?? '')).toHaveLength(1);
    expect(await a.bus.audioOut.read(session, '0', 1)).toHaveLength(1);
    expect(await b.bus.sessions.claim({ session, ref: CLAUSE, try: 1 })).toEqual(refusal('DONE'));
    granted(await a.bus.sessions.commit({ ...step(session, 1, '1-0', '1-0'), trimOut: entries[1]?.entry ?? '' }));
    expect(await a.bus.audioOut.read(session, '0')).toHaveLength(1);
  });

  it('refuses work that is not there any more: CANCELLED, and a wrong fence: FENCED', async () => {
    const { session } = await createSession(a.bus);
    const append = (fence: string) =>
      a.bus.sessions.append({ session, holder: { kind: 'work', ref: REPLY, fence }, events: [typed('x')] });
    expect(await append('x')).toEqual(refusal('CANCELLED'));
    granted(
      await a.bus.sessions.commit({ ...step(session, 1, '0-0', '1-0'), work: { create: [{ ref: REPLY, input: '' }] } }),
    );
    expect(await append('x')).toEqual(refusal('FENCED'));
    expect(await append('')).toEqual(refusal('FENCED'));
  });

  it('takes inputs of the owner, of no other and of no old one: NOTOWNER', async () => {
    const { session } = await createSession(a.bus);
    const append = (one: TestBus, epoch: number) =>
      one.bus.sessions.append({ session, holder: { kind: 'owner', epoch }, events: [typed('x')] });
    expect(await append(a, 1)).toEqual({ ok: true, ids: ['1-1'] });
    expect(await append(b, 1)).toEqual(refusal('NOTOWNER'));
    granted(await b.bus.sessions.resume({ session, tokenHash: null, keyHash: null }));
    expect(await append(a, 1)).toEqual(refusal('NOTOWNER'));
    expect(await append(b, 2)).toEqual({ ok: true, ids: ['2-1'] });
  });

  it('sent again under the same token is answered as the first time and written once', async () => {
    const { session } = await createSession(a.bus);
    granted(
      await a.bus.sessions.commit({
        ...step(session, 1, '0-0', '1-0'),
        work: { create: [{ ref: CLAUSE, input: '{}' }] },
      }),
    );
    const { fence } = granted(await b.bus.sessions.claim({ session, ref: CLAUSE, try: 1 }));
    const lease = granted(await b.bus.sessions.acquire({ session, expect: '' }));
    const pcm = { clause: 0, startSample: 0, bytes: new Uint8Array(4), last: false };
    for (const request of [
      { session, holder: { kind: 'owner', epoch: 1 }, events: [typed('x'), typed('y')] },
      { session, holder: { kind: 'listener', fence: lease.fence }, events: [typed('z')], audioCursor: 1 },
      { session, holder: { kind: 'work', ref: CLAUSE, fence }, events: [typed('w')], pcm, resumeAt: 2 },
    ] as const) {
      const first = granted(await a.bus.sessions.append({ ...request, once: 'one' }));
      expect(await a.bus.sessions.append({ ...request, once: 'one' })).toEqual(first);
      expect(granted(await a.bus.sessions.append({ ...request, once: 'two' })).ids).not.toEqual(first.ids);
    }
    expect((await a.bus.log.read(session, '0-0')).filter(({ type }) => type === 'input.text')).toHaveLength(8);
    expect(await a.bus.audioOut.read(session, '0')).toHaveLength(2);
  });
});

describe('claim', () => {
  it('is granted once for a try: TAKEN', async () => {
    const { session } = await createSession(a.bus);
    granted(
      await a.bus.sessions.commit({ ...step(session, 1, '0-0', '1-0'), work: { create: [{ ref: REPLY, input: '' }] } }),
    );
    const claims = await Promise.all([a, b, a].map((one) => one.bus.sessions.claim({ session, ref: REPLY, try: 1 })));
    expect(claims.filter(({ ok }) => ok)).toHaveLength(1);
    expect(claims.filter(({ ok }) => !ok)).toEqual([refusal('TAKEN'), refusal('TAKEN')]);
  });

  it('refuses unknown work and tries that are not the current one: STALE', async () => {
    const { session } = await createSession(a.bus);
    expect(await a.bus.sessions.claim({ session, ref: REPLY, try: 1 })).toEqual(refusal('STALE'));
    granted(
      await a.bus.sessions.commit({ ...step(session, 1, '0-0', '1-0'), work: { create: [{ ref: REPLY, input: '' }] } }),
    );
    for (const attempt of [0, 2]) {
      expect(await a.bus.sessions.claim({ session, ref: REPLY, try: attempt })).toEqual(refusal('STALE'));
    }
  });

  it('shows in the inspection who holds what', async () => {
    const { session } = await createSession(a.bus);
    granted(
      await a.bus.sessions.commit({
        ...step(session, 1, '0-0', '1-0'),
        work: {
          create: [
            { ref: REPLY, input: '' },
            { ref: { ...CLAUSE, attempt: 1 }, input: '' },
          ],
          cancel: [{ turn: 1, attempt: 1 }],
        },
      }),
    );
    const { fence } = granted(await b.bus.sessions.claim({ session, ref: REPLY, try: 1 }));
    const inspection = await a.bus.registry.inspect(session);
    expect(inspection).toMatchObject({ epoch: 1, owner: { id: 'gateway-a', host: 'test-host', pid: process.pid } });
    expect(inspection?.work).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ key: 'reply.1.0', try: 1, fence, cancelled: false, done: false, resumeAt: 0 }),
        { key: 'speak.1.1.0', try: 1, cancelled: true, done: false, resumeAt: 0 },
      ]),
    );
    expect(await a.bus.registry.inspect(newSessionId())).toBeUndefined();
  });
});

it('counts refusals by script and code', async () => {
  const session = newSessionId();
  const probe = await connectTestBus(redis.url, 'gateway-c');
  await probe.bus.sessions.acquire({ session, expect: '' });
  expect(await metricLines(probe.metrics, 'parley_bus_refusals_total{')).toEqual([
    'parley_bus_refusals_total{script="acquire",code="CLOSED"} 1',
  ]);
  await probe.bus.close();
});

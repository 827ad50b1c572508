import { type Bus, connectBus } from '@parley/bus';
import {
  type DownlinkAudio,
  type NewEvent,
  type Reply,
  type ServerControl,
  type SessionEvent,
  type SessionReady,
  VoiceError,
  type WorkRef,
} from '@parley/protocol';
import { createLogger, createMetrics, systemClock } from '@parley/runtime';
import { startRedis, type TestRedis, waitUntil } from '@parley/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ClientLink } from './client-link.ts';
import { gatewayMetrics } from './metrics.ts';
import type { SessionOwner } from './owner.ts';
import { OwnerRegistry } from './owner-registry.ts';

/** A client that remembers what it was told. */
class RecordingLink implements ClientLink {
  readonly events: SessionEvent[] = [];
  readonly controls: ServerControl[] = [];
  readonly audioFrames: DownlinkAudio[] = [];
  onEvent: (event: SessionEvent) => void = () => undefined;
  closedWith: VoiceError | undefined;

  event(event: SessionEvent): void {
    this.events.push(event);
    this.onEvent(event);
  }
  control(message: ServerControl): void {
    this.controls.push(message);
  }
  together(telling: () => void): void {
    telling();
  }

  audio(frame: DownlinkAudio): 'sent' {
    this.audioFrames.push(frame);
    return 'sent';
  }
  bufferedBytes(): number {
    return 0;
  }
  close(error: VoiceError): void {
    this.closedWith = error;
  }
  get ready(): SessionReady {
    const ready = this.controls.find((message) => message.type === 'session.ready');
    if (ready?.type !== 'session.ready') throw new Error('not ready');
    return ready;
  }
}

const LIMITS = {
  maxSessions: 10,
  maxInputMs: 60_000,
  resumeBoundMs: 15_000,
  audioRateFactor: 1.5,
  idleTimeoutMs: 600_000,
  maxSessionMs: 3_600_000,
  maxBufferedBytes: 1_000_000,
  graceMs: 60_000,
};

describe('the owner of a session', () => {
  let redis: TestRedis;
  const releases: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    redis = await startRedis();
  });
  afterEach(async () => {
    for (const release of releases.splice(0).reverse()) await release();
  });
  afterAll(() => redis.stop());

  const logger = createLogger({ name: 'test', level: 'silent' });

  async function bus(id: string): Promise<Bus> {
    const metrics = createMetrics({ processMetrics: false });
    const connected = await connectBus({ url: redis.url, process: { id, host: 'test', pid: 1 }, logger, metrics });
    releases.push(() => connected.close());
    return connected;
  }

  async function gateway(on: Bus): Promise<OwnerRegistry> {
    const metrics = gatewayMetrics(createMetrics({ processMetrics: false }));
    const registry = new OwnerRegistry({ bus: on, clock: systemClock, logger, metrics, limits: LIMITS });
    await registry.open();
    releases.push(() => registry.close());
    return registry;
  }

  async function start(registry: OwnerRegistry): Promise<{ link: RecordingLink; owner: SessionOwner }> {
    const link = new RecordingLink();
    let owner: SessionOwner | undefined;
    await registry.start({ type: 'session.start', v: 1 }, '', link, (adopted) => {
      owner = adopted;
    });
    if (!owner) throw new Error('no owner');
    return { link, owner };
  }

  async function resume(registry: OwnerRegistry, { session, token }: SessionReady, lastEvent?: string) {
    const link = new RecordingLink();
    const message = { type: 'session.resume', v: 1, session, token: token ?? '', lastEvent } as const;
    await registry.resume(message, '', link, () => undefined);
    return link;
  }

  /** What listeners and workers do to a session. */
  function workers(on: Bus, { session, epoch }: SessionOwner) {
    const hear = (...events: NewEvent[]) => on.sessions.append({ session, events, holder: { kind: 'owner', epoch } });
    const take = async (ref: WorkRef): Promise<{ kind: 'work'; ref: WorkRef; fence: string }> => {
      let fence = '';
      await waitUntil(async () => {
        const claim = await on.sessions.claim({ session, ref, try: 1 });
        if (claim.ok) ({ fence } = claim);
        return claim.ok;
      });
      return { kind: 'work', ref, fence };
    };
    const write = async (reply: Reply, clauses: readonly string[]): Promise<void> => {
      const text = clauses.join(' ');
      await on.sessions.append({
        session,
        holder: await take({ stage: 'reply', ...reply }),
        events: [
          { type: 'reply.delta', ...reply, text },
          ...clauses.map((one, clause) => ({ type: 'reply.clause', ...reply, clause, text: one }) as const),
          { type: 'reply.done', ...reply, text, clauses: clauses.length, finish: 'stop' },
        ],
        done: true,
      });
    };
    const speak = async (reply: Reply, clause: number, samples: number): Promise<void> => {
      await on.sessions.append({
        session,
        holder: await take({ stage: 'speak', ...reply, clause }),
        pcm: { clause, startSample: 0, bytes: new Uint8Array(samples * 2), last: true },
        events: [
          { type: 'audio.chunk', ...reply, clause, startSample: 0, samples },
          { type: 'audio.done', ...reply, clause, samples },
        ],
        done: true,
      });
    };
    return { hear, take, write, speak };
  }

  it('that dies between its commit and the queue leaves a command which its successor drives, and the job runs once', async () => {
    const dying = await bus('g1');
    const never = new Promise<never>(() => undefined);
    const reply = changed(dying.queues.reply, { offer: () => never });
    const cutOff = changed(dying, { queues: changed(dying.queues, { reply }) });
    const { link, owner } = await start(await gateway(cutOff));
    await owner.input({ type: 'input.text', text: 'hello' });
    await waitUntil(() => link.events.some(({ type }) => type === 'reply.started'));
    expect(await dying.queues.reply.depth()).toBe(0);

    const next = await bus('g2');
    await resume(await gateway(next), link.ready);
    const jobs: string[] = [];
    const claims: boolean[] = [];
    const taker = await next.queues.reply.take({
      slots: 2,
      handler: async (job) => {
        jobs.push(`${job.turn}.${job.attempt}`);
        const claim = await next.sessions.claim({
          session: job.session,
          ref: { stage: 'reply', turn: job.turn, attempt: job.attempt },
          try: job.try,
        });
        claims.push(claim.ok);
      },
    });
    releases.push(() => taker.close(1_000));
    await waitUntil(() => claims.length > 0);
    expect(jobs).toEqual(['1.0']);
    expect(claims).toEqual([true]);
  });

  it('ends what is being said when its client sends no audio any more, once, and not where the client ends turns', async () => {
    const on = await bus('g1');
    const registry = await gateway(on);
    const [muted, manual] = [await start(registry), await start(registry)];
    await manual.owner.input({ type: 'input.settings', settings: { turnDetection: 'manual' } });
    for (const { owner } of [muted, manual]) {
      await workers(on, owner).hear({ type: 'speech.started', utterance: 1, sample: 0 });
    }
    const commits = async ({ owner }: { owner: SessionOwner }) =>
      (await on.log.read(owner.session, '0-0')).filter(({ type }) => type === 'input.commit').length;
    await waitUntil(async () => (await commits(muted)) > 0, 4_000);
    await systemClock.sleep(500);
    expect(await commits(muted)).toBe(1);
    expect(await commits(manual)).toBe(0);
  });

  it('sends the first audio of a prepared reply with the end of the turn, in the same turn of the loop', async () => {
    const on = await bus('g1');
    let entriesRead = 0;
    const audioOut = changed(on.audioOut, {
      read: async (...what) => {
        const entries = await on.audioOut.read(...what);
        setImmediate(() => (entriesRead += entries.length));
        return entries;
      },
    });
    const { link, owner } = await start(await gateway(changed(on, { audioOut })));
    const { session } = link.ready;
    const { hear, take } = workers(on, owner);

    await hear(
      { type: 'speech.started', utterance: 1, sample: 0 },
      { type: 'turn.eager', utterance: 1, text: 'hello', probability: 0.9 },
    );
    const reply = { turn: 1, attempt: 0 } as const;
    const held = { ...reply, held: true } as const;
    await on.sessions.append({
      session,
      holder: await take({ stage: 'reply', ...reply }),
      events: [
        { type: 'reply.delta', ...held, text: 'Hi there.' },
        { type: 'reply.clause', ...held, clause: 0, text: 'Hi there.' },
        { type: 'reply.done', ...held, text: 'Hi there.', clauses: 1, finish: 'stop' },
      ],
      done: true,
    });
    await on.sessions.append({
      session,
      holder: await take({ stage: 'speak', ...reply, clause: 0 }),
      pcm: { clause: 0, startSample: 0, bytes: new Uint8Array(48_000), last: true },
      events: [
        { type: 'audio.chunk', ...reply, clause: 0, startSample: 0, samples: 24_000 },
        { type: 'audio.done', ...reply, clause: 0, samples: 24_000 },
      ],
      done: true,
    });
    await waitUntil(() => owner.state.speculative?.clauses[0]?.status === 'done' && entriesRead > 0);
    expect(link.audioFrames).toEqual([]);
    expect(link.events.map(({ type }) => type)).toEqual(['speech.started', 'turn.eager']);

    let framesInLoop = -1;
    link.onEvent = ({ type }) => {
      if (type === 'turn.ended') process.nextTick(() => (framesInLoop = link.audioFrames.length));
    };
    await hear({ type: 'turn.ended', utterance: 1, text: 'Hello.', sample: 8_000, decidedSample: 12_000 });
    await waitUntil(() => framesInLoop >= 0);
    expect(framesInLoop).toBeGreaterThan(0);
    expect(link.audioFrames[0]).toMatchObject({ ...reply, clause: 0, startSample: 0, generation: 1 });
    await waitUntil(() => link.events.some(({ type }) => type === 'reply.done'));
    const shown = link.events.filter(({ type }) => type.startsWith('reply.'));
    expect(shown).toMatchObject([
      { type: 'reply.released', ...reply, text: 'Hi there.' },
      { type: 'reply.clause', ...reply, clause: 0, text: 'Hi there.' },
      { type: 'reply.done', ...reply, text: 'Hi there.', clauses: 1 },
    ]);
    expect(shown.some((event) => 'held' in event)).toBe(false);
  });

  it('shows a release before what its worker wrote while it was being decided', async () => {
    const on = await bus('g1');
    let letGo = (): void => undefined;
    const written = new Promise<void>((resolve) => (letGo = resolve));
    const sessions = changed(on.sessions, {
      commit: async (request) => {
        if (request.events?.some(({ type }) => type === 'reply.released')) await written;
        return await on.sessions.commit(request);
      },
    });
    const { link, owner } = await start(await gateway(changed(on, { sessions })));
    const { session } = owner;
    const { hear, take } = workers(on, owner);
    const held = { turn: 1, attempt: 0, held: true } as const;
    await hear(
      { type: 'speech.started', utterance: 1, sample: 0 },
      { type: 'turn.eager', utterance: 1, text: 'hello', probability: 0.9 },
    );
    const holder = await take({ stage: 'reply', turn: 1, attempt: 0 });
    const say = (...events: NewEvent[]) => on.sessions.append({ session, holder, events });
    await say(
      { type: 'reply.delta', ...held, text: 'One.' },
      { type: 'reply.clause', ...held, clause: 0, text: 'One.' },
    );
    await hear({ type: 'turn.ended', utterance: 1, text: 'Hello.', sample: 8_000, decidedSample: 12_000 });
    await say(
      { type: 'reply.delta', ...held, text: ' Two.' },
      { type: 'reply.clause', ...held, clause: 1, text: 'Two.' },
    );
    letGo();
    await waitUntil(() => link.events.some((event) => event.type === 'reply.clause' && event.clause === 1));
    expect(link.events.filter(({ type }) => type.startsWith('reply.'))).toMatchObject([
      { type: 'reply.released', text: 'One.' },
      { type: 'reply.clause', clause: 0 },
      { type: 'reply.delta', text: ' Two.' },
      { type: 'reply.clause', clause: 1 },
    ]);
    const again = await resume(await gateway(await bus('g2')), link.ready);
    await waitUntil(() => again.events.length >= link.events.length);
    const asSeen = (events: readonly SessionEvent[]) => events.map(({ id, type }) => `${id} ${type}`);
    expect(asSeen(again.events)).toEqual(asSeen(link.events));
  });

  it('plays on with the second clause of a reply whose first was heard whole before somebody showed that they listen', async () => {
    const on = await bus('g1');
    const { link, owner } = await start(await gateway(on));
    const { hear, write, speak } = workers(on, owner);
    const first = { turn: 1, attempt: 0 };
    await owner.input({ type: 'input.text', text: 'hello' });
    await write(first, ['One two.', 'Three four.']);
    await speak(first, 0, 4_800);
    await speak(first, 1, 48_000);
    await waitUntil(() => link.audioFrames.some(({ clause }) => clause === 1));
    owner.playback({ type: 'playback', ...first, samples: 9_600 });
    await waitUntil(() => (owner.state.reply?.played ?? 0) > 4_800);
    await hear(
      { type: 'speech.started', utterance: 1, sample: 0 },
      { type: 'speech.confirmed', utterance: 1, samples: 3_200 },
      { type: 'turn.ended', utterance: 1, text: 'yeah', sample: 6_400, decidedSample: 12_000 },
    );
    const second = { turn: 1, attempt: 1 };
    await speak(second, 1, 24_000);
    await waitUntil(() => link.audioFrames.some(({ attempt }) => attempt === 1));
    expect(link.audioFrames.find(({ attempt }) => attempt === 1)).toMatchObject({
      ...second,
      clause: 1,
      startSample: 0,
    });
  });

  it('is replaced by a resume: the old client is told that it moved, and old writes are refused', async () => {
    const first = await bus('g1');
    const { link, owner } = await start(await gateway(first));
    const second = await resume(await gateway(await bus('g2')), link.ready);
    await waitUntil(() => link.closedWith !== undefined);
    expect(link.closedWith?.code).toBe('moved');
    expect(second.ready).toMatchObject({ resumed: true, session: link.ready.session, epoch: 2 });
    expect(owner.epoch).toBe(1);
    const late = await first.sessions.append({
      session: link.ready.session,
      events: [{ type: 'input.text', text: 'late' }],
      holder: { kind: 'owner', epoch: 1 },
    });
    expect(late.ok).toBe(false);
  });

  it('sends a client that resumes the events it lacks, each once and in order', async () => {
    const { link, owner } = await start(await gateway(await bus('g1')));
    for (const text of ['one', 'two', 'three']) await owner.input({ type: 'input.text', text });
    await waitUntil(() => link.events.filter(({ type }) => type === 'reply.started').length === 3);
    const [first] = link.events;
    const again = await resume(await gateway(await bus('g2')), link.ready, first?.id);
    await waitUntil(() => again.events.length >= link.events.length - 1);
    expect(again.events.map(({ id }) => id)).toEqual(link.events.slice(1).map(({ id }) => id));
  });

  it('that dies before it has decided a reset leaves it to its successor, who empties the history', async () => {
    const dying = await bus('g1');
    const never = new Promise<never>(() => undefined);
    const sessions = changed(dying.sessions, {
      commit: (request) => (request.history?.some((op) => 'clear' in op) ? never : dying.sessions.commit(request)),
    });
    const { link, owner } = await start(await gateway(changed(dying, { sessions })));
    const { session } = link.ready;
    await owner.input({ type: 'input.text', text: 'hello' });
    await waitUntil(() => link.events.some(({ type }) => type === 'reply.started'));
    await owner.input({ type: 'input.reset' });
    await waitUntil(() => link.controls.some(({ type }) => type === 'audio.stop'));
    expect(await dying.registry.history(session)).toHaveLength(1);

    const next = await bus('g2');
    const again = await resume(await gateway(next), link.ready, link.events.at(-1)?.id);
    await waitUntil(() => again.events.some(({ type }) => type === 'session.reset'));
    expect(again.events.map(({ type }) => type)).toEqual(['reply.cancelled', 'session.reset']);
    expect(again.controls).toContainEqual({ type: 'audio.stop', generation: 2, reply: { turn: 1, attempt: 0 } });
    expect(await next.registry.history(session)).toEqual([]);
    const ref = { stage: 'reply', turn: 1, attempt: 0 } as const;
    expect(await next.sessions.claim({ session, ref, try: 1 })).toMatchObject({ ok: false, refusal: 'STALE' });
  });

  it('carries out a reset that comes while an earlier decision is still being written', async () => {
    const on = await bus('g1');
    let letGo = (): void => undefined;
    const held = new Promise<void>((resolve) => (letGo = resolve));
    const sessions = changed(on.sessions, {
      commit: async (request) => {
        if (request.history?.some((op) => 'push' in op)) await held;
        return await on.sessions.commit(request);
      },
    });
    const { link, owner } = await start(await gateway(changed(on, { sessions })));
    await owner.input({ type: 'input.text', text: 'hello' });
    await owner.input({ type: 'input.reset' });
    letGo();
    await waitUntil(() => link.events.some(({ type }) => type === 'session.reset'));
    expect(link.events.map(({ type }) => type)).toEqual(['reply.started', 'reply.cancelled', 'session.reset']);
    expect(await on.registry.history(link.ready.session)).toEqual([]);
    await owner.input({ type: 'input.text', text: 'anew' });
    await waitUntil(async () => (await on.registry.history(link.ready.session)).length > 0);
    expect(await on.registry.history(link.ready.session)).toEqual([{ role: 'user', turn: 2, text: 'anew' }]);
  });

  it('refuses a token that is not the session’s', async () => {
    const registry = await gateway(await bus('g1'));
    const { link } = await start(registry);
    await expect(resume(registry, { ...link.ready, token: 'wrong' })).rejects.toMatchObject({ code: 'session_token' });
    await expect(resume(registry, { ...link.ready, session: 'nowhere-to-be-found' })).rejects.toBeInstanceOf(
      VoiceError,
    );
  });

  it('closes a session for good: no key of it is left, and a resume is refused', async () => {
    const registry = await gateway(await bus('g1'));
    const { link, owner } = await start(registry);
    const { session } = link.ready;
    await owner.input({ type: 'input.close', reason: 'client' });
    await waitUntil(() => link.closedWith !== undefined);
    expect(link.closedWith?.code).toBe('closed');
    await waitUntil(async () => (await redis.client.keys(`s:{${session}}*`)).length === 0);
    await waitUntil(async () => (await redis.client.zscore('sessions', session)) === null);
    await expect(resume(registry, link.ready)).rejects.toMatchObject({ code: 'session_unknown' });
    expect(registry.size).toBe(0);
  });

  it('goes on after Redis was restarted, with what was said before', async () => {
    const { link, owner } = await start(await gateway(await bus('g1')));
    await owner.input({ type: 'input.text', text: 'before' });
    await waitUntil(() => link.events.length === 1);
    await redis.restart();
    await waitUntil(async () =>
      owner.input({ type: 'input.text', text: 'after' }).then(
        () => true,
        () => false,
      ),
    );
    await waitUntil(() => link.events.filter(({ type }) => type === 'reply.started').length === 2);
    expect(link.closedWith).toBeUndefined();
  });
});

/** The same object, with some of its members replaced. */
function changed<T extends object>(target: T, members: Partial<T>): T {
  return new Proxy(target, {
    get: (_, key) => {
      if (Object.hasOwn(members, key)) return Reflect.get(members, key);
      const value: unknown = Reflect.get(target, key);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

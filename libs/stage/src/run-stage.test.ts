import { once } from 'node:events';
import { type Bus, connectBus } from '@parley/bus';
import { type Pulse, type SessionEvent, VoiceError, workKey } from '@parley/protocol';
import { createLogger, createMetrics, type Metrics, startTracing, systemClock, withSpan } from '@parley/runtime';
import { ScriptedOwner, startRedis } from '@parley/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { WorkAborted } from './outcome.ts';
import { withProgressDeadline } from './progress-deadline.ts';
import { runStage } from './run-stage.ts';
import type { Stage, WorkContext } from './stage.ts';

const REF = { stage: 'reply', turn: 1, attempt: 0 } as const;
const logger = createLogger({ name: 'test', level: 'silent' });

/** A handler that the test drives by hand. */
type Handler = (work: WorkContext<'reply'>) => Promise<void>;

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

interface Worker {
  readonly bus: Bus;
  readonly metrics: Metrics;
  readonly finished: Promise<void>;
  drain(): void;
}

describe('a stage', () => {
  let redis: Awaited<ReturnType<typeof startRedis>>;
  let gateway: Bus;
  let owner: ScriptedOwner;
  let closers: (() => Promise<unknown>)[] = [];
  let workers = 0;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());

  const connect = async (id: string, metrics: Metrics = createMetrics({ processMetrics: false })): Promise<Bus> => {
    const bus = await connectBus({ url: redis.url, process: { id, host: 'here', pid: process.pid }, logger, metrics });
    closers.push(() => bus.close());
    return bus;
  };

  beforeEach(async () => {
    gateway = await connect('gateway-1');
    owner = await ScriptedOwner.open(gateway);
  });
  afterEach(async () => {
    for (const close of closers.reverse()) await close();
    closers = [];
  });

  const startWorker = async (
    handle: Handler,
    {
      slots = 2,
      drainGraceMs = 100,
      warmedUp,
    }: { slots?: number; drainGraceMs?: number; warmedUp?: Promise<void> } = {},
  ): Promise<Worker> => {
    workers += 1;
    const metrics = createMetrics({ processMetrics: false });
    const bus = await connect(`llm-${workers}`, metrics);
    const controller = new AbortController();
    const stage: Stage<'reply'> = { queue: 'reply', name: 'llm', slots, handle };
    const finished = runStage(stage, {
      ...{ bus, logger, metrics, clock: systemClock, signal: controller.signal, drainGraceMs },
      ...(warmedUp === undefined ? {} : { warmedUp }),
      heartbeat: () => ({ engine: 'scripted', engineReason: 'test', engineHint: '', ready: true }),
    });
    const drain = (): void => controller.abort(new Error('drain'));
    closers.push(async () => {
      drain();
      await finished;
    });
    return { bus, metrics, finished, drain };
  };

  const untilAborted: Handler = async ({ signal }) => {
    await once(signal, 'abort');
    signal.throwIfAborted();
  };

  const delta = (text: string) => ({ type: 'reply.delta', turn: 1, attempt: 0, text }) as const;
  const countOf = async ({ metrics }: Worker, sample: string): Promise<number> => {
    const line = (await metrics.render()).split('\n').find((candidate) => candidate.startsWith(`${sample} `));
    return Number(line?.split(' ').at(-1) ?? 0);
  };
  const failures = (): Promise<SessionEvent<'work.failed'>[]> => owner.events('work.failed');

  it('claims work, writes what the handler appends, and finishes it', async () => {
    const seen = deferred<WorkContext<'reply'>>();
    const worker = await startWorker(async (work) => {
      seen.resolve(work);
      await work.append({ events: [delta('Hel'), delta('lo')], resumeAt: 1 });
      await work.append({ events: [delta('!')], resumeAt: 2, done: true });
    });
    await owner.start(REF, { text: 'Hi' }, { held: true });
    await vi.waitFor(async () => expect((await owner.work(REF))?.done).toBe(true));
    const work = await seen.promise;
    expect(JSON.parse(work.input)).toEqual({ text: 'Hi' });
    expect(work).toMatchObject({ session: owner.session, ref: REF, try: 1, resumeAt: 0, held: true });
    expect(work.settings.outputRateHz).toBe(24_000);
    expect((await owner.events('reply.delta')).map(({ text }) => text)).toEqual(['Hel', 'lo', '!']);
    expect(await owner.work(REF)).toMatchObject({ resumeAt: 2 });
    await vi.waitFor(async () =>
      expect(await countOf(worker, 'parley_stage_work_seconds_count{stage="llm",outcome="done"}')).toBe(1),
    );
    expect(await countOf(worker, 'parley_stage_claims_total{stage="llm",result="run"}')).toBe(1);
    expect(await countOf(worker, 'parley_stage_running{stage="llm"}')).toBe(0);
  });

  it('writes appends in the order of the calls, also of those that were not waited for', async () => {
    await startWorker(async (work) => {
      const texts = Array.from({ length: 20 }, (_, index) => String(index));
      await Promise.all(texts.map((text) => work.append({ events: [delta(text)] })));
      await work.append({ done: true });
    });
    await owner.start(REF, {});
    await vi.waitFor(async () => expect((await owner.work(REF))?.done).toBe(true));
    expect((await owner.events('reply.delta')).map(({ text }) => Number(text))).toEqual(
      Array.from({ length: 20 }, (_, index) => index),
    );
  });

  it('joins the trace of the job, and puts its own span into the events', async () => {
    const tracing = startTracing({ service: 'test', instance: 'test-1' });
    try {
      await startWorker((work) => work.append({ events: [delta('Hello')], done: true }));
      const trace = await withSpan('turn', {}, (span) => span.traceparent);
      await owner.start(REF, {}, trace === undefined ? {} : { trace });
      await vi.waitFor(async () => expect(await owner.events('reply.delta')).toHaveLength(1));
      const [event] = await owner.events('reply.delta');
      expect(event?.trace?.split('-')[1]).toBe(trace?.split('-')[1]);
      expect(event?.trace).not.toBe(trace);
    } finally {
      await tracing.shutdown();
    }
  });

  it.each(['STALE', 'DONE', 'TAKEN', 'CLOSED'])(
    'ends an offer quietly when the claim is refused as %s',
    async (refusal) => {
      let handled = 0;
      const worker = await startWorker(async (work) => {
        handled += 1;
        await work.append({ done: true });
      });
      if (refusal !== 'STALE') await owner.addWork(REF, {});
      const claim = { session: owner.session, ref: REF, try: 1 };
      if (refusal === 'TAKEN') await gateway.sessions.claim(claim);
      if (refusal === 'DONE') {
        const taken = await gateway.sessions.claim(claim);
        if (!taken.ok) throw new Error(taken.refusal);
        const holder = { kind: 'work', ref: REF, fence: taken.fence } as const;
        await gateway.sessions.append({ session: owner.session, holder, events: [], done: true });
      }
      if (refusal === 'CLOSED') await owner.close();
      await owner.offer(REF);
      const result = refusal === 'CLOSED' ? '(closed|cancelled)' : refusal.toLowerCase();
      await vi.waitFor(async () =>
        expect(await worker.metrics.render()).toMatch(
          new RegExp(`parley_stage_claims_total\\{stage="llm",result="${result}"\\} 1`),
        ),
      );
      expect(handled).toBe(0);
    },
  );

  it('stops work within milliseconds of its cancel', async () => {
    const stopped = deferred<unknown>();
    const worker = await startWorker(async (work) => {
      await once(work.signal, 'abort');
      stopped.resolve(work.signal.reason);
    });
    await owner.start(REF, {});
    await vi.waitFor(async () => expect((await owner.work(REF))?.fence).toBeDefined());
    const cancelledAt = performance.now();
    await owner.cancel({ turn: 1, attempt: 0 });
    expect(await stopped.promise).toMatchObject({ name: 'WorkAborted', reason: 'cancelled' });
    expect(performance.now() - cancelledAt).toBeLessThan(100);
    await vi.waitFor(async () =>
      expect(await countOf(worker, 'parley_stage_work_seconds_count{stage="llm",outcome="cancelled"}')).toBe(1),
    );
    expect(await failures()).toEqual([]);
  });

  it('leaves the work of other replies and sessions alone when one is cancelled', async () => {
    const works: WorkContext<'reply'>[] = [];
    await startWorker(
      (work) => {
        works.push(work);
        return untilAborted(work);
      },
      { slots: 3 },
    );
    const other = await ScriptedOwner.open(gateway);
    const next = { ...REF, turn: 2 };
    await Promise.all([owner.start(REF, {}), owner.start(next, {}), other.start(REF, {})]);
    await vi.waitFor(() => expect(works).toHaveLength(3));
    await owner.cancel({ turn: 1, attempt: 0 });
    const isFirst = (work: WorkContext<'reply'>): boolean => work.session === owner.session && work.ref.turn === 1;
    await vi.waitFor(() => expect(works.find(isFirst)?.signal.aborted).toBe(true));
    expect(works.filter((work) => !isFirst(work)).map((work) => work.signal.aborted)).toEqual([false, false]);
  });

  it('does not even claim a queued job whose cancel came before', async () => {
    let handled = 0;
    const worker = await startWorker(
      async (work) => {
        handled += 1;
        await untilAborted(work);
      },
      { slots: 1 },
    );
    const blocking = await ScriptedOwner.open(gateway);
    await blocking.start(REF, {});
    await vi.waitFor(() => expect(handled).toBe(1));
    await owner.start(REF, {});
    await owner.cancel({ turn: 1, attempt: 0 });
    await blocking.cancel({ turn: 1, attempt: 0 });
    await vi.waitFor(async () =>
      expect(await countOf(worker, 'parley_stage_claims_total{stage="llm",result="cancelled"}')).toBe(1),
    );
    expect(handled).toBe(1);
  });

  it('learns of a cancel that it never heard by its next write', async () => {
    const failed = deferred<unknown>();
    const go = deferred<void>();
    await startWorker(async (work) => {
      await go.promise;
      await work.append({ events: [delta('late')] }).catch(failed.resolve);
      expect(work.signal.aborted).toBe(true);
      await expect(work.append({ done: true })).rejects.toThrow(WorkAborted);
    });
    await owner.start(REF, {});
    await vi.waitFor(async () => expect((await owner.work(REF))?.fence).toBeDefined());
    await owner.cancelUnheard({ turn: 1, attempt: 0 });
    go.resolve();
    expect(await failed.promise).toMatchObject({ reason: 'cancelled' });
    expect(await owner.events('reply.delta')).toEqual([]);
  });

  it('is refused after its try was raised, and the next try goes on where it stopped', async () => {
    const go = deferred<void>();
    const outcomes: unknown[] = [];
    await startWorker(async (work) => {
      if (work.try === 1) {
        await work.append({ events: [delta('one')], resumeAt: 1 });
        await go.promise;
        await work.append({ events: [delta('stale')], resumeAt: 2 }).catch((error: unknown) => outcomes.push(error));
        work.signal.throwIfAborted();
      }
      await work.append({ events: [delta(`from ${work.resumeAt}`)], done: true });
    });
    await owner.start(REF, {});
    await vi.waitFor(async () => expect(await owner.work(REF)).toMatchObject({ resumeAt: 1 }));
    await owner.raiseTry(REF, 2);
    await vi.waitFor(async () => expect((await owner.work(REF))?.done).toBe(true));
    go.resolve();
    await vi.waitFor(() => expect(outcomes).toEqual([expect.objectContaining({ reason: 'fenced' })]));
    expect((await owner.events('reply.delta')).map(({ text }) => text)).toEqual(['one', 'from 1']);
    expect(await failures()).toEqual([]);
  });

  it('stops when the session is closed', async () => {
    const stopped = deferred<unknown>();
    await startWorker(async (work) => {
      await once(work.signal, 'abort');
      stopped.resolve(work.signal.reason);
    });
    await owner.start(REF, {});
    await vi.waitFor(async () => expect((await owner.work(REF))?.fence).toBeDefined());
    await owner.close();
    expect(await stopped.promise).toMatchObject({ reason: 'closed' });
  });

  it.each([
    ['a VoiceError', new VoiceError('engine_rejected'), { code: 'engine_rejected', retryable: false }],
    ['a passing VoiceError', new VoiceError('engine_failed'), { code: 'engine_failed', retryable: true }],
    ['anything else', new TypeError('oops'), { code: 'internal', retryable: true }],
  ])('tells the owner of a handler that throws %s', async (_, error, verdict) => {
    const worker = await startWorker(() => Promise.reject(error));
    await owner.start(REF, {});
    await vi.waitFor(async () => expect(await failures()).toHaveLength(1));
    expect((await failures())[0]).toMatchObject({ stage: 'reply', turn: 1, attempt: 0, try: 1, ...verdict });
    expect(await owner.work(REF)).toMatchObject({ done: false });
    await vi.waitFor(async () =>
      expect(await countOf(worker, `parley_stage_work_seconds_count{stage="llm",outcome="${verdict.code}"}`)).toBe(1),
    );
  });

  it('fails work that its handler left undone', async () => {
    await startWorker((work) => work.append({ events: [delta('Hello')] }));
    await owner.start(REF, {});
    await vi.waitFor(async () => expect(await failures()).toMatchObject([{ code: 'internal' }]));
  });

  it('times out a hung engine behind a live pulse', async () => {
    await startWorker(async (work) => {
      const hung = () => ({ [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => undefined) }) });
      const limits = { firstMs: 50, stallMs: 50, clock: systemClock, signal: work.signal };
      for await (const _ of withProgressDeadline(hung, limits));
    });
    await owner.start(REF, {});
    await vi.waitFor(async () => expect(await failures()).toMatchObject([{ code: 'engine_timeout', retryable: true }]));
  });

  it('pulses for its claims at once and then regularly, and follows a new owner', async () => {
    const pulses: Pulse[] = [];
    await gateway.pulses.subscribe('gateway-1', (pulse) => pulses.push(pulse));
    const claimed = deferred<number>();
    await startWorker((work) => {
      claimed.resolve(performance.now());
      return untilAborted(work);
    });
    await owner.start(REF, {});
    const claimedAt = await claimed.promise;
    await vi.waitFor(() => expect(pulses.length).toBeGreaterThan(0), { interval: 2 });
    expect(performance.now() - claimedAt).toBeLessThan(100);
    const fence = (await owner.work(REF))?.fence;
    expect(pulses[0]).toMatchObject({
      ...{ stage: 'llm', worker: { host: 'here' }, sessions: [] },
      claims: [{ session: owner.session, work: workKey(REF), try: 1, fence }],
    });
    await vi.waitFor(() => expect(pulses.length).toBeGreaterThan(3), { timeout: 1_500 });

    const second = await connect('gateway-2');
    const toSecond: Pulse[] = [];
    await second.pulses.subscribe('gateway-2', (pulse) => toSecond.push(pulse));
    const successor = await owner.moveTo(second);
    const movedAt = performance.now();
    await vi.waitFor(() => expect(toSecond).toMatchObject([{ claims: [{ fence }] }]), { interval: 2 });
    expect(performance.now() - movedAt).toBeLessThan(150);
    await successor.cancel({ turn: 1, attempt: 0 });
  });

  it('announces its load, and takes nothing before it is warmed up', async () => {
    const warmedUp = deferred<void>();
    const worker = await startWorker(untilAborted, { slots: 2, warmedUp: warmedUp.promise });
    await owner.start(REF, {});
    const heartbeat = async () => (await gateway.presence.list('llm')).find(({ id }) => id === worker.bus.process.id);
    await vi.waitFor(async () => expect(await heartbeat()).toMatchObject({ engine: 'scripted', slots: 2, busy: 0 }));
    expect((await owner.work(REF))?.fence).toBeUndefined();
    warmedUp.resolve();
    await vi.waitFor(async () => expect(await heartbeat()).toMatchObject({ busy: 1, draining: false, ready: true }));
    worker.drain();
    await worker.finished;
    expect(await heartbeat()).toBeUndefined();
  });

  it('lets short work finish when it drains', async () => {
    const go = deferred<void>();
    const worker = await startWorker(
      async (work) => {
        await go.promise;
        await work.append({ events: [delta('all')], done: true });
      },
      { drainGraceMs: 5_000 },
    );
    await owner.start(REF, {});
    await vi.waitFor(async () => expect((await owner.work(REF))?.fence).toBeDefined());
    worker.drain();
    go.resolve();
    await worker.finished;
    expect(await owner.work(REF)).toMatchObject({ done: true });
    expect(await failures()).toEqual([]);
  });

  it('hands long work back when it drains, so that the next worker need not wait', async () => {
    const reasons: unknown[] = [];
    const worker = await startWorker(async (work) => {
      await work.append({ events: [delta('begun')], resumeAt: 7 });
      await once(work.signal, 'abort');
      reasons.push(work.signal.reason);
      work.signal.throwIfAborted();
    });
    await owner.start(REF, {});
    await vi.waitFor(async () => expect(await owner.work(REF)).toMatchObject({ resumeAt: 7 }));
    const drainedAt = performance.now();
    worker.drain();
    await worker.finished;
    expect(performance.now() - drainedAt).toBeLessThan(800);
    expect(reasons).toEqual([expect.objectContaining({ reason: 'drain' })]);
    expect(await failures()).toMatchObject([{ code: 'going_away', retryable: true, handedBack: true, try: 1 }]);
    expect(await owner.work(REF)).toMatchObject({ resumeAt: 7, done: false });

    await startWorker((work) => work.append({ events: [delta(`from ${work.resumeAt}`)], done: true }));
    await owner.raiseTry(REF, 2);
    await vi.waitFor(async () => expect((await owner.work(REF))?.done).toBe(true));
    expect((await owner.events('reply.delta')).map(({ text }) => text)).toEqual(['begun', 'from 7']);
  });

  it('leaves in time although Redis does not answer', async () => {
    const worker = await startWorker(untilAborted);
    await owner.start(REF, {});
    await vi.waitFor(async () => expect((await owner.work(REF))?.fence).toBeDefined());
    await redis.freeze();
    try {
      const drainedAt = performance.now();
      worker.drain();
      await worker.finished;
      expect(performance.now() - drainedAt).toBeLessThan(5_000);
    } finally {
      await redis.thaw();
    }
  });

  it('loses and repeats nothing when Redis goes away and comes back', async () => {
    const texts = Array.from({ length: 400 }, (_, index) => String(index));
    await startWorker(async (work) => {
      for (const [index, text] of texts.entries()) {
        await work.append({ events: [delta(text)], resumeAt: index + 1 });
        await systemClock.sleep(2);
      }
      await work.append({ done: true });
    });
    await owner.start(REF, {});
    await vi.waitFor(async () => expect((await owner.work(REF))?.resumeAt).toBeGreaterThan(20));
    await redis.restart();
    await vi.waitFor(async () => expect((await owner.work(REF))?.resumeAt).toBeGreaterThan(120), { timeout: 8_000 });
    await redis.freeze();
    await systemClock.sleep(1_500);
    await redis.thaw();
    await vi.waitFor(async () => expect((await owner.work(REF))?.done).toBe(true), { timeout: 8_000 });
    expect((await owner.events('reply.delta')).map(({ text }) => text)).toEqual(texts);
  }, 20_000);
});

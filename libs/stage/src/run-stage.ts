import type { Announcement, Bus, Claim, Refused, WorkTaker } from '@parley/bus';
import { type Heartbeat, type Job, LOG_VERSION, type NewEvent, replyKey, VoiceError } from '@parley/protocol';
import { backoff, type Clock, type Logger, type Metrics, untilAborted } from '@parley/runtime';
import { type ControlWatch, watchControl } from './control-watch.ts';
import { Load } from './load.ts';
import { type StageMetrics, stageMetrics } from './metrics.ts';
import { type Outcome, WorkAborted } from './outcome.ts';
import { type Pulser, startPulse } from './pulser.ts';
import type { RefOf, Stage, WorkQueueName } from './stage.ts';
import { ClaimedWork } from './work-context.ts';
import { WorkTrace } from './work-trace.ts';

/** What running work may take to finish by itself when the process is told to leave. */
const DRAIN_GRACE_MS = 400;
/** How long the end of work is waited for after it was told to stop. */
const STOP_LIMIT_MS = 1_000;
/** How long a claim is tried again while Redis is away; after that the owner offers the work anew. */
const CLAIM_LIMIT_MS = 2_000;
/** How long it is tried to report a failure. */
const REPORT_LIMIT_MS = 5_000;

export interface RunStageOptions {
  readonly bus: Bus;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** Drains the stage when it aborts. */
  readonly signal: AbortSignal;
  /** What the heartbeat says of the engine. */
  heartbeat(): Pick<Heartbeat, 'engine' | 'engineReason' | 'engineHint' | 'ready' | 'voices' | 'languages'>;
  /** Work is taken once this has resolved; until then the stage is announced and does nothing. */
  readonly warmedUp?: Promise<unknown>;
  /** What running work may take to finish by itself in a drain. */
  readonly drainGraceMs?: number;
}

/**
 * Takes, claims and does the work of a stage until the signal aborts, then drains: takes nothing more, gives what runs
 * a moment to finish, and hands the rest back so that its owner offers it again without waiting. Resolves when nothing
 * is held any more.
 */
export async function runStage<Q extends WorkQueueName>(stage: Stage<Q>, options: RunStageOptions): Promise<void> {
  const { bus, metrics, clock } = options;
  const control = await watchControl({ bus });
  const pulser = startPulse({ bus, stage: stage.name, control, clock, metrics });
  try {
    await new StageRunner(stage, options, control, pulser).run();
  } finally {
    pulser.stop();
    await control.close();
  }
}

type ClaimAnswer = Claim | Refused<'STALE' | 'DONE' | 'TAKEN' | 'CLOSED' | 'UNAVAILABLE'>;

class StageRunner<Q extends WorkQueueName> {
  readonly #stage: Stage<Q>;
  readonly #options: RunStageOptions;
  readonly #control: ControlWatch;
  readonly #pulser: Pulser;
  readonly #metrics: StageMetrics;
  readonly #load: Load;
  readonly #running = new Set<ClaimedWork<Q>>();
  #draining = false;
  /** The grace of a drain is over: whatever is claimed now is handed back at once. */
  #leaving = false;

  constructor(stage: Stage<Q>, options: RunStageOptions, control: ControlWatch, pulser: Pulser) {
    this.#stage = stage;
    this.#options = options;
    this.#control = control;
    this.#pulser = pulser;
    this.#metrics = stageMetrics(options.metrics);
    this.#load = new Load(stage.slots);
  }

  async run(): Promise<void> {
    const { bus, signal, warmedUp } = this.#options;
    const presence = await bus.presence.announce(() => this.#heartbeat());
    try {
      await Promise.race([warmedUp, untilAborted(signal)]);
      if (signal.aborted) return;
      presence.update().catch(() => undefined);
      const taker = await bus.queues[this.#stage.queue].take({
        slots: this.#stage.slots,
        handler: (job, { queuedMs }) => this.#take(job as Job<Q>, queuedMs),
      });
      await untilAborted(signal);
      await this.#drain(taker, presence);
    } finally {
      // A heartbeat that cannot be removed expires by itself.
      await presence.stop().catch(() => undefined);
    }
  }

  async #drain(taker: WorkTaker, presence: Announcement): Promise<void> {
    const { clock, drainGraceMs = DRAIN_GRACE_MS } = this.#options;
    this.#draining = true;
    presence.update().catch(() => undefined);
    const finished = new AbortController();
    const closed = taker.close(drainGraceMs + STOP_LIMIT_MS).finally(() => finished.abort());
    await Promise.race([closed, clock.sleep(drainGraceMs, finished.signal).catch(() => undefined)]);
    this.#leaving = true;
    await Promise.all([...this.#running].map((work) => this.#handBack(work)));
    await closed;
  }

  #heartbeat(): Heartbeat {
    const { id, host, pid } = this.#options.bus.process;
    const { slots, busy, latencyMs, predictedWaitMs } = this.#load;
    const engine = this.#options.heartbeat();
    return {
      ...{ v: LOG_VERSION, stage: this.#stage.name, id, host, pid },
      ...engine,
      ready: engine.ready && !this.#draining,
      draining: this.#draining,
      ...{ slots, busy, latencyMs, predictedWaitMs },
    };
  }

  async #take(job: Job<Q>, queuedMs: number): Promise<void> {
    const stage = this.#stage.name;
    const ref = refOf(this.#stage.queue, job);
    this.#metrics.queued.observe({ stage }, queuedMs / 1_000);
    const isOver = this.#control.isClosed(job.session) || this.#control.isCancelled(job.session, ref);
    if (isOver) return this.#metrics.claims.inc({ stage, result: 'cancelled' });
    const trace = new WorkTrace(this.#stage.queue, job, queuedMs, () => this.#options.bus.redisNowMs());
    const claim = await this.#claim(job, ref);
    const result = claim.ok ? 'run' : claim.refusal.toLowerCase();
    this.#metrics.claims.inc({ stage, result });
    trace.claimed(result);
    if (claim.ok) await this.#work(job, ref, claim, trace);
  }

  async #claim(job: Job<Q>, ref: RefOf<Q>): Promise<ClaimAnswer> {
    const { bus, clock } = this.#options;
    const { historyMessages = 0 } = this.#stage;
    const giveUpAtMs = clock.nowMs() + CLAIM_LIMIT_MS;
    const waits = backoff({ initialMs: 20, maxMs: 200 });
    for (;;) {
      try {
        return await bus.sessions.claim({ session: job.session, ref, try: job.try, messages: historyMessages });
      } catch (error) {
        if (!(error instanceof VoiceError) || error.code !== 'bus_unavailable') throw error;
        if (clock.nowMs() >= giveUpAtMs) return { ok: false, refusal: 'UNAVAILABLE' };
        await clock.sleep(waits.next());
      }
    }
  }

  async #work(job: Job<Q>, ref: RefOf<Q>, claim: Claim, trace: WorkTrace): Promise<void> {
    const { bus, clock, logger } = this.#options;
    const stage = this.#stage.name;
    const startMs = clock.nowMs();
    let hasResult = false;
    const work = new ClaimedWork<Q>({
      ...{ bus, clock, job, ref, claim, trace: trace.began() },
      logger: logger.child({ sessionId: job.session, ...ref, try: job.try }),
      onResult: () => {
        if (hasResult) return;
        hasResult = true;
        const afterMs = clock.nowMs() - startMs;
        this.#load.firstResult(afterMs);
        trace.firstResult();
        this.#metrics.firstResult.observe({ stage }, afterMs / 1_000);
      },
      onRefusedWrite: (refusal) => this.#metrics.refusedWrites.inc({ stage, refusal }),
      onRepeatedWrite: () => this.#metrics.repeatedWrites.inc({ stage }),
    });
    const release = this.#hold(work, claim);
    let outcome: Outcome;
    try {
      outcome = await trace.run(() => this.#handle(work));
    } finally {
      release();
      this.#load.ended(clock.nowMs() - startMs);
      this.#metrics.running.set({ stage }, this.#load.busy);
    }
    const durationMs = clock.nowMs() - startMs;
    const label = labelOf(outcome);
    this.#metrics.work.observe({ stage, outcome: label }, durationMs / 1_000);
    trace.ended(label, outcome.kind === 'failed' ? new VoiceError(outcome.code) : undefined);
    if (work.cancelledAtMs !== undefined && outcome.kind === 'interrupted') {
      trace.cancelled(work.cancelledAtMs);
      const takenMs = Math.max(0, bus.redisNowMs() - work.cancelledAtMs);
      this.#metrics.cancels.observe({ stage }, takenMs / 1_000);
    }
    work.logger.debug({ outcome: label, durationMs: Math.round(durationMs) }, 'work ended');
  }

  /** From here on owners see the work as held, and can stop it. */
  #hold(work: ClaimedWork<Q>, { owner, epoch, fence }: Claim): () => void {
    const { session, ref } = work;
    this.#load.started();
    this.#metrics.running.set({ stage: this.#stage.name }, this.#load.busy);
    this.#running.add(work);
    const unfollow = this.#control.follow(session, {
      onCancel: (_replies, atMs) => {
        if (this.#control.isCancelled(session, ref)) work.cancel(atMs);
      },
      onReleased: (reply) => {
        if (replyKey(reply) === replyKey(ref)) work.release();
      },
      onClosed: () => work.abort('closed'),
    });
    // These came while the claim was being made.
    if (this.#control.isCancelled(session, ref)) work.cancel();
    if (this.#control.isReleased(session, ref)) work.release();
    if (this.#control.isClosed(session)) work.abort('closed');
    const letGo = this.#pulser.holdClaim({ session, ref, try: work.try, fence, owner, epoch });
    return () => {
      letGo();
      unfollow();
      this.#running.delete(work);
    };
  }

  async #handle(work: ClaimedWork<Q>): Promise<Outcome> {
    if (this.#leaving) await this.#handBack(work);
    try {
      if (!work.signal.aborted) await this.#stage.handle(work);
    } catch (error) {
      if (work.isDone) {
        work.logger.warn({ err: error }, 'the handler failed after its work was done');
        return { kind: 'done' };
      }
      if (!work.signal.aborted) return this.#fail(work, error);
    }
    if (work.isDone) return { kind: 'done' };
    if (!work.signal.aborted) return this.#fail(work, new VoiceError('internal', 'the handler left its work undone'));
    const reason = work.signal.reason instanceof WorkAborted ? work.signal.reason.reason : 'cancelled';
    return reason === 'drain' ? { kind: 'handedBack' } : { kind: 'interrupted', reason };
  }

  /** Tells the owner, who decides whether the work is tried again. */
  async #fail(work: ClaimedWork<Q>, error: unknown): Promise<Outcome> {
    const { code, retryable } = VoiceError.from(error);
    work.logger.warn({ err: error, code, retryable }, 'work failed');
    await this.#report(work, { code, retryable }, REPORT_LIMIT_MS);
    return { kind: 'failed', code, retryable };
  }

  async #handBack(work: ClaimedWork<Q>): Promise<void> {
    if (work.isDone || work.signal.aborted) return;
    work.abort('drain');
    await this.#report(work, { code: 'going_away', retryable: true, handedBack: true }, STOP_LIMIT_MS);
  }

  async #report(
    work: ClaimedWork<Q>,
    verdict: Pick<NewEvent<'work.failed'>, 'code' | 'retryable' | 'handedBack'>,
    limitMs: number,
  ): Promise<void> {
    const event: NewEvent<'work.failed'> = { type: 'work.failed', ...work.ref, ...verdict, try: work.try };
    try {
      await work.appendLast(event, limitMs);
    } catch (err) {
      // The owner misses the pulse of this work and offers it again.
      if (!(err instanceof WorkAborted)) work.logger.warn({ err }, 'the end of the work could not be reported');
    }
  }
}

function refOf<Q extends WorkQueueName>(queue: Q, job: Job<Q>): RefOf<Q> {
  const { turn, attempt } = job;
  const ref = 'clause' in job ? { stage: queue, turn, attempt, clause: job.clause } : { stage: queue, turn, attempt };
  // A speak job always has a clause and a reply job never.
  return ref as unknown as RefOf<Q>;
}

function labelOf(outcome: Outcome): string {
  if (outcome.kind === 'interrupted') return outcome.reason;
  return outcome.kind === 'failed' ? outcome.code : outcome.kind;
}

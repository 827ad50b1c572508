import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Announcement, AudioReader, Bus, Lease, Refused, WorkTaker } from '@parley/bus';
import { type Heartbeat, type ListenJob, LOG_VERSION, type SessionId, VoiceError } from '@parley/protocol';
import { backoff, type Clock, type Logger, type Metrics, untilAborted } from '@parley/runtime';
import { type ControlWatch, type Pulser, startPulse, watchControl } from '@parley/stage';
import type { EngineStatus } from './engine-status.ts';
import { Listener, type ListenerEnd, type ListenerOptions } from './listener.ts';
import { type SttMetrics, sttMetrics } from './metrics.ts';
import type { RecognitionStream, Recognizer } from './recognizer.ts';
import type { SoundJudge } from './turn-end/sound-judge.ts';
import type { WordsJudge } from './turn-end/words-judge.ts';
import type { VoiceDetector } from './voice-detector.ts';

/** Frames of one session in one batch: a backlog is caught up with at several times real time, beside live sessions. */
const FRAMES_PER_BATCH = 8;
/** How soon sessions are looked at again that wait for the recogniser or for Redis. */
const HELD_UP_RETRY_MS = 20;
/** How long an offer is tried to be taken while Redis is away; after that the owner makes a new one. */
const ACQUIRE_LIMIT_MS = 2_000;
/** How long a drain waits for successors. */
const DEFAULT_HAND_OVER_LIMIT_MS = 5_000;
const DEFAULT_PROBE_INTERVAL_MS = 10_000;
const DEFAULT_PAUSE_MS = 160;

export interface ListeningOptions {
  readonly bus: Bus;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** Drains when it aborts. */
  readonly signal: AbortSignal;
  readonly engine: EngineStatus;
  readonly detector: VoiceDetector;
  /** Tells ends of turns by their sound; without one they are told by text and habit. */
  readonly soundJudge?: SoundJudge | undefined;
  /** Is asked about the words of each pause. */
  readonly wordsJudge?: WordsJudge | undefined;
  readonly handOverLimitMs?: number;
  readonly probeIntervalMs?: number;
  readonly config: {
    readonly pauseMs?: number;
    readonly onProbability: number;
    readonly offProbability: number;
    readonly gateDbfs: number;
    readonly stallTimeoutMs: number;
    readonly turnModelLimitMs: number;
    readonly turnTextWeight: number;
    readonly turnSoundWeight: number;
    readonly turnHabitWeight: number;
    readonly turnLlmWeight: number;
  };
}

/**
 * Takes `listen` offers while slots are free and hears their sessions, until the signal aborts; then hands the sessions
 * over and resolves when each has a successor.
 */
export async function runListening(options: ListeningOptions): Promise<void> {
  const { bus, clock, metrics } = options;
  const control = await watchControl({ bus });
  const pulser = startPulse({ bus, stage: 'stt', control, clock, metrics });
  try {
    await new Listening(options, control, pulser).run();
  } finally {
    pulser.stop();
    await control.close();
  }
}

/** Everything one worker listens to. */
class Listening {
  readonly #options: ListeningOptions;
  readonly #control: ControlWatch;
  readonly #pulser: Pulser;
  readonly #metrics: SttMetrics;
  readonly #reader: AudioReader;
  readonly #listeners = new Map<SessionId, Listener>();
  #slots = 0;
  #draining = false;
  #taker: WorkTaker | undefined;
  #presence: Announcement | undefined;
  #isFull = false;
  #isScoring = false;
  #isRetrySet = false;
  #onEmpty: () => void = () => undefined;
  #cancelProbe: () => void = () => undefined;

  constructor(options: ListeningOptions, control: ControlWatch, pulser: Pulser) {
    this.#options = options;
    this.#control = control;
    this.#pulser = pulser;
    this.#metrics = sttMetrics(options.metrics);
    const { bus } = options;
    this.#reader = bus.audioIn.reader(bus.process.id, (session, frames) => {
      this.#listeners.get(session)?.receive(frames);
    });
  }

  async run(): Promise<void> {
    const { bus, signal, engine } = this.#options;
    const presence = await bus.presence.announce(() => this.#heartbeat());
    this.#presence = presence;
    try {
      const recognizer = await Promise.race([engine.loaded, untilAborted(signal)]);
      if (!recognizer || signal.aborted) return;
      this.#slots = recognizer.slots;
      presence.update().catch(() => undefined);
      // One offer at a time, so that the last free slot is not given away twice.
      this.#taker = await bus.queues.listen.take({ slots: 1, handler: (job) => this.#take(job, recognizer) });
      this.#probeIdle();
      await untilAborted(signal);
      await this.#drain(this.#taker);
    } finally {
      this.#cancelProbe();
      for (const listener of [...this.#listeners.values()]) listener.leave();
      await this.#reader.close();
      // A heartbeat that cannot be removed expires by itself.
      await presence.stop().catch(() => undefined);
    }
  }

  /** Goes on listening until the owners have found successors: no conversation waits for a worker that leaves. */
  async #drain(taker: WorkTaker): Promise<void> {
    const { clock, handOverLimitMs = DEFAULT_HAND_OVER_LIMIT_MS } = this.#options;
    this.#draining = true;
    this.#presence?.update().catch(() => undefined);
    await taker.close(1_000);
    const empty = new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    if (this.#listeners.size === 0) return;
    for (const listener of this.#listeners.values()) listener.offerLease();
    const given = new AbortController();
    const late = clock.sleep(handOverLimitMs, given.signal).catch(() => undefined);
    await Promise.race([empty, late]).finally(() => given.abort());
    const left = this.#listeners.size;
    if (left > 0) this.#options.logger.warn({ sessions: left }, 'sessions have no successor yet');
  }

  #heartbeat(): Heartbeat {
    const { id, host, pid } = this.#options.bus.process;
    const engine = this.#options.engine.status();
    return {
      ...{ v: LOG_VERSION, stage: 'stt', id, host, pid },
      ...engine,
      ready: engine.ready && !this.#draining,
      draining: this.#draining,
      slots: this.#slots,
      busy: this.#listeners.size,
      // A session is heard from the moment it is taken; when a slot will be free nobody knows.
      latencyMs: 0,
      predictedWaitMs: 0,
    };
  }

  async #take(job: ListenJob, recognizer: Recognizer): Promise<void> {
    const { session, expect } = job;
    if (this.#draining) return;
    if (this.#control.isClosed(session)) return this.#metrics.leases.inc({ result: 'closed' });
    const logger = this.#options.logger.child({ sessionId: session });
    let stream: RecognitionStream;
    try {
      stream = await recognizer.open();
    } catch (err) {
      // Without a lease nothing has been promised: the owner finds nobody and offers the session again in a while.
      logger.warn({ err }, 'the engine takes no session');
      return this.#metrics.leases.inc({ result: 'failed' });
    }
    const lease = await this.#acquire(session, expect);
    this.#metrics.leases.inc({ result: lease.ok ? 'taken' : lease.refusal.toLowerCase() });
    if (!lease.ok) return stream.close();
    this.#listen({ session, lease, stream, logger }, recognizer.minPauseMs ?? 0);
    const listener = this.#listeners.get(session);
    // Hearing does not wait for the log.
    if (listener) void this.#follow(listener, expect !== '');
  }

  async #acquire(session: SessionId, expect: string): Promise<Lease | Refused<'STALE' | 'CLOSED' | 'UNAVAILABLE'>> {
    const { bus, clock } = this.#options;
    const giveUpAtMs = clock.nowMs() + ACQUIRE_LIMIT_MS;
    const waits = backoff({ initialMs: 20, maxMs: 200 });
    for (;;) {
      try {
        return await bus.sessions.acquire({ session, expect });
      } catch (error) {
        if (!(error instanceof VoiceError) || error.code !== 'bus_unavailable') throw error;
        if (clock.nowMs() >= giveUpAtMs) return { ok: false, refusal: 'UNAVAILABLE' };
        await clock.sleep(waits.next());
      }
    }
  }

  #listen(parts: Pick<ListenerOptions, 'session' | 'lease' | 'stream' | 'logger'>, minPauseMs: number): void {
    const { session, lease, logger } = parts;
    const { bus, clock, detector, soundJudge, wordsJudge, config } = this.#options;
    const { onProbability, offProbability, gateDbfs, stallTimeoutMs } = config;
    const pauseMs = Math.max(config.pauseMs ?? DEFAULT_PAUSE_MS, minPauseMs);
    let release = (): void => undefined;
    const options: ListenerOptions = {
      ...parts,
      ...{ bus, detector, clock, gateDbfs, metrics: this.#metrics },
      hearing: { pauseMs, onProbability, offProbability },
      weights: {
        text: config.turnTextWeight,
        sound: config.turnSoundWeight,
        habit: config.turnHabitWeight,
        languageModel: config.turnLlmWeight,
      },
      ...{ soundJudge, soundLimitMs: config.turnModelLimitMs, wordsJudge },
      settleTimeoutMs: stallTimeoutMs,
      pauseReading: () => this.#reader.remove(session),
      resumeReading: (fromSample) => this.#reader.add(session, fromSample),
      wake: () => void this.#score(),
      onEnd: (reason) => {
        release();
        this.#ended(listener, reason, logger);
      },
    };
    const listener = new Listener(options);
    // The offer may have named a lease of this very worker.
    this.#listeners.get(session)?.leave();
    this.#listeners.set(session, listener);
    const { owner, epoch, fence } = lease;
    const letGo = this.#pulser.holdLease({ session, owner, epoch, fence, position: () => listener.position() });
    const unfollow = this.#control.follow(session, { onClosed: () => listener.close() });
    release = () => {
      letGo();
      unfollow();
    };
    this.#reader.add(session, lease.audioCursor);
    this.#metrics.sessions.set(this.#listeners.size);
    this.#pauseWhenFull();
    logger.debug({ cursor: lease.audioCursor }, 'listening');
    if (this.#control.isClosed(session)) listener.close();
  }

  async #follow(listener: Listener, isTakeOver: boolean): Promise<void> {
    const { clock } = this.#options;
    const waits = backoff({ initialMs: 50, maxMs: 1_000 });
    while (!listener.hasEnded) {
      try {
        return await listener.follow(isTakeOver);
      } catch (error) {
        const failure = VoiceError.from(error);
        if (failure.code !== 'bus_unavailable') return listener.fail(failure);
        await clock.sleep(waits.next());
      }
    }
  }

  #ended(listener: Listener, reason: ListenerEnd, logger: Logger): void {
    this.#metrics.ended.inc({ reason });
    logger.debug({ reason }, 'stopped listening');
    if (this.#listeners.get(listener.session) !== listener) return;
    this.#listeners.delete(listener.session);
    this.#reader.remove(listener.session);
    this.#metrics.sessions.set(this.#listeners.size);
    if (this.#listeners.size === 0) this.#onEmpty();
    if (!this.#isFull || this.#draining || this.#listeners.size >= this.#slots) return;
    this.#isFull = false;
    this.#taker?.resume().catch((err) => this.#options.logger.warn({ err }, 'taking offers could not go on'));
  }

  /** A session that sends nothing may be over without our having heard of it: a write tells. */
  #probeIdle(): void {
    this.#cancelProbe = this.#options.clock.setTimeout(() => {
      for (const listener of this.#listeners.values()) listener.probe();
      this.#probeIdle();
    }, this.#options.probeIntervalMs ?? DEFAULT_PROBE_INTERVAL_MS);
  }

  #pauseWhenFull(): void {
    if (this.#isFull || this.#listeners.size < this.#slots) return;
    this.#isFull = true;
    this.#taker?.pause().catch((err) => this.#options.logger.warn({ err }, 'taking offers could not be paused'));
  }

  /** Scores what all sessions have to score, as one batch after the other, until nothing is left. */
  async #score(): Promise<void> {
    if (this.#isScoring) return;
    this.#isScoring = true;
    try {
      // What arrives in the same turn of the event loop goes into the same batch.
      for (await nextTurn(); await this.#scoreBatch(); await nextTurn());
    } finally {
      this.#isScoring = false;
    }
    const isHeldUp = [...this.#listeners.values()].some((listener) => listener.isHeldUp);
    if (!isHeldUp || this.#isRetrySet) return;
    this.#isRetrySet = true;
    this.#options.clock.setTimeout(() => {
      this.#isRetrySet = false;
      void this.#score();
    }, HELD_UP_RETRY_MS);
  }

  async #scoreBatch(): Promise<boolean> {
    const takers = [...this.#listeners.values()]
      .map((listener) => ({ listener, frames: listener.takeFrames(FRAMES_PER_BATCH) }))
      .filter(({ frames }) => frames.length > 0);
    if (takers.length === 0) return false;
    const batch = takers.flatMap(({ frames }) => frames);
    const startMs = this.#options.clock.nowMs();
    let probabilities: number[];
    try {
      probabilities = await this.#options.detector.run(batch);
    } catch (error) {
      await Promise.all(takers.map(({ listener }) => listener.fail(VoiceError.from(error, 'engine_failed'))));
      return false;
    }
    this.#metrics.vadBatch.observe(batch.length);
    this.#metrics.vadSeconds.observe((this.#options.clock.nowMs() - startMs) / 1_000);
    let offset = 0;
    for (const { listener, frames } of takers) {
      listener.score(probabilities.slice(offset, offset + frames.length));
      offset += frames.length;
    }
    return true;
  }
}

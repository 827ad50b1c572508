import type { Bus, LogSubscription, SessionSnapshot } from '@parley/bus';
import {
  type ClientMessage,
  type EventId,
  INPUT_RATE_HZ,
  type NewEvent,
  type Reply,
  type SessionEvent,
  type SessionId,
  type UplinkAudio,
  VoiceError,
} from '@parley/protocol';
import type { Clock, Logger } from '@parley/runtime';
import type { ClientLink } from './client-link.ts';
import { Committer } from './committer.ts';
import { Downlink } from './downlink.ts';
import { type EffectContext, perform } from './effects.ts';
import type { GatewayMetrics } from './metrics.ts';
import { Outbox, withdrawJobs } from './outbox.ts';
import { Reign, STALL_MS } from './reign.ts';
import { ReplyAudio } from './reply-audio.ts';
import { TimeLimits } from './time-limits.ts';
import {
  type Decisions,
  fold,
  noDecisions,
  open,
  outstandingWork,
  shownAs,
  type TurnState,
} from './turn-machine/index.ts';
import { TurnTiming } from './turn-timing.ts';
import { Uplink } from './uplink.ts';
import { pronounce, type VerdictContext } from './verdicts.ts';
import { type Verdict, Watch } from './watch.ts';

/** The client hears something at least this often. */
const ACK_INTERVAL_MS = 200;

export interface OwnerLimits {
  readonly maxInputMs: number;
  readonly resumeBoundMs: number;
  readonly audioRateFactor: number;
  readonly idleTimeoutMs: number;
  readonly maxSessionMs: number;
  readonly maxBufferedBytes: number;
  readonly graceMs: number;
}

export interface OwnerDeps {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: GatewayMetrics;
  readonly limits: OwnerLimits;
  /** The session is no longer owned by this object. */
  readonly onGone: (owner: SessionOwner) => void;
}

/** What a client that resumes has already. */
export interface ResumePoint {
  readonly lastEvent?: EventId | undefined;
  readonly audio?: (Reply & { readonly received: number; readonly played: number }) | undefined;
}

/**
 * One owned session. Reads the log, steps the turn machine, commits, drains the outbox; forwards events and plays reply
 * audio to the client, if one is there; watches whoever holds the session's work. It keeps nothing that is not in Redis
 * and would be missed.
 *
 * States: starting (replaying; nothing is played) → live → gone (moved to another owner, closed, or left behind by a
 * drain). Only `live` plays audio and judges holders.
 */
export class SessionOwner {
  readonly session: SessionId;
  readonly epoch: number;
  readonly #deps: OwnerDeps;
  readonly #logger: Logger;
  readonly #reign: Reign;
  readonly #uplink: Uplink;
  readonly #downlink: Downlink;
  readonly #replyAudio: ReplyAudio;
  readonly #outbox: Outbox;
  readonly #committer: Committer;
  readonly #watch = new Watch();
  readonly #timing: TurnTiming;
  readonly #timeLimits: TimeLimits;
  /** For what is done at once, and not waited for. */
  readonly #context: EffectContext & VerdictContext;
  #state: TurnState;
  #mailbox: SessionEvent[] = [];
  #pumping: Promise<void> | undefined;
  #subscription: LogSubscription | undefined;
  #live = false;
  #gone = false;
  #lastAckMs = 0;

  constructor(deps: OwnerDeps, session: SessionId, snapshot: SessionSnapshot) {
    const { bus, clock, metrics, limits } = deps;
    const { epoch, eventCursor: cursor, created, settings } = snapshot;
    const logger = deps.logger.child({ sessionId: session, epoch });
    const state = JSON.parse(snapshot.state) as TurnState;
    const onRefused = (refusal: string): void => this.#lost(refusal);
    const link = (): ClientLink | undefined => this.#downlink.link;
    const reign = new Reign({ session, epoch, bus, clock, logger, onRefused });
    const uplink = new Uplink({
      session,
      audioIn: bus.audioIn,
      clock,
      nextSample: snapshot.inputSample,
      capSamples: (limits.maxInputMs / 1_000) * INPUT_RATE_HZ,
      burstMs: limits.resumeBoundMs,
      refillFactor: limits.audioRateFactor,
      onDuplicate: (samples) => metrics.duplicateAudioSeconds.inc(samples / INPUT_RATE_HZ),
      onWritten: (ms) => metrics.audioInWrite.observe(ms / 1_000),
      onFull: () => metrics.boundHits.inc({ bound: 'uplink' }),
      onLost: (fromSample, samples, reason) => {
        metrics.audioLostSeconds.inc({ reason }, samples / INPUT_RATE_HZ);
        const ms = Math.round((samples / INPUT_RATE_HZ) * 1_000);
        void reign.report({ type: 'audio.lost', fromSample, ms, reason });
      },
    });
    const timing = new TurnTiming({
      session,
      nowMs: () => bus.redisNowMs(),
      cameAtMs: (sample) => bus.redisNowMs() - uplink.ageMs(sample),
      metrics,
    });
    const onCommandRefused = (reason: unknown): void => {
      metrics.outboxFailures.inc();
      logger.error({ err: reason }, 'a command was refused by its queue');
    };
    const outbox = new Outbox(bus.queues, clock, onCommandRefused, () => metrics.boundHits.inc({ bound: 'outbox' }));
    outbox.add(snapshot.outbox);
    this.#deps = deps;
    this.session = session;
    this.epoch = epoch;
    this.#logger = logger;
    this.#state = state;
    this.#reign = reign;
    this.#uplink = uplink;
    this.#timing = timing;
    this.#outbox = outbox;
    this.#downlink = new Downlink(session, bus.log);
    this.#replyAudio = new ReplyAudio({
      session,
      rateHz: settings.outputRateHz,
      state,
      bus,
      clock,
      logger,
      metrics,
      timing,
      reign,
      maxBufferedBytes: limits.maxBufferedBytes,
      isLive: () => this.#live,
      link,
    });
    this.#committer = new Committer({ session, epoch, cursor, bus, clock, outbox, metrics, onRefused });
    this.#timeLimits = new TimeLimits({ bus, clock, logger, reign, uplink, created, limits, link });
    this.#context = { session, bus, logger, metrics, reign, watch: this.#watch };
    this.#watch.settled(snapshot.audioCursor);
  }

  get hasClient(): boolean {
    return this.#downlink.link !== undefined;
  }

  get state(): TurnState {
    return this.#state;
  }

  get inputSample(): number {
    return this.#uplink.nextSample;
  }

  get ackedSample(): number {
    return this.#watch.audioCursor;
  }

  /**
   * Carries the session on: sends the client what it missed, replays the log from the committed state, and goes live.
   * `onReady` is told false where what the client missed is no longer in the log; it must be given a snapshot then.
   */
  async start(
    link: ClientLink,
    point: ResumePoint | undefined,
    onReady: (complete: boolean) => Promise<void>,
  ): Promise<void> {
    const { bus, metrics } = this.#deps;
    this.#downlink.attach(link);
    this.#follow();
    const missed = point ? await this.#downlink.resume(point.lastEvent, this.#committer.cursor, this.#state) : [];
    if (missed === 'trimmed') metrics.boundHits.inc({ bound: 'log' });
    await onReady(missed !== 'trimmed');
    if (missed !== 'trimmed') for (const event of missed) this.#downlink.forward(event, this.#state);
    if (point?.audio) this.#replyAudio.resumeAt(point.audio, point.audio.received, point.audio.played);
    if (this.#state.listener.offers === 0) await this.#openSession();
    this.#subscription = await bus.log.follow(
      this.session,
      this.#state.lastEvent === '0-0' ? this.#committer.cursor : this.#state.lastEvent,
      (event) => this.#receive(event),
    );
    if (this.#gone) return void this.#subscription.close();
    await this.#pumping;
    this.#live = !this.#gone;
    this.#replyAudio.read();
  }

  /** An input of the client, as an event of the log. Throws `bus_unavailable`; a session that has moved is left. */
  async input(event: NewEvent): Promise<void> {
    this.#timeLimits.active();
    await this.#reign.append([event]);
  }

  /** Takes a frame of user audio. Throws `rate_limited`, `bad_audio` or `bus_unavailable`. */
  audio(frame: UplinkAudio): void {
    this.#uplink.accept(frame);
  }

  playback(message: Extract<ClientMessage, { type: 'playback' }>): void {
    this.#replyAudio.clientPlayed(message, message.samples);
  }

  acknowledge(event: EventId): void {
    this.#downlink.acknowledge(event);
  }

  listenerPulse(fence: string, cursor: number): void {
    this.#watch.listenerPulse(fence, cursor);
  }

  claimPulse(work: string, number: number): void {
    this.#watch.claimPulse(work, number);
    this.#timing.claimed(work);
  }

  /** The client has gone; the session goes on without it until its grace is over. */
  detach(link: ClientLink): void {
    if (this.#downlink.detach(link)) this.#uplink.flush();
  }

  /** Somebody else owns the session now. Final for the client of this connection. */
  moved(): void {
    this.#leave(new VoiceError('moved'));
  }

  /** Something went wrong inside: this session is left, and the others go on. */
  fail(reason: unknown): void {
    const error = VoiceError.from(reason);
    this.#logger.error({ err: reason }, 'a session failed in its owner');
    this.#leave(error);
  }

  /** The gateway leaves: audio is flushed, and the client is sent to another one. */
  async handOver(): Promise<void> {
    await Promise.race([this.#uplink.close(), this.#deps.clock.sleep(STALL_MS)]);
    this.#leave(new VoiceError('going_away'));
    await this.#outbox.close();
  }

  /** Lets time pass. `elapsedMs` is what this process measured since the last tick, stalls included. */
  tick(nowMs: number, elapsedMs: number, free: (stage: Verdict['stage']) => 'none' | 'busy' | 'free'): void {
    if (this.#gone) return;
    const isConnected = this.#deps.bus.connected;
    this.#reign.tick(nowMs, elapsedMs, isConnected);
    this.#uplink.tick(nowMs);
    this.#replyAudio.tick(nowMs);
    if (this.#live && isConnected) {
      const position = { cursor: this.#watch.audioCursor, inputSample: this.#uplink.nextSample };
      for (const verdict of this.#watch.tick(elapsedMs, free)) void pronounce(verdict, position, this.#context);
    }
    const { link } = this.#downlink;
    if (link && nowMs - this.#lastAckMs >= ACK_INTERVAL_MS) {
      this.#lastAckMs = nowMs;
      link.control({ type: 'audio.ack', sample: this.#watch.audioCursor });
      this.#uplink.reportOverflow(this.#watch.audioCursor);
      this.#timeLimits.enforce(this.#state, nowMs);
    }
    if (this.#live && isConnected) this.#timeLimits.fireTimer(this.#state);
    if (this.#committer.hasStaleOffers(nowMs)) this.#pump();
  }

  // ---- the owner's loop ------------------------------------------------------------------------------------------

  #receive(event: SessionEvent): void {
    this.#mailbox.push(event);
    this.#pump();
  }

  #pump(): void {
    if (this.#gone) return;
    this.#pumping ??= this.#run()
      .catch((err: unknown) => this.fail(err))
      .finally(() => {
        this.#pumping = undefined;
        if (this.#mailbox.length > 0) this.#pump();
      });
  }

  async #run(): Promise<void> {
    let again = true;
    while (again && !this.#gone) {
      const decide = noDecisions();
      for (let event = this.#mailbox.shift(); event && !this.#gone; event = this.#mailbox.shift()) {
        this.#step(event, decide);
      }
      if (this.#committer.isDue(decide, this.#deps.clock.nowMs())) await this.#commit(decide);
      again = this.#mailbox.length > 0;
    }
  }

  #step(event: SessionEvent, decide: Decisions): void {
    const before = this.#state;
    const effects = decide.effects.length;
    const shown = shownAs(before, event);
    this.#state = fold(before, event, decide);
    this.#timing.observe(event, before, this.#state);
    this.#committer.folded();
    this.#downlink.forward(shown, this.#state);
    this.#follow();
    const { generation } = this.#state;
    for (const effect of decide.effects.slice(effects)) {
      perform(effect, generation, this.#downlink.link, this.#context);
    }
    this.#timeLimits.observe(event);
    switch (event.type) {
      case 'audio.chunk':
      case 'audio.done':
        this.#replyAudio.read();
        break;
      case 'turn.ended':
        // A reply that was prepared is ready to be heard.
        this.#replyAudio.play(this.#deps.clock.nowMs());
        break;
      case 'session.closed':
        this.#tidyUp();
        this.#leave(new VoiceError('closed', event.reason));
        break;
      default:
    }
  }

  /** Lets reply audio, watch and uplink follow the state. */
  #follow(): void {
    this.#replyAudio.follow(this.#state);
    this.#watch.update(this.#state.listener, outstandingWork(this.#state));
    this.#uplink.hurry(isDeciding(this.#state));
  }

  async #openSession(): Promise<void> {
    const { state, decisions } = open(this.#state.settings, this.#deps.bus.redisNowMs());
    this.#state = { ...state, lastEvent: this.#state.lastEvent };
    this.#follow();
    await this.#commit(decisions);
  }

  async #commit(decide: Decisions): Promise<void> {
    await this.#committer.commit(this.#state, decide, {
      acknowledged: this.#downlink.acknowledged,
      oldestAudio: this.#replyAudio.oldestNeeded(),
    });
  }

  // ---- leaving ---------------------------------------------------------------------------------------------------

  #lost(refusal: string): void {
    switch (refusal) {
      case 'CLOSED':
        this.#leave(new VoiceError(this.#state.closed ? 'closed' : 'session_unknown'));
        break;
      case 'CURSOR':
        // Our own view is not what Redis has: whoever resumes starts from what is there.
        this.#logger.error({ cursor: this.#committer.cursor }, 'the state does not follow from the one in Redis');
        return this.#leave(new VoiceError('going_away'));
      default:
        return this.#leave(new VoiceError('moved'));
    }
  }

  #leave(why: VoiceError): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#live = false;
    void this.#subscription?.close().catch((err: unknown) => this.#logger.debug({ err }, 'unsubscribing failed'));
    this.#committer.close();
    void this.#outbox.close();
    this.#downlink.close(why);
    this.#deps.onGone(this);
  }

  /** Nothing outside the session's own keys names it any longer; where this fails, the sweeper finds the rest. */
  #tidyUp(): void {
    const { bus } = this.#deps;
    Promise.all([bus.registry.remove(this.session), withdrawJobs(bus.queues, this.session, this.#state)]).catch(
      (err: unknown) => this.#logger.debug({ err }, 'left to the sweeper'),
    );
  }
}

/** Whether the next frames may end a turn, or confirm an interruption. */
function isDeciding({ utterance, reply }: TurnState): boolean {
  if (!utterance) return false;
  return !utterance.speaking || (reply !== null && !utterance.confirmed);
}

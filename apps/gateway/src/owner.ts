import type { Bus, CommitRequest, LogSubscription, OutEntry, SessionSnapshot } from '@parley/bus';
import {
  type ClientMessage,
  compareEventIds,
  type EventId,
  INPUT_RATE_HZ,
  type NewEvent,
  type Reply,
  type SessionEvent,
  type SessionId,
  splitEventId,
  type UplinkAudio,
  VoiceError,
} from '@parley/protocol';
import type { Clock, Logger } from '@parley/runtime';
import type { ClientLink } from './client-link.ts';
import type { GatewayMetrics } from './metrics.ts';
import { Outbox, outboxEntry, withdrawJobs, workJobId } from './outbox.ts';
import { Playout, type PlayoutReply } from './playout.ts';
import {
  type Decisions,
  type Effect,
  fold,
  inShownOrder,
  isShown,
  mustCommit,
  noDecisions,
  open,
  outstandingWork,
  runningTimer,
  shownAs,
  shownFrom,
  type TurnState,
  turnOf,
} from './turn-machine/index.ts';
import { TurnTiming } from './turn-timing.ts';
import { Uplink } from './uplink.ts';
import { type Verdict, Watch } from './watch.ts';

/** A commit is made after this many events even if they decide nothing, so that a successor has little to replay. */
const MAX_UNCOMMITTED_EVENTS = 100;
/** Outbox entries that have reached their queue are forgotten after this time, if no commit does so before. */
const OUTBOX_DONE_AFTER_MS = 250;
/** The client hears something at least this often. */
const ACK_INTERVAL_MS = 200;
/** An owner that was stopped or cut off from Redis for longer may have a successor, and asks before it says more. */
const STALL_MS = 500;
/** A client that sends no audio for so long while its user is being heard is taken at its word: nothing is being said. */
const MUTED_MS = 2_000;
/** Reply audio stops when Redis has been out of reach this long: somebody else may be playing it. */
const REDIS_SILENCE_MS = 1_000;
/** Entries of reply audio in one read: some two seconds, or one and a half of a voice that is made as it is heard. */
const OUT_BATCH = 8;
/** Reply audio kept here; the rest waits in Redis. */
const KEPT_AHEAD_MS = 1_500;
/** Events kept in the log though nobody needs them any more, for who looks into what happened. */
const KEPT_EVENTS = 256;
/** The log holds no more. */
const MAX_MISSED_EVENTS = 10_000;

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
  readonly #uplink: Uplink;
  readonly #playout: Playout;
  readonly #outbox: Outbox;
  readonly #watch = new Watch();
  readonly #timing: TurnTiming;
  readonly #createdAtMs: number;
  #state: TurnState;
  /** Cursor of the last commit. */
  #cursor: EventId;
  #mailbox: SessionEvent[] = [];
  #pumping: Promise<void> | undefined;
  #uncommitted = 0;
  #subscription: LogSubscription | undefined;
  #link: ClientLink | undefined;
  /** The client has every visible event up to here. */
  #sentUpTo: EventId = '0-0';
  /** The client needs no event up to here again. */
  #ackedByClient: EventId = '0-0';
  #outEntry = '0';
  #outWanted = false;
  #readingOut = false;
  #live = false;
  #gone = false;
  #verifying = false;
  #lastAckMs = 0;
  #lastCommitMs: number;
  #lastActivityMs: number;
  #redisSeenMs: number;
  #firstAudioOf: number | undefined;
  #firedSince: EventId | undefined;
  /** The utterance that was ended because no audio came. */
  #mutedUtterance: number | undefined;

  constructor(deps: OwnerDeps, session: SessionId, snapshot: SessionSnapshot) {
    this.#deps = deps;
    this.session = session;
    this.epoch = snapshot.epoch;
    this.#logger = deps.logger.child({ sessionId: session, epoch: snapshot.epoch });
    this.#state = JSON.parse(snapshot.state) as TurnState;
    this.#cursor = snapshot.eventCursor;
    const nowMs = deps.clock.nowMs();
    this.#lastCommitMs = nowMs;
    this.#lastActivityMs = nowMs;
    this.#redisSeenMs = nowMs;
    this.#createdAtMs = nowMs - Math.max(0, deps.bus.redisNowMs() - snapshot.created);
    const { metrics, limits } = deps;
    this.#uplink = new Uplink({
      session,
      audioIn: deps.bus.audioIn,
      clock: deps.clock,
      nextSample: snapshot.inputSample,
      capSamples: (limits.maxInputMs / 1_000) * INPUT_RATE_HZ,
      burstMs: limits.resumeBoundMs,
      refillFactor: limits.audioRateFactor,
      onDuplicate: (samples) => metrics.duplicateAudioSeconds.inc(samples / INPUT_RATE_HZ),
      onWritten: (ms) => metrics.audioInWrite.observe(ms / 1_000),
      onFull: () => metrics.boundHits.inc({ bound: 'uplink' }),
      onLost: (fromSample, samples, reason) => this.#audioLost(fromSample, samples, reason),
    });
    this.#timing = new TurnTiming({
      session,
      nowMs: () => deps.bus.redisNowMs(),
      cameAtMs: (sample) => deps.bus.redisNowMs() - this.#uplink.ageMs(sample),
      metrics,
    });
    this.#playout = new Playout({
      rateHz: snapshot.settings.outputRateHz,
      send: (frame) => {
        this.#countFirstAudio();
        return this.#link?.audio(frame) ?? 'dropped';
      },
      together: (sending) => (this.#link ? this.#link.together(sending) : sending()),
      report: (reply, samples) => void this.#report({ type: 'playback', ...reply, samples }),
    });
    const onRefused = (reason: unknown): void => {
      metrics.outboxFailures.inc();
      this.#logger.error({ err: reason }, 'a command was refused by its queue');
    };
    const onFull = (): void => metrics.boundHits.inc({ bound: 'outbox' });
    this.#outbox = new Outbox(deps.bus.queues, deps.clock, onRefused, onFull);
    this.#outbox.add(snapshot.outbox);
    this.#watch.settled(snapshot.audioCursor);
  }

  get hasClient(): boolean {
    return this.#link !== undefined;
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
   * Answers false where what the client missed is no longer in the log; it must be given a snapshot then.
   */
  async start(
    link: ClientLink,
    point: ResumePoint | undefined,
    onReady: (complete: boolean) => Promise<void>,
  ): Promise<void> {
    const { bus } = this.#deps;
    this.#link = link;
    this.#follow();
    const missed = point ? await this.#missedEvents(point) : [];
    this.#sentUpTo = point?.lastEvent ?? '0-0';
    if (missed === 'trimmed') {
      this.#deps.metrics.boundHits.inc({ bound: 'log' });
      this.#sentUpTo = this.#cursor;
    }
    await onReady(missed !== 'trimmed');
    if (missed !== 'trimmed') for (const event of missed) this.#forward(event);
    if (point?.audio) this.#playout.resumeAt(point.audio, point.audio.received, point.audio.played);
    if (this.#state.listener.offers === 0) await this.#openSession();
    this.#subscription = await bus.log.follow(
      this.session,
      this.#state.lastEvent === '0-0' ? this.#cursor : this.#state.lastEvent,
      (event) => this.#receive(event),
    );
    if (this.#gone) return void this.#subscription.close();
    await this.#pumping;
    this.#live = true;
    this.#readOut();
  }

  /** An input of the client, as an event of the log. Throws `bus_unavailable`; a session that has moved is left. */
  async input(event: NewEvent): Promise<void> {
    this.#lastActivityMs = this.#deps.clock.nowMs();
    await this.#append([event]);
  }

  /** Takes a frame of user audio. Throws `rate_limited`, `bad_audio` or `bus_unavailable`. */
  audio(frame: UplinkAudio): void {
    this.#uplink.accept(frame);
  }

  playback(message: Extract<ClientMessage, { type: 'playback' }>): void {
    this.#playout.clientPlayed(message, message.samples, this.#deps.clock.nowMs());
  }

  acknowledge(event: EventId): void {
    if (compareEventIds(event, this.#ackedByClient) > 0) this.#ackedByClient = event;
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
    if (this.#link !== link) return;
    this.#link = undefined;
    this.#uplink.flush();
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
    const { bus } = this.#deps;
    if (bus.connected) this.#redisSeenMs = nowMs;
    if (elapsedMs > STALL_MS) void this.#verify();
    this.#uplink.tick(nowMs);
    this.#play(nowMs);
    if (this.#outWanted) this.#readOut();
    if (this.#live && bus.connected) {
      for (const verdict of this.#watch.tick(elapsedMs, free)) void this.#judge(verdict);
    }
    if (this.#link && nowMs - this.#lastAckMs >= ACK_INTERVAL_MS) {
      this.#lastAckMs = nowMs;
      this.#link.control({ type: 'audio.ack', sample: this.#watch.audioCursor });
      this.#uplink.reportOverflow(this.#watch.audioCursor);
      this.#enforceLimits(nowMs);
      this.#endMuted(nowMs);
    }
    if (this.#live && bus.connected) this.#fireTimer();
    if (this.#outbox.hasDone && nowMs - this.#lastCommitMs >= OUTBOX_DONE_AFTER_MS) this.#pump();
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
      const stale = this.#deps.clock.nowMs() - this.#lastCommitMs >= OUTBOX_DONE_AFTER_MS;
      if (mustCommit(decide) || this.#uncommitted >= MAX_UNCOMMITTED_EVENTS || (this.#outbox.hasDone && stale)) {
        await this.#commit(decide);
      }
      again = this.#mailbox.length > 0;
    }
  }

  #step(event: SessionEvent, decide: Decisions): void {
    const before = this.#state;
    const effects = decide.effects.length;
    const shown = shownAs(before, event);
    this.#state = fold(before, event, decide);
    this.#timing.observe(event, before, this.#state);
    this.#uncommitted += 1;
    this.#forward(shown);
    this.#follow();
    for (const effect of decide.effects.slice(effects)) this.#perform(effect);
    switch (event.type) {
      case 'audio.chunk':
      case 'audio.done':
        this.#readOut();
        break;
      case 'turn.ended':
        // A reply that was prepared is ready to be heard.
        this.#play(this.#deps.clock.nowMs());
        this.#lastActivityMs = this.#deps.clock.nowMs();
        break;
      case 'speech.started':
      case 'speech.stopped':
      case 'playback':
        this.#lastActivityMs = this.#deps.clock.nowMs();
        break;
      case 'session.closed':
        this.#tidyUp();
        this.#leave(new VoiceError('closed', event.reason));
        break;
      default:
    }
  }

  /** Lets playout and watch follow the state. */
  #follow(): void {
    const { generation, speculative } = this.#state;
    this.#playout.update(playoutReply(this.#state), generation, speculative ?? undefined);
    this.#watch.update(this.#state.listener, outstandingWork(this.#state));
    this.#uplink.hurry(isDeciding(this.#state));
    if (this.#outWanted) this.#readOut();
  }

  #forward(event: SessionEvent): void {
    if (!this.#link || compareEventIds(event.id, this.#sentUpTo) <= 0) return;
    this.#sentUpTo = event.id;
    if (!isShown(this.#state, event)) return;
    this.#link.event(event, turnOf(this.#state, event), this.#state.generation);
  }

  #perform(effect: Effect): void {
    const { generation } = this.#state;
    switch (effect.kind) {
      case 'duck':
        return this.#link?.control({ type: 'audio.duck', generation });
      case 'restore':
        return this.#link?.control({ type: 'audio.restore', generation });
      case 'stop':
        if (effect.reply) this.#deps.metrics.interruptions.inc();
        return this.#link?.control({
          type: 'audio.stop',
          generation: effect.generation,
          ...(effect.reply ? { reply: effect.reply } : {}),
        });
      case 'release':
        return void this.#tellReleased(effect.reply);
      case 'cancel':
        return void this.#cancel(effect);
      default:
        return effect satisfies never;
    }
  }

  /** Its workers need not flag what they say of it any longer; where this is lost, what is flagged is shown all the same. */
  async #tellReleased({ turn, attempt }: Reply): Promise<void> {
    try {
      await this.#deps.bus.control.publish({ session: this.session, released: { turn, attempt } });
    } catch (err) {
      this.#logger.debug({ err }, 'a release was not told');
    }
  }

  /** Queued offers are dropped and running work is told; the mark in the work item, which counts, comes with the commit. */
  async #cancel({ reply, work }: Extract<Effect, { kind: 'cancel' }>): Promise<void> {
    const { control, queues } = this.#deps.bus;
    const ids = (stage: 'reply' | 'speak') =>
      work.filter(({ ref }) => ref.stage === stage).map(({ ref, try: number }) => workJobId(this.session, ref, number));
    const sent = await Promise.allSettled([
      control.publish({ session: this.session, cancel: [reply], at: this.#deps.bus.redisNowMs() }),
      queues.reply.remove(ids('reply')),
      queues.speak.remove(ids('speak')),
    ]);
    for (const result of sent) {
      if (result.status === 'rejected') this.#logger.warn({ err: result.reason }, 'a cancel did not reach everybody');
    }
  }

  async #openSession(): Promise<void> {
    const { state, decisions } = open(this.#state.settings, this.#deps.bus.redisNowMs());
    this.#state = { ...state, lastEvent: this.#state.lastEvent };
    this.#follow();
    await this.#commit(decisions);
  }

  /** Writes what was decided. Retries while Redis is away; gives the session up when somebody else owns it. */
  async #commit(decide: Decisions): Promise<void> {
    const { bus, clock } = this.#deps;
    const done = this.#outbox.takeDone();
    const entries = decide.commands.map((command) => outboxEntry(this.session, command));
    const request = this.#commitRequest(decide, entries, done);
    const startedMs = clock.nowMs();
    for (let ambiguous = false; !this.#gone; ambiguous = true) {
      try {
        const committing = bus.sessions.commit(request);
        // Offers follow close behind: without the commit nobody is granted what they propose.
        if (!ambiguous) this.#outbox.add(entries);
        const result = await committing;
        const applied = result.ok || (ambiguous && result.refusal === 'CURSOR' && (await this.#wasApplied(request)));
        if (!applied) {
          if (!result.ok) this.#lost(result.refusal);
          return;
        }
        break;
      } catch (reason) {
        if (VoiceError.from(reason).code !== 'bus_unavailable') throw reason;
        await clock.sleep(100);
      }
    }
    if (this.#gone) return;
    this.#cursor = request.cursor;
    this.#uncommitted = 0;
    this.#lastCommitMs = clock.nowMs();
    this.#deps.metrics.commits.observe((this.#lastCommitMs - startedMs) / 1_000);
  }

  #commitRequest(decide: Decisions, entries: [string, string][], done: string[]): CommitRequest {
    const { work } = decide;
    const cursor = this.#state.lastEvent === '0-0' ? this.#cursor : this.#state.lastEvent;
    const trimEvents = trimPoint(compareEventIds(this.#ackedByClient, cursor) < 0 ? this.#ackedByClient : cursor);
    const trimOut = this.#playout.oldestNeeded();
    return {
      session: this.session,
      epoch: this.epoch,
      expectedCursor: this.#cursor,
      cursor,
      state: JSON.stringify(this.#state),
      generation: this.#state.generation,
      events: decide.events,
      history: decide.history,
      work: {
        create: work.create,
        cancel: work.cancel,
        raiseTry: work.raiseTry,
        ...(work.dropTurnsBefore > 0 ? { dropTurnsBefore: work.dropTurnsBefore } : {}),
      },
      outbox: Object.fromEntries(entries),
      outboxDone: done,
      close: this.#state.closed,
      ...(decide.settings ? { settings: decide.settings } : {}),
      ...(decide.skipTo ? decide.skipTo : {}),
      ...(trimEvents === undefined ? {} : { trimEvents }),
      ...(trimOut === undefined ? {} : { trimOut }),
    };
  }

  /** Whether a commit whose answer was lost had been made. */
  async #wasApplied(request: CommitRequest): Promise<boolean> {
    const found = await this.#deps.bus.registry.inspect(this.session);
    return (
      found?.epoch === this.epoch &&
      found.owner.id === this.#deps.bus.process.id &&
      found.eventCursor === request.cursor
    );
  }

  // ---- leaving ---------------------------------------------------------------------------------------------------

  #lost(refusal: string): void {
    switch (refusal) {
      case 'CLOSED':
        this.#leave(new VoiceError(this.#state.closed ? 'closed' : 'session_unknown'));
        break;
      case 'CURSOR':
        // Our own view is not what Redis has: whoever resumes starts from what is there.
        this.#logger.error({ cursor: this.#cursor }, 'the state does not follow from the one in Redis');
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
    void this.#outbox.close();
    const link = this.#link;
    this.#link = undefined;
    link?.close(why);
    this.#deps.onGone(this);
  }

  /** Nothing outside the session's own keys names it any longer; where this fails, the sweeper finds the rest. */
  #tidyUp(): void {
    const { bus } = this.#deps;
    Promise.all([bus.registry.remove(this.session), withdrawJobs(bus.queues, this.session, this.#state)]).catch(
      (err: unknown) => this.#logger.debug({ err }, 'left to the sweeper'),
    );
  }

  /** After a stall: asks Redis whether this is still ours, before anything more is said. */
  async #verify(): Promise<void> {
    if (this.#verifying || this.#gone) return;
    this.#verifying = true;
    try {
      await this.#append([]);
    } catch (err) {
      this.#logger.debug({ err }, 'ownership could not be verified');
    } finally {
      this.#verifying = false;
    }
  }

  // ---- playing ---------------------------------------------------------------------------------------------------

  /** The next entries of `out`; a reading that fails is wanted again. */
  async #readEntries(): Promise<OutEntry[]> {
    try {
      return await this.#deps.bus.audioOut.read(this.session, this.#outEntry, OUT_BATCH);
    } catch (err) {
      this.#outWanted = true;
      throw err;
    }
  }

  #play(nowMs: number): void {
    if (this.#mayPlay(nowMs)) this.#playout.tick(nowMs, this.#state.utterance?.speaking ?? false);
  }

  #mayPlay(nowMs: number): boolean {
    if (!this.#live || !this.#link || this.#verifying || this.#gone) return false;
    if (nowMs - this.#redisSeenMs > REDIS_SILENCE_MS) return false;
    return this.#link.bufferedBytes() < this.#deps.limits.maxBufferedBytes / 2;
  }

  /** Reads what is new in the `out` stream; one reading at a time. */
  #readOut(): void {
    this.#outWanted = true;
    if (!this.#live || this.#readingOut || !this.#wantsOut) return;
    this.#readingOut = true;
    this.#drainOut()
      .catch((err: unknown) => this.#logger.debug({ err }, 'reading reply audio failed; it is tried again'))
      .finally(() => {
        this.#readingOut = false;
      });
  }

  /** There is reply audio to be read, and room for it. */
  get #wantsOut(): boolean {
    return this.#outWanted && !this.#gone && this.#playout.aheadMs < KEPT_AHEAD_MS;
  }

  async #drainOut(): Promise<void> {
    while (this.#wantsOut) {
      // Cleared first: what is published while the reading is under way asks for another.
      this.#outWanted = false;
      const entries = await this.#readEntries();
      if (entries.length === OUT_BATCH) this.#outWanted = true;
      for (const entry of entries) this.#playout.add(entry);
      this.#outEntry = entries.at(-1)?.entry ?? this.#outEntry;
      this.#play(this.#deps.clock.nowMs());
    }
  }

  #countFirstAudio(): void {
    const { reply } = this.#state;
    if (!reply || this.#firstAudioOf === reply.generation) return;
    this.#firstAudioOf = reply.generation;
    if (reply.played > 0) return;
    this.#deps.metrics.firstAudio.observe(Math.max(0, this.#deps.bus.redisNowMs() - reply.decidedAt) / 1_000);
    const figures = this.#timing.firstSend(reply);
    if (figures) void this.#report({ type: 'turn.metrics', ...figures, trace: reply.trace });
  }

  // ---- what the owner writes -------------------------------------------------------------------------------------

  /** Writes the timer that is due into the log, once. */
  #fireTimer(): void {
    const timer = runningTimer(this.#state);
    if (!timer || timer.since === this.#firedSince || this.#deps.bus.redisNowMs() < timer.atMs) return;
    this.#firedSince = timer.since;
    this.#append([{ type: 'timer.fired', name: timer.name, since: timer.since }]).catch((err: unknown) => {
      this.#logger.debug({ err }, 'a timer could not be written; it fires again');
      this.#firedSince = undefined;
    });
  }

  /** Writes events under our epoch; without any it only asks whether the session is still ours. */
  async #append(events: readonly NewEvent[]): Promise<void> {
    const { session, epoch } = this;
    const result = await this.#deps.bus.sessions.append({ session, events, holder: { kind: 'owner', epoch } });
    if (!result.ok) this.#lost(result.refusal);
  }

  /** An event that is not worth failing for: the next one says more. */
  async #report(event: NewEvent): Promise<void> {
    try {
      await this.#append([event]);
    } catch (err) {
      this.#logger.debug({ err, eventType: event.type }, 'an event could not be written');
    }
  }

  #audioLost(fromSample: number, samples: number, reason: 'overflow' | 'gap'): void {
    this.#deps.metrics.audioLostSeconds.inc({ reason }, samples / INPUT_RATE_HZ);
    void this.#report({ type: 'audio.lost', fromSample, ms: Math.round((samples / INPUT_RATE_HZ) * 1_000), reason });
  }

  async #judge(verdict: Verdict): Promise<void> {
    const { stage } = verdict;
    const audio = stage === 'listen' ? { cursor: this.#watch.audioCursor, inputSample: this.#uplink.nextSample } : {};
    try {
      const reason = await this.#reasonOf(verdict);
      this.#deps.metrics.holdersLost.inc({ stage, reason });
      this.#logger.warn(
        { stage, reason, holder: stage === 'listen' ? 'listener' : verdict.holder },
        'a holder is lost',
      );
      await this.#append([{ type: 'holder.lost', ...verdict, reason, ...audio }]);
    } catch (err) {
      this.#logger.debug({ err }, 'a verdict could not be written');
      this.#watch.retract(verdict);
    }
  }

  /** Work that seems to be unclaimed may have killed its holder before the first pulse. */
  async #reasonOf({ stage, holder, try: number, reason }: Verdict): Promise<Verdict['reason']> {
    if (stage === 'listen' || reason !== 'unclaimed') return reason;
    const found = await this.#deps.bus.registry.inspect(this.session);
    const item = found?.work.find(({ key }) => key === holder);
    return item?.try === number && item.fence !== undefined ? 'silent' : reason;
  }

  #enforceLimits(nowMs: number): void {
    const { idleTimeoutMs, maxSessionMs } = this.#deps.limits;
    if (this.#state.reply || this.#state.utterance) this.#lastActivityMs = nowMs;
    const code =
      nowMs - this.#createdAtMs > maxSessionMs
        ? 'session_too_long'
        : nowMs - this.#lastActivityMs > idleTimeoutMs
          ? 'idle_timeout'
          : undefined;
    if (!code) return;
    this.#link?.control({ type: 'error', fatal: true, ...new VoiceError(code).toWire() });
    this.#lastActivityMs = nowMs;
    void this.#report({ type: 'input.close', reason: code });
  }

  /** A listener counts samples, and waits for ever for the silence that a muted client does not send. */
  #endMuted(nowMs: number): void {
    const { utterance, settings } = this.#state;
    if (!utterance || settings.turnDetection === 'manual' || this.#mutedUtterance === utterance.number) return;
    if (this.#uplink.idleMs(nowMs) < MUTED_MS) return;
    this.#mutedUtterance = utterance.number;
    this.#uplink.flush();
    void this.#report({ type: 'input.commit' });
  }

  /** Events the client lacks up to the committed cursor; later ones come with the replay. */
  async #missedEvents(point: ResumePoint): Promise<SessionEvent[] | 'trimmed'> {
    const { log } = this.#deps.bus;
    const last = point.lastEvent ?? '0-0';
    if (compareEventIds(last, this.#cursor) >= 0) return [];
    const first = await log.firstId(this.session);
    if (point.lastEvent !== undefined && first !== undefined && compareEventIds(last, first) < 0) return 'trimmed';
    const events = await log.read(this.session, shownFrom(this.#state, last), MAX_MISSED_EVENTS);
    const settled = events.filter(({ id }) => compareEventIds(id, this.#cursor) <= 0);
    return inShownOrder(this.#state, settled);
  }
}

/** Oldest event to keep where everything up to `needless` could go. */
function trimPoint(needless: EventId): EventId | undefined {
  const [epoch, seq] = splitEventId(needless);
  return seq > KEPT_EVENTS ? `${epoch}-${seq - KEPT_EVENTS}` : undefined;
}

/** The machine's reply as playout sees it. */
function playoutReply({ reply }: TurnState): PlayoutReply | undefined {
  if (!reply) return undefined;
  const { turn, attempt, generation, done, played } = reply;
  const clauses = reply.clauses.map(({ status, samples }) => ({
    samples: status === 'waiting' || status === 'offered' ? undefined : samples,
  }));
  return { turn, attempt, generation, done, played, clauses };
}

/** Whether the next frames may end a turn, or confirm an interruption. */
function isDeciding({ utterance, reply }: TurnState): boolean {
  if (!utterance) return false;
  return !utterance.speaking || (reply !== null && !utterance.confirmed);
}

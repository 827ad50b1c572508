import { createHash, randomBytes } from 'node:crypto';
import type { Bus, SessionSnapshot } from '@parley/bus';
import {
  type ClientMessage,
  type Control,
  type Heartbeat,
  isSessionId,
  PROTOCOL_VERSION,
  type Pulse,
  type SessionId,
  type SessionReady,
  SettingsSchema,
  STAGES,
  type Stage,
  VoiceError,
} from '@parley/protocol';
import type { Clock, Logger } from '@parley/runtime';
import type { ClientLink } from './client-link.ts';
import type { GatewayMetrics } from './metrics.ts';
import { type OwnerLimits, type ResumePoint, SessionOwner } from './owner.ts';
import { initialState } from './turn-machine/state.ts';
import type { Verdict } from './watch.ts';

/** All sessions are served by one timer; this is the grain of pacing. */
const TICK_MS = 20;
/** Deadlines are refreshed well before they pass, and no more often than this. */
const REFRESHES_PER_GRACE = 4;
const LONGEST_REFRESH_MS = 2_000;
const PRESENCE_INTERVAL_MS = 500;

const STAGE_OF = { listen: 'stt', reply: 'llm', speak: 'tts' } as const satisfies Record<Verdict['stage'], Stage>;

type StartMessage = Extract<ClientMessage, { type: 'session.start' }>;
type ResumeMessage = Extract<ClientMessage, { type: 'session.resume' }>;

/** Takes the owner of the session that a connection opened. */
export type Adopt = (owner: SessionOwner) => void;

interface NewClient {
  readonly link: ClientLink;
  readonly adopt: Adopt;
  /** Set for a client that resumes. */
  readonly point?: ResumePoint;
  /** Set for a new session. */
  readonly token?: string;
}

const hash = (secret: string): string => createHash('sha256').update(secret).digest('base64url');

export interface OwnerRegistryOptions {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: GatewayMetrics;
  readonly limits: OwnerLimits & { readonly maxSessions: number };
}

/** The sessions this gateway owns, by id; hands them pulses, changes of owner, and time. */
export class OwnerRegistry {
  readonly #options: OwnerRegistryOptions;
  #owners = new Map<SessionId, SessionOwner>();
  /** Sessions being started or resumed; they count against the limit. */
  #opening = 0;
  #heartbeats = new Map<Stage, readonly Heartbeat[]>();
  #releases: (() => void | Promise<void>)[] = [];
  #draining = false;

  constructor(options: OwnerRegistryOptions) {
    this.#options = options;
  }

  /** Heartbeats of a stage's workers, half a second old at most. */
  workers(stage: Stage): readonly Heartbeat[] {
    return this.#heartbeats.get(stage) ?? [];
  }

  get size(): number {
    return this.#owners.size;
  }

  /** Subscribes to what concerns this gateway and starts the clock. */
  async open(): Promise<void> {
    const { bus } = this.#options;
    this.#releases.push(await bus.pulses.subscribe(bus.process.id, (pulse) => this.#onPulse(pulse)));
    this.#releases.push(await bus.control.subscribe((message) => this.#onControl(message)));
    await this.#refreshPresence();
    this.#every(PRESENCE_INTERVAL_MS, () => this.#refreshPresence());
    const refreshMs = Math.min(LONGEST_REFRESH_MS, this.#options.limits.graceMs / REFRESHES_PER_GRACE);
    this.#every(refreshMs, () => this.#refreshDeadlines());
    this.#startTicking();
  }

  /** Opens a new session for a client; `adopt` is given its owner before the client hears of it. Throws `session_limit`, `going_away`, `bad_settings` or `bus_unavailable`. */
  async start(message: StartMessage, keyHash: string, link: ClientLink, adopt: Adopt): Promise<void> {
    const parsed = SettingsSchema.safeParse(message.settings ?? {});
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      throw new VoiceError('bad_settings', `settings.${issue?.path.join('.')}: ${issue?.message}`, { public: true });
    }
    const settings = parsed.data;
    await this.#admit(async () => {
      const session = randomBytes(16).toString('base64url');
      const token = randomBytes(16).toString('base64url');
      const state = JSON.stringify(initialState(settings));
      const { bus, metrics } = this.#options;
      const snapshot = await bus.sessions.create({ session, tokenHash: hash(token), keyHash, settings, state });
      if (!snapshot.ok) throw new VoiceError('session_exists');
      metrics.sessionsStarted.inc();
      await this.#own(session, snapshot, { link, adopt, token });
    });
  }

  /** Takes a session over for a client that resumes it, from another gateway or from this one. */
  async resume(message: ResumeMessage, keyHash: string, link: ClientLink, adopt: Adopt): Promise<void> {
    const { session, token } = message;
    if (!isSessionId(session)) throw new VoiceError('session_unknown');
    const { bus, metrics } = this.#options;
    await this.#admit(async () => {
      const snapshot = await bus.sessions.resume({ session, tokenHash: hash(token), keyHash });
      if (!snapshot.ok) throw new VoiceError(snapshot.refusal === 'TOKEN' ? 'session_token' : 'session_unknown');
      this.#owners.get(session)?.moved();
      metrics.takeOvers.inc({ cause: 'resume' });
      await this.#own(session, snapshot, {
        link,
        adopt,
        point: { lastEvent: message.lastEvent, audio: message.audio },
      });
    });
  }

  /** Takes nothing new, and sends every client to another gateway. */
  async drain(): Promise<void> {
    this.#draining = true;
    await Promise.all([...this.#owners.values()].map((owner) => owner.handOver()));
  }

  async close(): Promise<void> {
    await this.drain();
    for (const release of this.#releases.reverse()) await release();
    this.#releases = [];
  }

  async #admit(open: () => Promise<void>): Promise<void> {
    if (this.#draining) throw new VoiceError('going_away');
    if (this.#owners.size + this.#opening >= this.#options.limits.maxSessions) {
      throw new VoiceError('session_limit', undefined, { retryAfterMs: 5_000 });
    }
    this.#opening += 1;
    try {
      await open();
    } finally {
      this.#opening -= 1;
    }
  }

  async #own(session: SessionId, snapshot: SessionSnapshot, client: NewClient): Promise<void> {
    const { link, point, token } = client;
    const { bus, limits, metrics } = this.#options;
    const owner = new SessionOwner({ ...this.#options, onGone: (gone) => this.#forget(gone) }, session, snapshot);
    this.#owners.set(session, owner);
    client.adopt(owner);
    metrics.sessions.set(this.#owners.size);
    const refreshed = bus.registry.refresh([{ session, deadlineMs: bus.redisNowMs() + limits.graceMs }]);
    const greet = async (complete: boolean): Promise<void> => {
      await refreshed;
      const ready: SessionReady = {
        type: 'session.ready',
        v: PROTOCOL_VERSION,
        session,
        ...(token === undefined ? {} : { token }),
        resumed: point !== undefined,
        epoch: owner.epoch,
        generation: owner.state.generation,
        settings: snapshot.settings,
        inputSample: snapshot.inputSample,
        ackedSample: snapshot.audioCursor,
        resumeBoundMs: limits.resumeBoundMs,
        graceMs: limits.graceMs,
        ...(complete
          ? {}
          : { snapshot: { history: await bus.registry.history(session), lastEvent: snapshot.eventCursor } }),
      };
      link.control(ready);
    };
    try {
      await owner.start(link, point, greet);
    } catch (error) {
      owner.fail(error);
    }
  }

  #forget(owner: SessionOwner): void {
    if (this.#owners.get(owner.session) !== owner) return;
    this.#owners.delete(owner.session);
    this.#options.metrics.sessions.set(this.#owners.size);
  }

  #onPulse(pulse: Pulse): void {
    for (const { session, fence, cursor } of pulse.sessions) this.#owners.get(session)?.listenerPulse(fence, cursor);
    for (const { session, work, try: number } of pulse.claims) this.#owners.get(session)?.claimPulse(work, number);
  }

  /** Another gateway owns one of ours, or somebody closed it. */
  #onControl(message: Control): void {
    const owner = this.#owners.get(message.session);
    if (!owner) return;
    if ('owner' in message && (message.owner !== this.#options.bus.process.id || message.epoch > owner.epoch)) {
      owner.moved();
    }
  }

  #startTicking(): void {
    const { clock } = this.#options;
    let lastMs = clock.nowMs();
    let cancel = () => {};
    const tick = (): void => {
      const nowMs = clock.nowMs();
      const elapsedMs = nowMs - lastMs;
      lastMs = nowMs;
      for (const owner of this.#owners.values()) owner.tick(nowMs, elapsedMs, (stage) => this.#pool(STAGE_OF[stage]));
      cancel = clock.setTimeout(tick, TICK_MS);
    };
    cancel = clock.setTimeout(tick, TICK_MS);
    this.#releases.push(() => cancel());
  }

  #pool(stage: Stage): 'none' | 'busy' | 'free' {
    const workers = this.workers(stage).filter(({ ready, draining }) => ready && !draining);
    if (workers.length === 0) return 'none';
    return workers.some(({ busy, slots }) => busy < slots) ? 'free' : 'busy';
  }

  async #refreshPresence(): Promise<void> {
    await Promise.all(
      STAGES.map(async (stage) => {
        this.#heartbeats.set(stage, await this.#options.bus.presence.list(stage));
      }),
    );
  }

  async #refreshDeadlines(): Promise<void> {
    const { bus, limits } = this.#options;
    const deadlineMs = bus.redisNowMs() + limits.graceMs;
    const attached = [...this.#owners.values()].filter(({ hasClient }) => hasClient);
    if (attached.length > 0) await bus.registry.refresh(attached.map(({ session }) => ({ session, deadlineMs })));
  }

  /** Does something again and again, one at a time; a failure is left to the next time. */
  #every(ms: number, work: () => Promise<void>): void {
    const { clock, logger } = this.#options;
    let cancel = () => {};
    let stopped = false;
    const run = async (): Promise<void> => {
      try {
        await work();
      } catch (err) {
        logger.debug({ err }, 'a recurring task failed');
      }
      if (!stopped) cancel = clock.setTimeout(() => void run(), ms);
    };
    cancel = clock.setTimeout(() => void run(), ms);
    this.#releases.push(() => {
      stopped = true;
      cancel();
    });
  }
}

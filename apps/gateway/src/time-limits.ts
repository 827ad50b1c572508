import type { Bus } from '@parley/bus';
import { type EventId, type SessionEvent, VoiceError } from '@parley/protocol';
import type { Clock, Logger } from '@parley/runtime';
import type { ClientLink } from './client-link.ts';
import type { Reign } from './reign.ts';
import { runningTimer, type TurnState } from './turn-machine/index.ts';
import type { Uplink } from './uplink.ts';

/** A client that sends no audio for so long while its user is being heard is taken at its word: nothing is being said. */
const MUTED_MS = 2_000;

export interface TimeLimitsOptions {
  readonly bus: Pick<Bus, 'redisNowMs'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly reign: Pick<Reign, 'append' | 'report'>;
  readonly uplink: Pick<Uplink, 'idleMs' | 'flush'>;
  /** When the session began, in Redis TIME. */
  readonly created: number;
  readonly limits: { readonly idleTimeoutMs: number; readonly maxSessionMs: number };
  /** The client, if one is there, hears why its session is closed. */
  readonly link: () => ClientLink | undefined;
}

/**
 * What happens to a session because time has passed: each is written into the log as an event, and the turn machine
 * decides what follows.
 */
export class TimeLimits {
  readonly #options: TimeLimitsOptions;
  readonly #createdAtMs: number;
  #lastActivityMs: number;
  /** The timer that was written into the log, by the event that set it. */
  #firedSince: EventId | undefined;
  /** The utterance that was ended because no audio came. */
  #mutedUtterance: number | undefined;

  constructor(options: TimeLimitsOptions) {
    this.#options = options;
    const nowMs = options.clock.nowMs();
    this.#lastActivityMs = nowMs;
    this.#createdAtMs = nowMs - Math.max(0, options.bus.redisNowMs() - options.created);
  }

  /** The client did something. */
  active(): void {
    this.#lastActivityMs = this.#options.clock.nowMs();
  }

  /** An event was folded: the session is not idle while somebody speaks or is spoken to. */
  observe({ type }: SessionEvent): void {
    switch (type) {
      case 'speech.started':
      case 'speech.stopped':
      case 'turn.ended':
      case 'playback':
        this.active();
        break;
      default:
    }
  }

  /** Closes a session that is idle or has lasted too long, and ends what a muted client was saying. */
  enforce(state: TurnState, nowMs: number): void {
    this.#endOverdue(state, nowMs);
    this.#endMuted(state, nowMs);
  }

  /** Writes the timer that is due into the log, once. */
  fireTimer(state: TurnState): void {
    const { bus, reign, logger } = this.#options;
    const timer = runningTimer(state);
    if (!timer || timer.since === this.#firedSince || bus.redisNowMs() < timer.atMs) return;
    this.#firedSince = timer.since;
    reign.append([{ type: 'timer.fired', name: timer.name, since: timer.since }]).catch((err: unknown) => {
      logger.debug({ err }, 'a timer could not be written; it fires again');
      this.#firedSince = undefined;
    });
  }

  #endOverdue({ reply, utterance }: TurnState, nowMs: number): void {
    const { limits, link, reign } = this.#options;
    if (reply || utterance) this.#lastActivityMs = nowMs;
    const code =
      nowMs - this.#createdAtMs > limits.maxSessionMs
        ? 'session_too_long'
        : nowMs - this.#lastActivityMs > limits.idleTimeoutMs
          ? 'idle_timeout'
          : undefined;
    if (!code) return;
    link()?.control({ type: 'error', fatal: true, ...new VoiceError(code).toWire() });
    this.#lastActivityMs = nowMs;
    void reign.report({ type: 'input.close', reason: code });
  }

  /** A listener counts samples, and waits for ever for the silence that a muted client does not send. */
  #endMuted({ utterance, settings }: TurnState, nowMs: number): void {
    const { uplink, reign } = this.#options;
    if (!utterance || settings.turnDetection === 'manual' || this.#mutedUtterance === utterance.number) return;
    if (uplink.idleMs(nowMs) < MUTED_MS) return;
    this.#mutedUtterance = utterance.number;
    uplink.flush();
    void reign.report({ type: 'input.commit' });
  }
}

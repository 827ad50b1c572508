import type { Bus } from '@parley/bus';
import type { NewEvent, SessionId } from '@parley/protocol';
import type { Clock, Logger } from '@parley/runtime';

/** An owner that was stopped or cut off from Redis for longer may have a successor, and asks before it says more. */
export const STALL_MS = 500;
/** Nothing is certain any more when Redis has been out of reach this long: somebody else may be the owner. */
const REDIS_SILENCE_MS = 1_000;

export interface ReignOptions {
  readonly session: SessionId;
  readonly epoch: number;
  readonly bus: Pick<Bus, 'sessions'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Redis refused a write: somebody else owns the session, or it is closed. */
  readonly onRefused: (refusal: string) => void;
}

/**
 * An owner's right to its session: what it writes is written under its epoch, and after a stall, or without Redis, it is
 * not certain that it has no successor.
 */
export class Reign {
  readonly #options: ReignOptions;
  #redisSeenMs: number;
  #verifying = false;

  constructor(options: ReignOptions) {
    this.#options = options;
    this.#redisSeenMs = options.clock.nowMs();
  }

  /** Whether the session is surely still ours, so that its reply audio is not played twice. */
  isCertain(nowMs: number): boolean {
    return !this.#verifying && nowMs - this.#redisSeenMs <= REDIS_SILENCE_MS;
  }

  /** Lets time pass. After a stall Redis is asked whether the session is still ours, before anything more is said. */
  tick(nowMs: number, elapsedMs: number, isConnected: boolean): void {
    if (isConnected) this.#redisSeenMs = nowMs;
    if (elapsedMs > STALL_MS) void this.#verify();
  }

  /** Writes events under our epoch; without any it only asks whether the session is still ours. */
  async append(events: readonly NewEvent[]): Promise<void> {
    const { session, epoch, bus, onRefused } = this.#options;
    const result = await bus.sessions.append({ session, events, holder: { kind: 'owner', epoch } });
    if (!result.ok) onRefused(result.refusal);
  }

  /** Writes an event that is not worth failing for: the next one says more. */
  async report(event: NewEvent): Promise<void> {
    try {
      await this.append([event]);
    } catch (err) {
      this.#options.logger.debug({ err, eventType: event.type }, 'an event could not be written');
    }
  }

  async #verify(): Promise<void> {
    if (this.#verifying) return;
    this.#verifying = true;
    try {
      await this.append([]);
    } catch (err) {
      this.#options.logger.debug({ err }, 'ownership could not be verified');
    } finally {
      this.#verifying = false;
    }
  }
}

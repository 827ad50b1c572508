import type { Clock } from '@parley/runtime';
import type { RedisConnection } from './redis-connection.ts';

const SAMPLES = 5;
const REFRESH_MS = 30_000;

/**
 * Redis TIME as seen from here: the local monotonic clock and an offset, taken from the quickest of a few round trips,
 * so that it is wrong by at most half of that one.
 */
export class RedisTime {
  readonly #commands: RedisConnection;
  readonly #clock: Clock;
  #offsetMs = 0;
  #cancel = (): void => {};
  #closed = false;

  constructor(commands: RedisConnection, clock: Clock) {
    this.#commands = commands;
    this.#clock = clock;
  }

  nowMs(): number {
    return this.#clock.nowMs() + this.#offsetMs;
  }

  /** Measures now, and from then on every 30 s. A measurement that fails leaves the offset as it is. */
  async refresh(): Promise<void> {
    this.#cancel();
    let bestMs = Number.POSITIVE_INFINITY;
    for (let i = 0; i < SAMPLES; i += 1) {
      const startedMs = this.#clock.nowMs();
      const time = await this.#commands.run((redis) => redis.time()).catch(() => undefined);
      if (!time) break;
      const tripMs = this.#clock.nowMs() - startedMs;
      if (tripMs >= bestMs) continue;
      bestMs = tripMs;
      this.#offsetMs = Number(time[0]) * 1_000 + Number(time[1]) / 1_000 - (startedMs + tripMs / 2);
    }
    this.#cancel();
    if (!this.#closed) this.#cancel = this.#clock.setTimeout(() => void this.refresh(), REFRESH_MS);
  }

  close(): void {
    this.#closed = true;
    this.#cancel();
  }
}

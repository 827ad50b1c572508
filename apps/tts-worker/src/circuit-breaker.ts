import { type Backoff, backoff, type Clock } from '@parley/runtime';

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

/**
 * Keeps work away from something that fails.
 *
 * - closed: everything is let through; a failure opens it.
 * - open: nothing is let through until the pause is over; then one piece of work is, as a trial, and the next only after
 *   another such pause, unless the trial succeeds and closes it. A trial that fails makes the pause longer.
 *
 * Work that was let through together often fails together: `letThrough` answers with a round, and only the first failure
 * of each round counts.
 */
export class CircuitBreaker {
  readonly #clock: Clock;
  readonly #pauses: Backoff = backoff({ initialMs: FIRST_PAUSE_MS, maxMs: LONGEST_PAUSE_MS });
  #round = 1;
  #pauseMs: number | undefined;
  #openUntilMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isOpen(): boolean {
    return this.#pauseMs !== undefined;
  }

  /** The round in which this piece of work is let through, or undefined. Ask once for each. */
  letThrough(): number | undefined {
    if (this.#pauseMs === undefined) return this.#round;
    const nowMs = this.#clock.nowMs();
    if (nowMs < this.#openUntilMs) return undefined;
    this.#openUntilMs = nowMs + this.#pauseMs;
    return this.#round;
  }

  succeeded(): void {
    this.#pauseMs = undefined;
    this.#pauses.reset();
  }

  /** Without a round, what was tried although it was not let through: that counts for nothing. */
  failed(round: number | undefined): void {
    if (round !== this.#round) return;
    this.#round += 1;
    this.#pauseMs = this.#pauses.next();
    this.#openUntilMs = this.#clock.nowMs() + this.#pauseMs;
  }
}

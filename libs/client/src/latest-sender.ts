import type { Clock } from './clock.ts';

/** Passes values on at most once an interval. Of those that come faster only the newest goes out, but that one always. */
export class LatestSender<T> {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #send: (value: T) => void;
  #waiting: { readonly value: T } | undefined;
  #sentAtMs = Number.NEGATIVE_INFINITY;
  #cancelTimer: (() => void) | undefined;

  constructor(clock: Clock, intervalMs: number, send: (value: T) => void) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
    this.#send = send;
  }

  push(value: T): void {
    this.#waiting = { value };
    if (this.#cancelTimer) return;
    const waitMs = this.#sentAtMs + this.#intervalMs - this.#clock.nowMs();
    if (waitMs <= 0) this.flush();
    else this.#cancelTimer = this.#clock.setTimeout(() => this.flush(), waitMs);
  }

  /** Sends what waits, now. */
  flush(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const waiting = this.#waiting;
    if (!waiting) return;
    this.#waiting = undefined;
    this.#sentAtMs = this.#clock.nowMs();
    this.#send(waiting.value);
  }

  /** Drops what waits. */
  close(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#waiting = undefined;
  }
}

/** Delays between attempts to connect: each twice the one before, up to a bound, less a random part of up to a half. */
export class Backoff {
  readonly #initialMs: number;
  readonly #maxMs: number;
  #nextMs: number;

  constructor(initialMs: number, maxMs: number) {
    this.#initialMs = initialMs;
    this.#maxMs = maxMs;
    this.#nextMs = initialMs;
  }

  next(): number {
    const ms = this.#nextMs * (1 - Math.random() / 2);
    this.#nextMs = Math.min(this.#maxMs, this.#nextMs * 2);
    return ms;
  }

  reset(): void {
    this.#nextMs = this.#initialMs;
  }
}

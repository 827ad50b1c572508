/** Share of the newest measurement in a smoothed one. */
const WEIGHT = 0.2;

/** How busy a worker is, smoothed, as its heartbeat tells it. */
export class Load {
  readonly slots: number;
  #busy = 0;
  #firstResultMs: number | undefined;
  #workMs: number | undefined;

  constructor(slots: number) {
    this.slots = slots;
  }

  get busy(): number {
    return this.#busy;
  }

  /** Time from claim to first result; 0 until one has been measured. */
  get latencyMs(): number {
    return Math.round(this.#firstResultMs ?? 0);
  }

  /**
   * How long a job offered now would wait for a slot: none while one is free, else the time after which the first of
   * all slots becomes free, on average. What waits in the queue already is the reader's to add.
   */
  get predictedWaitMs(): number {
    if (this.#busy < this.slots) return 0;
    return Math.round((this.#workMs ?? 0) / Math.max(1, this.slots));
  }

  started(): void {
    this.#busy += 1;
  }

  firstResult(afterMs: number): void {
    this.#firstResultMs = smooth(this.#firstResultMs, afterMs);
  }

  ended(afterMs: number): void {
    this.#busy -= 1;
    this.#workMs = smooth(this.#workMs, afterMs);
  }
}

function smooth(previous: number | undefined, value: number): number {
  return previous === undefined ? value : previous + WEIGHT * (value - previous);
}

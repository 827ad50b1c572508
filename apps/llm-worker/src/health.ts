import { backoff, type Clock, linkSignals } from '@parley/runtime';

const PROBE_WAITS = { initialMs: 1_000, maxMs: 30_000 } as const;

export interface HealthOptions {
  readonly clock: Clock;
  /** Asks the sick one for a sign of life; throws where there is none. */
  probe(signal: AbortSignal): Promise<void>;
  readonly probeLimitMs: number;
  onChange?(isHealthy: boolean): void;
}

/**
 * Whether something that answers requests can be trusted with the next one.
 *
 * healthy ─ failed() → sick ─ a wait, a probe that is answered, or succeeded() → healthy
 *
 * Probes are made in the background, so that nobody's turn is spent on finding out. The waits before them grow from
 * failure to failure and start again only when real work has succeeded: an answered probe proves little.
 */
export class Health {
  readonly #options: HealthOptions;
  readonly #waits = backoff(PROBE_WAITS);
  readonly #closed = new AbortController();
  #isHealthy = true;
  #cancelWait: (() => void) | undefined;

  constructor(options: HealthOptions) {
    this.#options = options;
  }

  get isHealthy(): boolean {
    return this.#isHealthy;
  }

  succeeded(): void {
    this.#waits.reset();
    this.#becomeHealthy();
  }

  failed(): void {
    if (!this.#isHealthy || this.#closed.signal.aborted) return;
    this.#isHealthy = false;
    this.#options.onChange?.(false);
    this.#probeLater();
  }

  close(): void {
    this.#closed.abort();
    this.#cancelWait?.();
  }

  #becomeHealthy(): void {
    if (this.#isHealthy) return;
    this.#cancelWait?.();
    this.#isHealthy = true;
    this.#options.onChange?.(true);
  }

  #probeLater(): void {
    this.#cancelWait = this.#options.clock.setTimeout(() => {
      this.#probe().then(
        () => this.#becomeHealthy(),
        () => {
          if (!this.#isHealthy && !this.#closed.signal.aborted) this.#probeLater();
        },
      );
    }, this.#waits.next());
  }

  async #probe(): Promise<void> {
    const { clock, probe, probeLimitMs } = this.#options;
    const limited = linkSignals(this.#closed.signal);
    const cancel = clock.setTimeout(() => limited.abort(new Error('the probe was not answered')), probeLimitMs);
    try {
      await probe(limited.signal);
    } finally {
      cancel();
      limited.release();
    }
  }
}

import { linkSignals } from '@parley/runtime';
import type { ChildSpec } from './child.ts';
import type { StartError } from './start-error.ts';
import type { Supervisor } from './supervisor.ts';

type Settings = Readonly<Record<string, string>>;

export interface WorkerPoolOptions {
  /** The processes to run with these settings, numbered from there. */
  readonly specs: (env: Settings, from: number) => readonly ChildSpec[];
  readonly supervise: (onFatal: (error: StartError) => void) => Supervisor;
  /** Told when workers that were started cannot be helped by a restart. */
  readonly onFatal: (error: StartError) => void;
  /** Resolves when each of these processes serves, rejects when that takes too long. */
  readonly untilServing: (pids: () => readonly (number | undefined)[], signal: AbortSignal) => Promise<void>;
  /** What a worker that is replaced may take to hand over its work. */
  readonly handOverMs: number;
}

/** The workers of one stage, which others can replace without a moment in which nobody serves. */
export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  /** All that run, those that leave too. */
  readonly #generations = new Set<Supervisor>();
  #current: Supervisor | undefined;
  #started = 0;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
  }

  /** Starts workers with these settings. */
  start(env: Settings = {}): void {
    this.#current = this.#begin(env, this.#options.onFatal);
  }

  /**
   * Starts workers with these settings, waits until they serve, and sends those away that there were before, if any. When
   * the new ones do not come to serve it is they that are sent away, and this rejects. One call at a time.
   */
  async replace(env: Settings, signal: AbortSignal): Promise<void> {
    const waiting = linkSignals(signal);
    const next = this.#begin(env, (error) => {
      if (this.#current === next) this.#options.onFatal(error);
      else waiting.abort(error);
    });
    try {
      await this.#options.untilServing(() => next.pids, waiting.signal);
    } catch (error) {
      // Otherwise everything is about to be stopped together.
      if (!signal.aborted) await this.#end(next, this.#options.handOverMs);
      throw error;
    } finally {
      waiting.release();
    }
    const before = this.#current;
    this.#current = next;
    if (before !== undefined) await this.#end(before, this.#options.handOverMs);
  }

  /** Ends all of them. */
  async stop(graceMs: number): Promise<void> {
    await Promise.all([...this.#generations].map((generation) => this.#end(generation, graceMs)));
  }

  #begin(env: Settings, onFatal: (error: StartError) => void): Supervisor {
    const supervisor = this.#options.supervise(onFatal);
    this.#generations.add(supervisor);
    const specs = this.#options.specs(env, this.#started + 1);
    this.#started += specs.length;
    for (const spec of specs) supervisor.add(spec);
    return supervisor;
  }

  async #end(generation: Supervisor, graceMs: number): Promise<void> {
    await generation.stop(graceMs);
    this.#generations.delete(generation);
  }
}

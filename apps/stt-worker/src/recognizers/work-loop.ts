/** Turns of the event loop without a message after which nothing seems to be on its way; a large one takes several. */
const QUIET_TURNS = 4;
/** Longer than this no work waits for messages. */
const MAX_TAKE_IN_MS = 30;

/**
 * Does pieces of work, one at a time, in a thread or process that is told what to do by messages. Before each piece it
 * takes in what has been sent meanwhile, so that nothing is computed that is no longer wanted.
 */
export class WorkLoop {
  readonly #work: () => boolean;
  #isScheduled = false;
  #quietTurns = 0;
  #idleSinceMs = 0;

  /** `work` does one piece, and answers whether it did any. */
  constructor(work: () => boolean) {
    this.#work = work;
  }

  /** To be called with every message. */
  wake(): void {
    this.#quietTurns = 0;
    if (!this.#isScheduled) this.#begin();
  }

  #begin(): void {
    this.#isScheduled = true;
    this.#quietTurns = 0;
    this.#idleSinceMs = performance.now();
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    this.#quietTurns += 1;
    if (this.#quietTurns < QUIET_TURNS && performance.now() - this.#idleSinceMs < MAX_TAKE_IN_MS) {
      setImmediate(() => this.#turn());
      return;
    }
    this.#isScheduled = false;
    if (this.#work()) this.#begin();
  }
}

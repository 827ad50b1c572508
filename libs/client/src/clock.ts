/** Time as the SDK sees it. A test moves it by hand. */
export interface Clock {
  /** Monotonic milliseconds. */
  nowMs(): number;
  /** Calls `fn` once after `ms`, and returns what cancels it. */
  setTimeout(fn: () => void, ms: number): () => void;
}

/** The clock of the machine. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  setTimeout: (fn, ms) => {
    const timer = setTimeout(fn, ms);
    return () => clearTimeout(timer);
  },
};

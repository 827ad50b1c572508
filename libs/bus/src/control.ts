import type { Control } from '@parley/protocol';

/** Cancels, changes of owner and closed sessions, from owners to all workers. */
export interface ControlLane {
  publish(message: Control): Promise<void>;
  /** Returns the function that ends the subscription. */
  subscribe(handler: (message: Control) => void): Promise<() => Promise<void>>;
}

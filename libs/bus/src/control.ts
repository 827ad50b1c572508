import { CONTROL_CHANNEL, type Control, ControlSchema } from '@parley/protocol';
import { createLane, type LaneContext } from './lane.ts';

/** Cancels, changes of owner and closed sessions, from owners to all workers. */
export interface ControlLane {
  publish(message: Control): Promise<void>;
  /** Returns the function that ends the subscription. */
  subscribe(handler: (message: Control) => void): Promise<() => Promise<void>>;
}

export function createControlLane(context: LaneContext): ControlLane {
  const lane = createLane('control', ControlSchema, context);
  return {
    publish: (message) => lane.publish(CONTROL_CHANNEL, message),
    subscribe: (handler) => lane.subscribe(CONTROL_CHANNEL, handler),
  };
}

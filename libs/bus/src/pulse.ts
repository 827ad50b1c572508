import type { Pulse } from '@parley/protocol';

/** "Alive and holding", from workers to the gateway that owns the sessions they work for. */
export interface PulseLane {
  publish(gatewayId: string, pulse: Pulse): Promise<void>;
  /** Returns the function that ends the subscription. */
  subscribe(gatewayId: string, handler: (pulse: Pulse) => void): Promise<() => Promise<void>>;
}

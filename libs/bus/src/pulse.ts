import { type Pulse, PulseSchema, pulseChannel } from '@parley/protocol';
import { createLane, type LaneContext } from './lane.ts';

/** "Alive and holding", from workers to the gateway that owns the sessions they work for. */
export interface PulseLane {
  publish(gatewayId: string, pulse: Pulse): Promise<void>;
  /** Returns the function that ends the subscription. */
  subscribe(gatewayId: string, handler: (pulse: Pulse) => void): Promise<() => Promise<void>>;
}

export function createPulseLane(context: LaneContext): PulseLane {
  const lane = createLane('pulse', PulseSchema, context);
  return {
    publish: (gatewayId, pulse) => lane.publish(pulseChannel(gatewayId), pulse),
    subscribe: (gatewayId, handler) => lane.subscribe(pulseChannel(gatewayId), handler),
  };
}

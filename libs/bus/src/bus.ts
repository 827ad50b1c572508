import type { ProcessRef } from '@parley/protocol';
import type { Clock, Logger, Metrics } from '@parley/runtime';
import type { AudioIn } from './audio-in.ts';
import type { AudioOut } from './audio-out.ts';
import type { ControlLane } from './control.ts';
import type { Presence } from './presence.ts';
import type { PulseLane } from './pulse.ts';
import type { SessionRegistry } from './registry.ts';
import type { SessionLog } from './session-log.ts';
import type { SessionScripts } from './sessions.ts';
import type { WorkQueues } from './work-queue.ts';

/** Everything that a process does with Redis. Trouble with the connection rejects with `bus_unavailable`. */
export interface Bus {
  readonly process: ProcessRef;
  /** The command connection is usable right now. Nothing is queued while it is not. */
  readonly connected: boolean;
  /** Called on every change; after a reconnect, once the subscriptions stand again. Returns the way to stop it. */
  onConnection(listener: (connected: boolean) => void): () => void;
  /** Redis TIME in ms, estimated from the local monotonic clock. */
  redisNowMs(): number;
  /** Round trip of a PING in ms. */
  ping(): Promise<number>;
  readonly sessions: SessionScripts;
  readonly log: SessionLog;
  readonly audioIn: AudioIn;
  readonly audioOut: AudioOut;
  readonly queues: WorkQueues;
  readonly control: ControlLane;
  readonly pulses: PulseLane;
  readonly presence: Presence;
  readonly registry: SessionRegistry;
  close(): Promise<void>;
}

export interface BusOptions {
  /** `redis://`, `rediss://` or `unix:///path`. */
  readonly url: string;
  readonly process: ProcessRef;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly clock?: Clock;
  /** After this a command rejects with `bus_unavailable`. */
  readonly commandTimeoutMs?: number;
}

/** Opens the connections of one process; rejects at once when Redis cannot be reached. */
export declare function connectBus(options: BusOptions): Promise<Bus>;

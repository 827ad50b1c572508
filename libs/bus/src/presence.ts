import type { Heartbeat, Stage } from '@parley/protocol';

/** Heartbeats of all processes. */
export interface Presence {
  /** Writes the heartbeat every 500 ms, to live 2 s, until stopped; `update` writes at once. */
  announce(current: () => Heartbeat): Promise<Announcement>;
  /** The fresh heartbeats of a stage. */
  list(stage: Stage | 'gateway'): Promise<Heartbeat[]>;
}

export interface Announcement {
  update(): Promise<void>;
  /** Removes the heartbeat. */
  stop(): Promise<void>;
}

import type { SessionId } from '@parley/protocol';

/** One entry of reply audio. */
export interface OutEntry {
  /** Id of the entry in the stream. */
  readonly entry: string;
  readonly turn: number;
  readonly attempt: number;
  readonly clause: number;
  /** Counted from the clause's first sample, at the session's output rate. */
  readonly startSample: number;
  /** The clause ends with this entry. */
  readonly last: boolean;
  readonly pcm: Uint8Array;
}

/** Reply audio of a session, added by `append`. */
export interface AudioOut {
  /** Entries after `afterEntry` (`0` for all), at most `count` (default 64). */
  read(session: SessionId, afterEntry: string, count?: number): Promise<OutEntry[]>;
}

import type { WireError } from './errors.ts';
import type { NewEvent } from './events.ts';
import type { EventId, Reply, SessionId } from './ids.ts';
import type { HistoryMessage } from './session-data.ts';
import type { Settings } from './settings.ts';

/** Answer to `session.start` and `session.resume`. */
export interface SessionReady {
  readonly type: 'session.ready';
  readonly v: number;
  readonly session: SessionId;
  /** Secret that resumes the session; only in the answer to `session.start`. */
  readonly token?: string;
  readonly resumed: boolean;
  readonly epoch: number;
  readonly generation: number;
  readonly settings: Settings;
  /** The first sample of user audio the server lacks; audio is to be sent (again) from here. */
  readonly inputSample: number;
  /** User audio up to this sample is settled and need not be kept. */
  readonly ackedSample: number;
  /** Greatest amount of unacknowledged user audio a client keeps for a resume. */
  readonly resumeBoundMs: number;
  /** How long the session waits for a client that has gone. */
  readonly graceMs: number;
  /** Set where the missed events were too old to be sent again: what was said so far. */
  readonly snapshot?: { readonly history: readonly HistoryMessage[]; readonly lastEvent: EventId };
}

/** A client-visible event of the session's log. `turn` and `generation` are added by the gateway. */
export type ServerEvent = NewEvent & {
  readonly id: EventId;
  readonly at: number;
  readonly turn?: number;
  readonly generation: number;
};

/** Messages that are not in the log and so have no id. */
export type ServerControl =
  | SessionReady
  /** User audio up to this sample is settled. Sent at least every 250 ms, so that silence means a dead connection. */
  | { readonly type: 'audio.ack'; readonly sample: number }
  /** Lower the reply's volume: somebody may be speaking. */
  | { readonly type: 'audio.duck'; readonly generation: number }
  /** Bring the volume back: nobody was. */
  | { readonly type: 'audio.restore'; readonly generation: number }
  /** Stop playing and drop all audio of generations below this one. */
  | { readonly type: 'audio.stop'; readonly generation: number; readonly reply?: Reply }
  /** A failure; `fatal` ones are followed by the close of the connection. */
  | ({ readonly type: 'error'; readonly fatal: boolean } & WireError);

export type ServerMessage = ServerEvent | ServerControl;

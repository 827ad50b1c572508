import type {
  EventId,
  HearingState,
  HistoryMessage,
  NewEvent,
  ProcessRef,
  Reply,
  SessionId,
  Settings,
  WorkRef,
} from '@parley/protocol';

/** A script's refusal. It is a value, not an exception: being refused is how a process learns that it was replaced. */
export type Refused<R extends string> = { readonly ok: false; readonly refusal: R };

/** Everything a gateway needs to carry a session on, as answered by `own`. */
export interface SessionSnapshot {
  readonly ok: true;
  readonly epoch: number;
  /** Id of the `session.moved` that this take-over wrote. */
  readonly movedEvent: EventId;
  /** The turn machine's state, opaque to the bus. */
  readonly state: string;
  /** The last event folded into the state. */
  readonly eventCursor: EventId;
  readonly settings: Settings;
  readonly generation: number;
  readonly listener?: ProcessRef & { readonly fence: string };
  readonly audioCursor: number;
  readonly hearing: HearingState;
  /** End sample of the newest entry ever added to `in`, 0 when none was. */
  readonly inputSample: number;
  /** Commands decided but not yet in a queue, by command id. */
  readonly outbox: ReadonlyMap<string, string>;
  /** Redis TIME (ms) at which the session was created. */
  readonly created: number;
  readonly previousOwner?: ProcessRef;
}

export interface WorkCreate {
  readonly ref: WorkRef;
  /** JSON, opaque to the bus; handed to whoever claims the item. */
  readonly input: string;
  readonly resumeAt?: number;
}

/** One step of the turn machine: all of it is written, or nothing. */
export interface CommitRequest {
  readonly session: SessionId;
  readonly epoch: number;
  /** The cursor this step started from. */
  readonly expectedCursor: EventId;
  readonly cursor: EventId;
  readonly state: string;
  readonly generation: number;
  readonly settings?: Settings;
  readonly events?: readonly NewEvent[];
  /** Appends to the history, or replaces the message at an index counted from the start. */
  readonly history?: readonly (
    | { readonly push: HistoryMessage }
    | { readonly set: number; readonly message: HistoryMessage }
  )[];
  readonly work?: {
    readonly create?: readonly WorkCreate[];
    /** Marks the reply's item and those of all its clauses, also ones created in the same step. */
    readonly cancel?: readonly Reply[];
    /** Takes the item from its holder and opens it for another try. */
    readonly raiseTry?: readonly { readonly ref: WorkRef; readonly try: number; readonly input?: string }[];
    /** Removes the items of all turns below this one. */
    readonly dropTurnsBefore?: number;
  };
  readonly outbox?: Readonly<Record<string, string>>;
  readonly outboxDone?: readonly string[];
  /** Passes over an utterance given up; goes with `hearing`. */
  readonly audioCursor?: number;
  readonly hearing?: HearingState;
  /** Oldest event to keep; the log is capped at 10 000 besides. */
  readonly trimEvents?: EventId;
  /** Oldest entry of `out` to keep. */
  readonly trimOut?: string;
  /** The events are still published, then every key of the session is deleted. */
  readonly close?: boolean;
}

/** Events, and the cursor they settle, by whoever holds the lease, the claim or the session itself. */
export type AppendRequest = { readonly session: SessionId; readonly events: readonly NewEvent[] } & (
  | {
      readonly holder: { readonly kind: 'listener'; readonly fence: string };
      readonly audioCursor?: number;
      readonly hearing?: HearingState;
    }
  | {
      readonly holder: { readonly kind: 'work'; readonly ref: WorkRef; readonly fence: string };
      readonly resumeAt?: number;
      readonly done?: boolean;
      /** Speech of the claimed clause, added to `out`. */
      readonly pcm?: {
        readonly clause: number;
        readonly startSample: number;
        readonly bytes: Uint8Array;
        readonly last: boolean;
      };
    }
  | { readonly holder: { readonly kind: 'owner'; readonly epoch: number } }
);

/** What events were given as ids, in order. */
export interface Appended {
  readonly ok: true;
  readonly ids: readonly EventId[];
}

/** A lease to hear a session. */
export interface Lease {
  readonly ok: true;
  readonly fence: string;
  readonly audioCursor: number;
  readonly hearing: HearingState;
  /** Id of the gateway that owns the session. */
  readonly owner: string;
  readonly epoch: number;
  readonly settings: Settings;
  /** Id of the `lease.moved` that this wrote: events from here on concern the new listener. */
  readonly eventCursorAtAcquire: EventId;
}

/** The right to do one reply or one clause. */
export interface Claim {
  readonly ok: true;
  readonly fence: string;
  /** How far earlier tries have got. */
  readonly resumeAt: number;
  readonly input: string;
  /** Id of the gateway that owns the session. */
  readonly owner: string;
  readonly epoch: number;
  readonly settings: Settings;
}

/** The five scripts: the only way in which a session's keys are written, its audio apart. */
export interface SessionScripts {
  create(request: {
    session: SessionId;
    tokenHash: string;
    keyHash: string;
    settings: Settings;
    state: string;
  }): Promise<SessionSnapshot | Refused<'EXISTS'>>;
  /** With `tokenHash: null` a gateway takes the session over by itself (sweeper, reload after `CURSOR`). */
  resume(request: {
    session: SessionId;
    tokenHash: string | null;
    keyHash: string | null;
  }): Promise<SessionSnapshot | Refused<'NOSESSION' | 'TOKEN'>>;
  commit(request: CommitRequest): Promise<Appended | Refused<'NOTOWNER' | 'CURSOR' | 'CLOSED'>>;
  acquire(request: { session: SessionId; expect: string }): Promise<Lease | Refused<'STALE' | 'CLOSED'>>;
  append(request: AppendRequest): Promise<Appended | Refused<'FENCED' | 'CANCELLED' | 'CLOSED' | 'NOTOWNER'>>;
  claim(request: {
    session: SessionId;
    ref: WorkRef;
    try: number;
  }): Promise<Claim | Refused<'STALE' | 'DONE' | 'TAKEN' | 'CLOSED'>>;
}

import type { EventId, HearingState, HistoryMessage, ProcessRef, SessionId } from '@parley/protocol';

/** All sessions of the cell by deadline, and a look into one. */
export interface SessionRegistry {
  /** Moves the deadlines (Redis TIME, ms) of many sessions at once. */
  refresh(entries: readonly { readonly session: SessionId; readonly deadlineMs: number }[]): Promise<void>;
  remove(session: SessionId): Promise<void>;
  /** Sessions whose deadline is before `nowMs`, the oldest first. */
  expired(nowMs: number, limit: number): Promise<SessionId[]>;
  count(): Promise<number>;
  /** The sweeper's lock: true when `holder` has it for the next `ttlMs`. */
  lock(holder: string, ttlMs: number): Promise<boolean>;
  /** The newest `lastN` messages of a session (default all), the oldest first. */
  history(session: SessionId, lastN?: number): Promise<HistoryMessage[]>;
  inspect(session: SessionId): Promise<SessionInspection | undefined>;
}

/** What an operator sees of a session. */
export interface SessionInspection {
  readonly epoch: number;
  readonly owner: ProcessRef;
  readonly listener?: ProcessRef & { readonly fence: string };
  readonly eventCursor: EventId;
  readonly audioCursor: number;
  readonly inputSample: number;
  readonly generation: number;
  readonly hearing: HearingState;
  readonly work: readonly WorkInspection[];
}

export interface WorkInspection {
  /** As made by `workKey`. */
  readonly key: string;
  readonly try: number;
  readonly fence?: string;
  readonly holder?: ProcessRef;
  readonly resumeAt: number;
  readonly done: boolean;
  readonly cancelled: boolean;
}

import type { EventId, SessionEvent, SessionId } from '@parley/protocol';

/** The log of a session: live by pub/sub, replayed by id, holes closed, duplicates dropped. */
export interface SessionLog {
  /**
   * Delivers the events after `after` in log order, each once, until the subscription is closed. The handler is called
   * synchronously. Events that this reader does not understand are skipped and counted, and `lastId` moves over them.
   * `onGap` is called when events after `after` have been trimmed away.
   */
  follow(
    session: SessionId,
    after: EventId,
    handler: (event: SessionEvent) => void,
    onGap?: () => void,
  ): Promise<LogSubscription>;
  /** At most `limit` (default 1 000) events after `after`. */
  read(session: SessionId, after: EventId, limit?: number): Promise<SessionEvent[]>;
  /** Oldest id still in the log. */
  firstId(session: SessionId): Promise<EventId | undefined>;
}

export interface LogSubscription {
  /** Id of the newest event passed, understood or not. */
  readonly lastId: EventId;
  close(): Promise<void>;
}

import {
  compareEventIds,
  decodeEvent,
  type EventId,
  type SessionEvent,
  type SessionId,
  sessionKeys,
  splitEventId,
} from '@parley/protocol';
import type { Clock, Logger } from '@parley/runtime';
import type { BusMetrics } from './metrics.ts';
import type { RedisConnection } from './redis-connection.ts';
import type { Subscriptions } from './subscriptions.ts';

/** The log of a session: live by pub/sub, replayed by id, holes closed, duplicates dropped. */
export interface SessionLog {
  /**
   * Delivers the events after `after` in log order, each once, until the subscription is closed. The handler is called
   * synchronously, for what is there already before this resolves. Events that this reader does not understand are
   * skipped and counted, and `lastId` moves over them. `onGap` is called when events after `after` have been trimmed
   * away; what is left is delivered nevertheless.
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

/** An event as it lies in the log. */
interface Entry {
  readonly id: EventId;
  readonly at: number;
  readonly json: string;
}

const READ_LIMIT = 1_000;
const REPLAY_BATCH = 500;
/** Live events kept while a hole is being closed; beyond it they are read from the log again. */
const MAX_BUFFERED = 1_000;
/** Sessions whose holes are closed at the same time after a reconnect. */
const RESYNC_CONCURRENCY = 32;
const RETRY_MS = 100;

interface LogContext {
  readonly commands: RedisConnection;
  readonly subscriptions: Subscriptions;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: BusMetrics;
}

/** The logs of all sessions. `resync` closes the holes of every followed one; it is called after each reconnect. */
export function createSessionLog(context: LogContext): SessionLog & { resync(): Promise<void> } {
  const followers = new Set<Follower>();
  const reader = (session: SessionId, after: EventId, limit: number): Promise<Entry[]> =>
    readEntries(context.commands, session, after, limit);

  return {
    async follow(session, after, handler, onGap) {
      const follower = new Follower(context, session, after, reader, handler, onGap);
      const unsubscribe = await context.subscriptions.subscribe(sessionKeys(session).channel, follower.onMessage);
      followers.add(follower);
      const close = async (): Promise<void> => {
        followers.delete(follower);
        follower.stop();
        await unsubscribe();
      };
      try {
        await follower.start();
      } catch (error) {
        await close();
        throw error;
      }
      return {
        get lastId() {
          return follower.lastId;
        },
        close,
      };
    },

    async read(session, after, limit = READ_LIMIT) {
      const events: SessionEvent[] = [];
      for (const entry of await reader(session, after, limit)) {
        const event = decode(entry, context.metrics);
        if (event) events.push(event);
      }
      return events;
    },

    async firstId(session) {
      const [first] = await context.commands.run((redis) =>
        redis.xrange(sessionKeys(session).events, '-', '+', 'COUNT', 1),
      );
      return first?.[0];
    },

    async resync() {
      const waiting = [...followers];
      const closeNext = async (): Promise<void> => {
        for (let follower = waiting.pop(); follower; follower = waiting.pop()) await follower.closeHole('reconnect');
      };
      await Promise.all(Array.from({ length: RESYNC_CONCURRENCY }, closeNext));
    },
  };
}

async function readEntries(
  commands: RedisConnection,
  session: SessionId,
  after: EventId,
  limit: number,
): Promise<Entry[]> {
  const rows = await commands.run((redis) =>
    redis.xrange(sessionKeys(session).events, `(${after}`, '+', 'COUNT', limit),
  );
  return rows.map(([id, fields]) => {
    const at = fields.indexOf('at');
    const json = fields.indexOf('e');
    return { id, at: Number(fields[at + 1]), json: fields[json + 1] ?? '' };
  });
}

/** A published event: `<id> <at> <json>`. */
function parseMessage(message: string): Entry {
  const idEnd = message.indexOf(' ');
  const atEnd = message.indexOf(' ', idEnd + 1);
  return { id: message.slice(0, idEnd), at: Number(message.slice(idEnd + 1, atEnd)), json: message.slice(atEnd + 1) };
}

function decode(entry: Entry, metrics: BusMetrics): SessionEvent | undefined {
  const decoded = decodeEvent(entry.id, entry.at, entry.json);
  if (decoded.ok) return decoded.value;
  metrics.logSkipped.inc({ reason: decoded.reason });
  return undefined;
}

/** Ids of one epoch have no holes; the first of the first epoch is `1-0`. */
function follows(id: EventId, previous: EventId): boolean {
  const [epoch, seq] = splitEventId(id);
  const [previousEpoch, previousSeq] = splitEventId(previous);
  if (previousEpoch === 0) return epoch === 1 && seq === 0;
  return epoch === previousEpoch && seq === previousSeq + 1;
}

/**
 * One reader of one session. States: *live* (a message that follows the last one is delivered at once) and *closing*
 * (the log is being read; messages wait in the buffer). Live becomes closing by a message that does not follow (lost
 * ones, a new epoch) or a reconnect; closing becomes live when the log has been read and the buffer is empty.
 */
class Follower {
  lastId: EventId;
  readonly #context: LogContext;
  readonly #session: SessionId;
  readonly #read: (session: SessionId, after: EventId, limit: number) => Promise<Entry[]>;
  readonly #handler: (event: SessionEvent) => void;
  readonly #onGap: (() => void) | undefined;
  #buffer: Entry[] = [];
  /** Read the log once more: messages were dropped from the buffer, or a reconnect came meanwhile. */
  #again = false;
  #closing = true;
  #stopped = false;

  constructor(
    context: LogContext,
    session: SessionId,
    after: EventId,
    read: (session: SessionId, after: EventId, limit: number) => Promise<Entry[]>,
    handler: (event: SessionEvent) => void,
    onGap: (() => void) | undefined,
  ) {
    this.#context = context;
    this.#session = session;
    this.lastId = after;
    this.#read = read;
    this.#handler = handler;
    this.#onGap = onGap;
  }

  /** Delivers what is in the log already. */
  async start(): Promise<void> {
    await this.#catchUp();
    this.#closing = false;
  }

  stop(): void {
    this.#stopped = true;
    this.#buffer = [];
  }

  readonly onMessage = (message: string): void => {
    if (this.#stopped) return;
    const entry = parseMessage(message);
    if (this.#closing) {
      this.#keep(entry);
    } else if (follows(entry.id, this.lastId)) {
      this.#deliver(entry);
    } else if (compareEventIds(entry.id, this.lastId) > 0) {
      this.#keep(entry);
      void this.closeHole(splitEventId(entry.id)[0] === splitEventId(this.lastId)[0] ? 'lost' : 'epoch');
    }
  };

  /** Reads the log until it and the buffer are one, however often Redis goes away meanwhile. */
  async closeHole(cause: 'lost' | 'epoch' | 'reconnect'): Promise<void> {
    if (this.#stopped) return;
    if (this.#closing) {
      this.#again = true;
      return;
    }
    this.#closing = true;
    this.#context.metrics.logHoles.inc({ cause });
    while (!this.#stopped) {
      try {
        await this.#catchUp();
        this.#closing = false;
        return;
      } catch (error) {
        this.#context.logger.debug({ err: error, session: this.#session }, 'log could not be read, trying again');
        await this.#context.clock.sleep(RETRY_MS);
      }
    }
  }

  #keep(entry: Entry): void {
    if (this.#buffer.length >= MAX_BUFFERED) {
      this.#buffer = [];
      this.#again = true;
      this.#context.metrics.logOverflows.inc();
    }
    this.#buffer.push(entry);
  }

  async #catchUp(): Promise<void> {
    for (;;) {
      this.#again = false;
      const progressed = await this.#readLog();
      if (this.#stopped || this.#drainBuffer(!progressed)) return;
    }
  }

  /** Delivers the log from the last id to its end; false when there was nothing. */
  async #readLog(): Promise<boolean> {
    let progressed = false;
    for (;;) {
      const entries = await this.#read(this.#session, this.lastId, REPLAY_BATCH);
      if (this.#stopped) return progressed;
      const [first] = entries;
      if (first && !follows(first.id, this.lastId)) await this.#checkTrimmed();
      for (const entry of entries) {
        if (this.#stopped) return progressed;
        // A message may have come in between only by way of the buffer, so that this is always newer.
        this.#deliver(entry);
      }
      progressed ||= entries.length > 0;
      if (entries.length < REPLAY_BATCH) return progressed;
    }
  }

  /**
   * Delivers the buffer; false when there is a hole in it and the log must be read again. With `complete` the log has
   * nothing that is not in the buffer (the session has been closed), and what the buffer holds is all there is.
   */
  #drainBuffer(complete: boolean): boolean {
    if (this.#again) return false;
    const entries = this.#buffer;
    this.#buffer = [];
    for (const [index, entry] of entries.entries()) {
      if (this.#stopped) return true;
      if (compareEventIds(entry.id, this.lastId) <= 0) continue;
      if (!complete && !follows(entry.id, this.lastId)) {
        this.#buffer = entries.slice(index);
        return false;
      }
      this.#deliver(entry);
    }
    return true;
  }

  /** Between two epochs ids tell nothing about holes, but as long as the last event is in the log there is none. */
  async #checkTrimmed(): Promise<void> {
    const [first] = await this.#read(this.#session, '0-0', 1);
    if (this.#stopped || !first || compareEventIds(first.id, this.lastId) <= 0) return;
    this.#context.metrics.logTrimmed.inc();
    this.#onGap?.();
  }

  #deliver(entry: Entry): void {
    this.lastId = entry.id;
    const event = decode(entry, this.#context.metrics);
    if (!event) return;
    try {
      this.#handler(event);
    } catch (error) {
      this.#context.logger.error({ err: error, session: this.#session, type: event.type }, 'event handler failed');
    }
  }
}

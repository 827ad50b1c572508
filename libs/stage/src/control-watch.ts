import type { Bus } from '@parley/bus';
import { type Control, type Reply, replyKey, type SessionId } from '@parley/protocol';

/** What owners tell about one session. */
export interface ControlHandlers {
  /** `atMs` is the Redis TIME at which it was decided, where the owner told. */
  onCancel?(replies: readonly Reply[], atMs?: number): void;
  /** A held reply is held no more. */
  onReleased?(reply: Reply): void;
  /** Another gateway owns the session now. */
  onOwner?(owner: string, epoch: number): void;
  onClosed?(): void;
}

/** The control lane as one process sees it: a single subscription, handed on by session. */
export interface ControlWatch {
  /**
   * Calls the handlers for this session's messages until the returned function is called. What came shortly before is
   * not repeated: ask `isCancelled`, `isReleased`, `isClosed` and `newestOwner` after following.
   */
  follow(session: SessionId, handlers: ControlHandlers): () => void;
  /** The reply was cancelled lately. False proves nothing: the session's own keys decide. */
  isCancelled(session: SessionId, reply: Reply): boolean;
  /** The held reply was released lately. False proves nothing: the session's log tells. */
  isReleased(session: SessionId, reply: Reply): boolean;
  /** The session was closed lately. False proves nothing. */
  isClosed(session: SessionId): boolean;
  /** The newest owner heard of, if a change was heard of lately. */
  newestOwner(session: SessionId): { readonly owner: string; readonly epoch: number } | undefined;
  close(): Promise<void>;
}

/** Sessions of which something is remembered; beyond it the one heard of least lately is forgotten. */
const MAX_RECENT_SESSIONS = 10_000;
/** Cancelled replies remembered of one session, and as many released ones. */
const MAX_RECENT_REPLIES = 16;

interface Recent {
  readonly cancelled: Set<string>;
  readonly released: Set<string>;
  owner?: { readonly owner: string; readonly epoch: number };
  closed: boolean;
}

/**
 * Subscribes to the control lane. Messages often come before the job or the answer they belong to, for these travel by
 * other ways; so the last ones are remembered. They only save time: a message that is lost costs a refused write.
 */
export async function watchControl({ bus }: { readonly bus: Pick<Bus, 'control'> }): Promise<ControlWatch> {
  const followers = new Map<SessionId, Set<ControlHandlers>>();
  const recents = new Map<SessionId, Recent>();

  const recentOf = (session: SessionId): Recent => {
    const recent = recents.get(session) ?? { cancelled: new Set(), released: new Set(), closed: false };
    recents.delete(session);
    recents.set(session, recent);
    if (recents.size > MAX_RECENT_SESSIONS) forgetOldest(recents);
    return recent;
  };

  const receive = (message: Control): void => {
    const { session } = message;
    const recent = recentOf(session);
    const handlers = [...(followers.get(session) ?? [])];
    if ('cancel' in message) {
      for (const reply of message.cancel) recent.cancelled.add(replyKey(reply));
      while (recent.cancelled.size > MAX_RECENT_REPLIES) forgetOldest(recent.cancelled);
      for (const handler of handlers) handler.onCancel?.(message.cancel, message.at);
    } else if ('released' in message) {
      recent.released.add(replyKey(message.released));
      while (recent.released.size > MAX_RECENT_REPLIES) forgetOldest(recent.released);
      for (const handler of handlers) handler.onReleased?.(message.released);
    } else if ('owner' in message) {
      const { owner, epoch } = message;
      if (recent.owner !== undefined && recent.owner.epoch >= epoch) return;
      recent.owner = { owner, epoch };
      for (const handler of handlers) handler.onOwner?.(owner, epoch);
    } else {
      recent.closed = true;
      for (const handler of handlers) handler.onClosed?.();
    }
  };

  const unsubscribe = await bus.control.subscribe(receive);
  return {
    follow(session, handlers) {
      const ofSession = followers.get(session) ?? new Set();
      followers.set(session, ofSession.add(handlers));
      return () => {
        ofSession.delete(handlers);
        if (ofSession.size === 0 && followers.get(session) === ofSession) followers.delete(session);
      };
    },
    isCancelled: (session, reply) => recents.get(session)?.cancelled.has(replyKey(reply)) ?? false,
    isReleased: (session, reply) => recents.get(session)?.released.has(replyKey(reply)) ?? false,
    isClosed: (session) => recents.get(session)?.closed ?? false,
    newestOwner: (session) => recents.get(session)?.owner,
    async close() {
      followers.clear();
      // While Redis is away there is nobody to tell; the subscription ends with the connection.
      await unsubscribe().catch(() => undefined);
    },
  };
}

function forgetOldest(entries: { keys(): IterableIterator<string>; delete(key: string): boolean }): void {
  const oldest = entries.keys().next();
  if (!oldest.done) entries.delete(oldest.value);
}

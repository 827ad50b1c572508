import type { ErrorCode } from '@parley/protocol';

/**
 * Why work was stopped from outside: its reply was cancelled, another worker holds it now, the session ended, or this
 * process is leaving and has handed it back.
 */
export type AbortReason = 'cancelled' | 'fenced' | 'closed' | 'drain';

/** Reason of a work's signal. Being stopped is an outcome and no failure: nobody is told of an error. */
export class WorkAborted extends Error {
  override readonly name = 'WorkAborted';
  readonly reason: AbortReason;

  constructor(reason: AbortReason) {
    super(`the work was stopped: ${reason}`);
    this.reason = reason;
  }
}

/** How a piece of claimed work ended. */
export type Outcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'interrupted'; readonly reason: AbortReason }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly retryable: boolean }
  | { readonly kind: 'handedBack' };

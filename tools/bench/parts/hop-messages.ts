/** Sorted set of the bare round. */
export const BARE_KEY = 'bench:bare';

/** Where to take from. */
export interface HopCommand {
  readonly url: string;
}

export type HopMessage =
  | { readonly type: 'ready' }
  | {
      readonly type: 'claimed';
      readonly turn: number;
      readonly takenMs: number;
      readonly claimedMs: number;
      readonly isOk: boolean;
    }
  | { readonly type: 'offered'; readonly atMs: number }
  | { readonly type: 'popped'; readonly turn: number; readonly atMs: number };

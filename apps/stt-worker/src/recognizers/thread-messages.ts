import type { SpokenWord } from '../recognizer.ts';

/** To an engine's thread. A stream begins with the first message that names it. */
export type ToThread =
  | { readonly type: 'accept'; readonly stream: number; readonly samples: Int16Array }
  | { readonly type: 'settle'; readonly stream: number }
  | { readonly type: 'abandon'; readonly stream: number }
  | { readonly type: 'close'; readonly stream: number };

/** From an engine's thread. `segment` counts the stream's settles and abandons before. */
export type FromThread =
  | { readonly type: 'ready' }
  | { readonly type: 'unusable'; readonly code: 'engine_missing' | 'engine_failed'; readonly message: string }
  /** So many samples of a stream are no longer a backlog. */
  | { readonly type: 'decoded'; readonly stream: number; readonly samples: number }
  | { readonly type: 'partial'; readonly stream: number; readonly segment: number; readonly text: string }
  | {
      readonly type: 'settled';
      readonly stream: number;
      readonly segment: number;
      readonly text: string;
      /** Where the engine knows when each was said. */
      readonly words?: readonly SpokenWord[] | undefined;
    }
  | { readonly type: 'failed'; readonly stream: number; readonly message: string };

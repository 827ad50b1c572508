import type { HearingState, HistoryMessage, NewEvent, Reply, Settings, WorkRef } from '@parley/protocol';
import type { WorkTry } from './outstanding.ts';
import type { TurnState } from './state.ts';

/** An offer of work, kept in the outbox until a queue has it. */
export type Command =
  | { readonly queue: 'listen'; readonly number: number; readonly expect: string; readonly trace?: string | undefined }
  | {
      readonly queue: 'reply' | 'speak';
      readonly ref: WorkRef;
      readonly try: number;
      readonly deadlineMs: number;
      readonly held?: boolean;
      readonly trace?: string | undefined;
    };

/** Something to be done at once by the process that owns the session; repeated or lost without harm. */
export type Effect =
  | { readonly kind: 'duck' | 'restore' }
  | { readonly kind: 'release'; readonly reply: Reply }
  | { readonly kind: 'stop'; readonly generation: number; readonly reply?: Reply }
  | { readonly kind: 'cancel'; readonly reply: Reply; readonly work: readonly WorkTry[] };

type HistoryOp =
  | { readonly clear: true }
  | { readonly push: HistoryMessage }
  | { readonly set: number; readonly message: HistoryMessage };

interface WorkChanges {
  readonly create: { ref: WorkRef; input: string; resumeAt?: number }[];
  readonly cancel: Reply[];
  readonly raiseTry: { ref: WorkRef; try: number; input?: string }[];
  dropTurnsBefore: number;
}

/** What one or several steps decide. Everything but `effects` is committed together with the state. */
export interface Decisions {
  readonly events: NewEvent[];
  readonly history: HistoryOp[];
  readonly work: WorkChanges;
  readonly commands: Command[];
  readonly effects: Effect[];
  settings: Settings | undefined;
  /** Passes over user audio that was given up. */
  skipTo: { audioCursor: number; hearing: HearingState } | undefined;
}

export const noDecisions = (): Decisions => ({
  events: [],
  history: [],
  work: { create: [], cancel: [], raiseTry: [], dropTurnsBefore: 0 },
  commands: [],
  effects: [],
  settings: undefined,
  skipTo: undefined,
});

/** A transition: reads the state, records what it decides, answers the next state. No I/O, no clock. */
export type Transition<E> = (state: TurnState, event: E, decide: Decisions) => TurnState;

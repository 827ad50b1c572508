import type { EventId, Reply, Settings } from '@parley/protocol';
import type { Showing } from './showing.ts';

/** One clause of a reply on its way to the ear. */
export interface ClauseState {
  readonly text: string;
  /**
   * waiting: known, not yet offered · offered: a `speak` item exists · done: synthesised (`samples` is final) ·
   * failed: given up, nothing of it will be heard · passed: heard in an earlier attempt, not said again
   */
  readonly status: 'waiting' | 'offered' | 'done' | 'failed' | 'passed';
  /** Characters of the text that were heard in an earlier attempt; this one speaks what follows. */
  readonly from: number;
  readonly try: number;
  /** Holders lost since the last progress. */
  readonly deaths: number;
  /** Samples published so far; the whole length once done. */
  readonly samples: number;
}

/** A reply that is being made or played. One may be on stage, and a speculative one behind it. */
export interface ReplyState extends Reply {
  /** Speculative: nothing of it is shown or heard before it is released. */
  readonly held: boolean;
  /** What the language model has said of it while it was held. */
  readonly heldText: string;
  /** The user's text it answers. */
  readonly text: string;
  /** The attempt at the same answer whose tools may have been called already; itself where there was none. */
  readonly origin?: number;
  readonly generation: number;
  readonly try: number;
  readonly deaths: number;
  /** The language model has said all. */
  readonly done: boolean;
  readonly clauses: readonly ClauseState[];
  /** Samples played, from the reply's first. */
  readonly played: number;
  /** Redis TIME (ms) at which the turn was decided; deadlines count from here. */
  readonly decidedAt: number;
  readonly trace: string | undefined;
}

/** The utterance being heard. */
export interface UtteranceState {
  readonly number: number;
  /** The turn it belongs to, as far as can be told now. */
  readonly turn: number;
  readonly speaking: boolean;
  readonly confirmed: boolean;
  /** Samples between which speech was heard, as far as known. */
  readonly onsetSample: number;
  readonly endSample: number;
  /** Speculative replies begun while it lasted. */
  readonly speculations: number;
  /** When the stretch of speech that was heard last began. */
  readonly begun?: { readonly id: EventId; readonly at: number };
  /** Some word of it has been understood. */
  readonly hasWords?: boolean;
  /** What is understood of it so far only shows that somebody listens. */
  readonly isAside?: boolean;
  /** It would have stopped this reply but for that: since this event, and until it is too long for it. */
  readonly waits?: (Reply & { readonly since: EventId; readonly untilMs: number }) | null;
}

/** A turn whose reply was cancelled unheard because the user went on speaking. */
interface ReopenedTurn extends Reply {
  readonly text: string;
  /** Where the user's message stands in the history. */
  readonly historyIndex: number;
}

/** A reply that speech has stopped, kept until words show that it was meant. */
export interface ResumableReply {
  readonly reply: ReplyState;
  readonly heard: string;
  /** What there was of it had been written, and so read, rather than heard. */
  readonly wasRead?: boolean;
  /** Where what was heard of it stands in the history; undefined where nothing was. */
  readonly historyIndex: number | undefined;
}

/** All that the owner of a session knows; kept in Redis by every commit, and carried on by the next owner. */
export interface TurnState {
  readonly v: 1;
  readonly settings: Settings;
  /** The newest turn that has a text. */
  readonly turn: number;
  readonly generation: number;
  readonly listener: {
    /** Fence of the lease as last moved; empty while nobody listens yet. */
    readonly fence: string;
    /** Offers made so far; numbers the next one. */
    readonly offers: number;
    /** Listeners lost since audio was last settled, and how far it was settled then. */
    readonly deaths: number;
    readonly lostAtCursor: number;
    /** The client has been told that nobody is there to listen. */
    readonly missing: boolean;
  };
  readonly utterance: UtteranceState | null;
  /** The newest utterance that is over: an utterance ends once, whatever is written of it again. */
  readonly endedUtterance: number;
  /** The utterance that was open when the conversation was last begun anew, and the event that did so. */
  readonly forgotten?: { readonly utterance: number; readonly by: EventId } | null;
  /** Turns of the latest utterances, newest last. */
  readonly utteranceTurns: readonly (readonly [utterance: number, turn: number])[];
  readonly reply: ReplyState | null;
  readonly speculative: ReplyState | null;
  readonly reopened: ReopenedTurn | null;
  readonly resumable: ResumableReply | null;
  /** The newest attempt at this turn and at the one being prepared behind it, newest last; numbers the next attempt. */
  readonly attempted: readonly Reply[];
  /** The latest replies that were released, the event that decided it, and the one up to which the client was shown it. */
  readonly released: readonly (Reply & { readonly by: EventId; readonly until?: EventId })[];
  /** Releases on their way to the client. */
  readonly showings?: readonly Showing[];
  /** Nobody has spoken and nothing was said since this event. */
  readonly quietSince: { readonly id: EventId; readonly at: number } | null;
  /** The idle prompt has been said since the user last spoke. */
  readonly prompted: boolean;
  /** The latest replies that were stopped, and the event that stopped each. */
  readonly stopped: readonly (Reply & { readonly by: EventId })[];
  readonly historyLength: number;
  /** Where the current turn's user message stands in the history. */
  readonly userIndex: number;
  readonly closed: boolean;
  /** The event that was folded last. */
  readonly lastEvent: EventId;
}

/** Utterances whose turn is remembered for events that are sent again. */
export const REMEMBERED_UTTERANCES = 64;
/** Stopped replies that are remembered, so that what they publish late is not sent. */
export const REMEMBERED_STOPS = 16;
/** Speculative replies begun for one utterance, at most. */
export const MAX_SPECULATIONS = 4;
/** Clauses of a speculative reply that are synthesised, at most. */
export const MAX_HELD_CLAUSES = 2;
/** Holders that may die on the same work without progress before it is given up. */
export const MAX_DEATHS = 3;
/** Clauses offered and not yet synthesised, at most. */
export const MAX_OFFERED_CLAUSES = 2;
/** A further clause is offered only while the user has less than this left to hear. */
export const MAX_LEAD_MS = 8_000;
/**
 * Speech that holds a reply back may go on so long without a word. Whatever the recogniser, long speech has been settled once
 * by then.
 */
export const MAX_WORDLESS_MS = 6_000;
/** Time from the end of a turn to the first audio that deadlines aim at. */
export const FIRST_AUDIO_BUDGET_MS = 800;

export const initialState = (settings: Settings): TurnState => ({
  v: 1,
  settings,
  turn: 0,
  generation: 0,
  listener: { fence: '', offers: 0, deaths: 0, lostAtCursor: 0, missing: false },
  utterance: null,
  endedUtterance: 0,
  forgotten: null,
  utteranceTurns: [],
  reply: null,
  speculative: null,
  reopened: null,
  resumable: null,
  attempted: [],
  released: [],
  showings: [],
  quietSince: null,
  prompted: false,
  stopped: [],
  historyLength: 0,
  userIndex: 0,
  closed: false,
  lastEvent: '0-0',
});

import type { Settings } from '@parley/protocol';

/** What talkers do. */
export interface TalkPlan {
  readonly urls: readonly string[];
  readonly sessions: number;
  readonly settings: Partial<Settings>;
  /** Samples in one message; at 16 kHz. */
  readonly frameSamples: number;
  /** What the microphone hears between the words; none is digital silence, which costs nobody anything. */
  readonly noiseDbfs: number | undefined;
  /** `mute` connects and sends nothing at all; `text` types its questions, with the microphone on. */
  readonly way: 'speech' | 'text' | 'mute';
  /** Silence before each question, from and to. */
  readonly pauseMs: readonly [number, number];
  /** Turns after which a talker falls silent; 0 to go on until told to stop. */
  readonly turns: number;
  /** Speak over each reply when this much of it has been played; undefined to hear it out. */
  readonly interruptAfterMs: number | undefined;
  /** Length of what is said, of the fixture's speech. */
  readonly questionMs: number;
  /** Connections made in a second. */
  readonly connectsPerSecond: number;
  /** The server may forget events that were received, as clients let it. */
  readonly acknowledge: boolean;
}

/** One turn as its talker saw it. Times are on the monotonic clock, `at` are Redis's. */
export interface TurnSeen {
  readonly session: string;
  readonly turn: number;
  /** Number in the recognised text. */
  readonly number: string;
  /** The frame that held the sample at which the turn was decided was sent; the text, for one that was typed. */
  readonly askedMs: number;
  /** From the sample at which the silence was long enough to the end of the frame in which that was seen. */
  readonly quantisationMs: number;
  readonly endedAt: number;
  readonly startedAt: number;
  readonly clauseAt: number;
  readonly firstAudioMs: number;
}

/** One interruption as its talker saw it. */
export interface InterruptionSeen {
  readonly session: string;
  /** Number in the answer that was interrupted. */
  readonly number: string;
  /** The frame with the first loud sample was sent. */
  readonly onsetMs: number;
  /** From that sample to the end of its frame. */
  readonly frameMs: number;
  readonly duckedMs: number | undefined;
  readonly stoppedMs: number;
  /** The listener's `speech.confirmed`, and how much speech it took. */
  readonly confirmedAt: number;
  readonly confirmedSamples: number;
}

/** What all talkers did so far. */
export interface TalkCounts {
  readonly connected: number;
  readonly turns: number;
  readonly lost: number;
  readonly disconnects: number;
  readonly errors: number;
  readonly audioFrames: number;
  readonly audioSeconds: number;
}

export type TalkCommand =
  | { readonly do: 'start'; readonly plan: TalkPlan }
  /** Answered by `finished` when everybody has had the planned turns. */
  | { readonly do: 'wait' }
  /** Nothing new is asked; answered by `finished` when the last answers have been heard. */
  | { readonly do: 'finish' }
  | { readonly do: 'leave' }
  | { readonly do: 'count' };

export type TalkMessage =
  | { readonly type: 'connected' }
  | { readonly type: 'turn'; readonly turn: TurnSeen }
  | { readonly type: 'interruption'; readonly interruption: InterruptionSeen }
  | { readonly type: 'lost'; readonly session: string; readonly turn: number; readonly why: string }
  | { readonly type: 'trouble'; readonly why: string }
  | { readonly type: 'finished' }
  | { readonly type: 'left' }
  | { readonly type: 'counts'; readonly counts: TalkCounts };

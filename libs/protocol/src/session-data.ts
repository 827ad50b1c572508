import { z } from 'zod';

/** A process as named in session keys, heartbeats and `/debug`. */
export const ProcessRefSchema = z.object({ id: z.string(), host: z.string(), pid: z.number().int() });
export type ProcessRef = z.infer<typeof ProcessRefSchema>;

/**
 * What a listener must know to carry on where its predecessor stopped, beside the audio cursor. It is written with the
 * cursor in one step.
 */
export const HearingStateSchema = z.object({
  /** Number of the open or, when none is open, of the next utterance. */
  utterance: z.number().int().nonnegative(),
  open: z.boolean(),
  /** Settled text of the open utterance, up to the cursor. */
  text: z.string(),
  /** First sample of speech of the open utterance. */
  onsetSample: z.number().int().nonnegative(),
  /** Sample after the last speech heard. */
  lastSpeechSample: z.number().int().nonnegative(),
  /** Speech is going on at the cursor: `speech.started` has been published and `speech.stopped` has not. */
  speaking: z.boolean(),
  /** The stretch of speech that goes on has been confirmed. */
  confirmed: z.boolean(),
  /** `turn.eager` has been published for the text, and neither `turn.resumed` nor `turn.ended` since. */
  eager: z.boolean().optional(),
  /** How long the user's own pauses within a turn are, smoothed; absent as long as none was heard. */
  ownPauseMs: z.number().nonnegative().optional(),
  /** Level of the background in dBFS; absent as long as nothing was heard. */
  backgroundDbfs: z.number().optional(),
  /** What the end-of-turn model said of the last pause, as long as it is not known whether it was the end. */
  pauseSound: z.number().min(0).max(1).optional(),
  /** How far that model is to be trusted with this speaker, in log-odds; absent as long as nothing is known. */
  soundTrust: z.number().optional(),
});
export type HearingState = z.infer<typeof HearingStateSchema>;

export const INITIAL_HEARING: HearingState = {
  utterance: 1,
  open: false,
  text: '',
  onsetSample: 0,
  lastSpeechSample: 0,
  speaking: false,
  confirmed: false,
};

/** One message of a session's history; an assistant's holds only what was heard of it. */
export const HistoryMessageSchema = z.discriminatedUnion('role', [
  z.object({ role: z.literal('user'), turn: z.number().int().positive(), text: z.string() }),
  z.object({
    role: z.literal('assistant'),
    turn: z.number().int().positive(),
    attempt: z.number().int().nonnegative(),
    text: z.string(),
    /** The user cut in before the end. */
    truncated: z.boolean().optional(),
  }),
]);
export type HistoryMessage = z.infer<typeof HistoryMessageSchema>;

/** Input of a reply: the turn's text. The history is read from the session itself. */
export const ReplyInputSchema = z.object({
  text: z.string(),
  language: z.string(),
  /** What of this reply was published by earlier tries: clauses in order. A new try repeats them or goes on from them. */
  published: z.array(z.string()).optional(),
  /** The attempt that this one goes on from, if it does: what that one asked of tools is not asked again. */
  origin: z.number().int().nonnegative().optional(),
});
export type ReplyInput = z.infer<typeof ReplyInputSchema>;

/** Input of a clause to be spoken. */
export const SpeakInputSchema = z.object({
  text: z.string(),
  voice: z.string(),
  speed: z.number(),
  language: z.string(),
  rateHz: z.number().int().positive(),
});
export type SpeakInput = z.infer<typeof SpeakInputSchema>;

/** Heartbeat of a worker. */
export const HeartbeatSchema = z.object({
  v: z.number().int(),
  stage: z.enum(['stt', 'llm', 'tts', 'gateway']),
  id: z.string(),
  host: z.string(),
  pid: z.number().int(),
  /** Warmed up and taking work. */
  ready: z.boolean(),
  draining: z.boolean(),
  slots: z.number().int().nonnegative(),
  busy: z.number().int().nonnegative(),
  engine: z.string(),
  /** Why this engine was chosen, and what would bring a better one; shown at start-up. */
  engineReason: z.string(),
  engineHint: z.string(),
  /** What the engine declares: some of its voices, and its languages as BCP 47 tags; empty where only it knows. */
  voices: z.array(z.string()).optional(),
  languages: z.array(z.string()).optional(),
  /** Smoothed time from claim to first result. */
  latencyMs: z.number(),
  predictedWaitMs: z.number(),
  /** Where a gateway can be reached by its neighbours. */
  url: z.string().optional(),
});
export type Heartbeat = z.infer<typeof HeartbeatSchema>;

/** "Alive and holding", from a worker to one gateway, for all that it holds of that gateway's sessions. */
export const PulseSchema = z.object({
  v: z.number().int(),
  stage: z.enum(['stt', 'llm', 'tts']),
  worker: ProcessRefSchema,
  /** Sessions listened to: durable cursor, and the sample up to which audio has been read. */
  sessions: z.array(z.object({ session: z.string(), fence: z.string(), cursor: z.number(), heard: z.number() })),
  claims: z.array(z.object({ session: z.string(), work: z.string(), try: z.number(), fence: z.string() })),
});
export type Pulse = z.infer<typeof PulseSchema>;

/** From owners to workers, on the control channel. */
export const ControlSchema = z.union([
  z.object({
    session: z.string(),
    cancel: z.array(z.object({ turn: z.number(), attempt: z.number() })),
    /** Redis TIME (ms) of the decision. */
    at: z.number().optional(),
  }),
  /** A held reply may be seen and heard now. */
  z.object({ session: z.string(), released: z.object({ turn: z.number(), attempt: z.number() }) }),
  z.object({ session: z.string(), owner: z.string(), epoch: z.number() }),
  z.object({ session: z.string(), closed: z.literal(true) }),
]);
export type Control = z.infer<typeof ControlSchema>;

/** How the scripted engines behave. */
export interface EngineScript {
  /** Wait before the first token. */
  readonly firstTokenMs: number;
  /** 0 for all at once. */
  readonly tokensPerSecond: number;
  /** The reply after its first sentence, which repeats the number of the question. */
  readonly rest: string;
  /** Wait before the first byte of speech. */
  readonly firstByteMs: number;
  /** Time to make a second of speech, as a share of that second; 0 for at once. */
  readonly realTimeFactor: number;
  readonly secondsPerCharacter: number;
}

/** Both engines begin after 20 ms; then come 100 tokens a second, and speech at once: about a second in two clauses. */
export const QUICK_ANSWER: EngineScript = {
  firstTokenMs: 20,
  tokensPerSecond: 100,
  rest: 'It is fine.',
  firstByteMs: 20,
  realTimeFactor: 0,
  secondsPerCharacter: 0.03,
};

/** When an engine was asked for the answer with a number, and what became of it, on the monotonic clock. */
export interface EngineTimes {
  readonly number: string;
  readonly requestedMs: number;
  /** Written by the engine: the token that completes the first clause, or the first byte of speech. */
  readonly firstMs?: number;
  /** The client hung up before the end. */
  readonly abortedMs?: number;
}

/** Everything the engines saw since they were last asked, requests that run included. */
export interface EngineLog {
  readonly llm: readonly EngineTimes[];
  readonly tts: readonly EngineTimes[];
}

/** Messages between the benchmark and the engines' process. */
export type EngineCommand = { readonly do: 'script'; readonly script: EngineScript } | { readonly do: 'log' };
export type EngineReply =
  | { readonly type: 'listening'; readonly url: string }
  | { readonly type: 'scripted' }
  | { readonly type: 'log'; readonly log: EngineLog };

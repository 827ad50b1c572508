import type { Clock } from '@parley/runtime';
import type { Config } from './config.ts';

/** One message of the conversation as an engine sees it. */
export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

/**
 * What an engine yields: pieces of text as they come (empty ones only show that it is alive), calls of tools, and at
 * last why it ended.
 */
export type ReplyPart =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'toolCall'; readonly call: string; readonly name: string; readonly arguments: string }
  | { readonly kind: 'finish'; readonly reason: string; readonly usage?: TokenUsage };

interface TokenUsage {
  readonly promptTokens: number;
  readonly completionTokens: number;
}

export interface ReplyOptions {
  /** Greatest length of the reply. */
  readonly maxTokens: number;
  /** BCP 47 tag of the language spoken. */
  readonly language: string;
  /** Begin the reply with this text and give only what follows. For engines with `prefill` alone. */
  readonly prefill?: string;
}

/** An engine that answers. It holds nothing of a conversation from one reply to the next. */
export interface LanguageModel {
  readonly name: string;
  /** It can go on from a given beginning of its reply. */
  readonly prefill: boolean;
  /** The same messages give the same reply. */
  readonly deterministic: boolean;
  /** Tokens that prompt and reply may have together. */
  readonly contextTokens: number;
  /**
   * Streams a reply, ending with a `finish`. When the signal aborts, the engine's work is really given up and the
   * stream ends or throws at once. Fails with a `VoiceError`: `engine_failed` and `engine_timeout` where another try can
   * help, `engine_rejected` where it cannot.
   */
  reply(messages: readonly ChatMessage[], options: ReplyOptions, signal: AbortSignal): AsyncIterable<ReplyPart>;
  /** Makes the first reply as fast as later ones; fails as `reply` does. */
  warmUp(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** What an engine is made with. */
export interface LanguageModelParts {
  readonly config: Config;
  readonly clock: Clock;
}

/** The function that a module with an engine exports as `createLanguageModel`. */
export type CreateLanguageModel = (parts: LanguageModelParts) => LanguageModel | Promise<LanguageModel>;

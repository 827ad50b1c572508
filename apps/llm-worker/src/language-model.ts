import type { Clock, Logger } from '@parley/runtime';
import type { Config } from './config.ts';
import type { LlmMetrics } from './metrics.ts';

/** A call of a tool; the arguments are JSON as the model wrote it, which may be wrong. */
export interface ToolCall {
  readonly call: string;
  readonly name: string;
  readonly arguments: string;
}

/** A function that the model may have called. */
export interface ToolDefinition {
  readonly name: string;
  readonly description: string;
  /** JSON schema of the arguments. */
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** One message of the conversation as an engine sees it. */
export type ChatMessage =
  | { readonly role: 'system' | 'user'; readonly content: string }
  | { readonly role: 'assistant'; readonly content: string; readonly toolCalls?: readonly ToolCall[] }
  /** What came of a call that the assistant's message before has made. */
  | { readonly role: 'tool'; readonly call: string; readonly name: string; readonly content: string };

/**
 * What an engine yields: pieces of text as they come (empty ones only show that it is alive), calls of tools, and at
 * last why it ended.
 */
export type ReplyPart =
  | { readonly kind: 'text'; readonly text: string }
  | ({ readonly kind: 'toolCall' } & ToolCall)
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
  /** Replies of one session go where its earlier ones are in the cache, if there is a choice. */
  readonly session?: string;
  /** Until the first part; an engine with several ways to answer divides it among them. */
  readonly firstPartTimeoutMs?: number;
  readonly tools?: readonly ToolDefinition[];
  /** Tools are known from earlier messages, and none may be called any more. */
  readonly noToolCalls?: boolean;
}

/** An engine that answers. It holds nothing of a conversation from one reply to the next. */
export interface LanguageModel {
  readonly name: string;
  /** It can go on from a given beginning of its reply. */
  readonly prefill: boolean;
  /** The same messages give the same reply. */
  readonly deterministic: boolean;
  /** Base language tags that it answers in; undefined where that depends on the model and is not known. */
  readonly languages: readonly string[] | undefined;
  /** Tokens that prompt and reply may have together. */
  readonly contextTokens: number;
  /** What keeps a part of it from serving at the moment, for the operator; undefined when all is well. */
  readonly trouble?: string | undefined;
  /**
   * Streams a reply, ending with a `finish`. When the signal aborts, the engine's work is really given up and the
   * stream ends or throws at once. Fails with a `VoiceError`: `engine_failed` and `engine_timeout` where another try can
   * help, `engine_rejected` and `engine_missing` where it cannot.
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
  readonly logger: Logger;
  readonly metrics: LlmMetrics;
}

/** The function that a module with an engine exports as `createLanguageModel`. */
export type CreateLanguageModel = (parts: LanguageModelParts) => LanguageModel | Promise<LanguageModel>;

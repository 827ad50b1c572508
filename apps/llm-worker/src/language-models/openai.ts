import { VoiceError } from '@parley/protocol';
import OpenAI, { APIConnectionTimeoutError, APIError, APIUserAbortError } from 'openai';
import type { ChatCompletionChunk, ChatCompletionMessageParam } from 'openai/resources/chat/completions';
import type { Config } from '../config.ts';
import type { ChatMessage, LanguageModel, LanguageModelParts, ReplyOptions, ReplyPart } from '../language-model.ts';

const OPENAI_URL = 'https://api.openai.com/v1';

/** Statuses below 500 under which the same request may be served later. */
const RETRYABLE_STATUS = new Set([408, 409, 421, 423, 425, 429]);

type Body = OpenAI.ChatCompletionCreateParamsStreaming & {
  continue_final_message?: boolean;
  add_generation_prompt?: boolean;
};

/** Chat completions of OpenAI or of any server that speaks its protocol (vLLM, SGLang, llama.cpp, LM Studio, Ollama). */
export function createLanguageModel({ config }: LanguageModelParts): LanguageModel {
  return new OpenAiModel(config);
}

class OpenAiModel implements LanguageModel {
  readonly name = 'openai';
  /** Servers batch requests, and rounding depends on the batch. */
  readonly deterministic = false;
  readonly prefill: boolean;
  readonly contextTokens: number;
  readonly #config: Config;
  readonly #client: OpenAI;
  #model: string | undefined;

  constructor(config: Config) {
    this.#config = config;
    this.prefill = config.prefill;
    this.contextTokens = config.contextTokens;
    this.#model = config.model;
    this.#client = new OpenAI({
      baseURL: config.baseUrl ?? OPENAI_URL,
      // The client wants a key, a local server often has none.
      apiKey: config.apiKey ?? 'none',
      ...(config.apiKey === undefined ? { defaultHeaders: { Authorization: null } } : {}),
      // The client would read these from variables of the environment that are not Parley's.
      organization: null,
      project: null,
      logLevel: 'off',
      // The owner of the session decides about a further try.
      maxRetries: 0,
      timeout: config.firstTokenTimeoutMs,
    });
  }

  async *reply(
    messages: readonly ChatMessage[],
    { maxTokens, prefill = '' }: ReplyOptions,
    signal: AbortSignal,
  ): AsyncGenerator<ReplyPart, void, undefined> {
    const beginning: ChatMessage[] = prefill === '' ? [] : [{ role: 'assistant', content: prefill }];
    const body: Body = {
      ...(await this.#request([...messages, ...beginning], maxTokens, signal)),
      // vLLM's and SGLang's names; others see from the last message alone that the reply has begun.
      ...(prefill === '' ? {} : { continue_final_message: true, add_generation_prompt: false }),
    };
    const calls = new ToolCalls();
    let finish: ReplyPart | undefined;
    try {
      for await (const chunk of await this.#client.chat.completions.create(body, { signal })) {
        const choice = chunk.choices[0];
        // Empty where the server shows progress of another kind, such as a model's thoughts.
        yield { kind: 'text', text: choice?.delta?.content ?? '' };
        calls.add(choice?.delta?.tool_calls ?? []);
        finish = finishOf(chunk) ?? finish;
      }
    } catch (error) {
      throw failureOf(error, signal);
    }
    // A stream that the signal ended looks like one that came to its end.
    signal.throwIfAborted();
    if (finish === undefined) throw new VoiceError('engine_failed', 'the server ended the reply before its end');
    yield* calls.parts();
    yield finish;
  }

  async warmUp(signal: AbortSignal): Promise<void> {
    const body = await this.#request([{ role: 'user', content: 'Hello.' }], 1, signal);
    try {
      // Read to its end: the server has loaded the model, and the connection is kept for the first reply.
      for await (const _ of await this.#client.chat.completions.create(body, { signal }));
    } catch (error) {
      throw failureOf(error, signal);
    }
    signal.throwIfAborted();
  }

  /** Nothing is held: connections that are kept open close by themselves. */
  async close(): Promise<void> {}

  async #request(messages: readonly ChatMessage[], maxTokens: number, signal: AbortSignal): Promise<Body> {
    const { baseUrl, temperature } = this.#config;
    this.#model ??= await this.#firstModel(signal);
    return {
      model: this.#model,
      messages: messages.map((message): ChatCompletionMessageParam => ({ ...message })),
      stream: true,
      // OpenAI's own newer models refuse the old name, other servers often know no other.
      ...(baseUrl === undefined ? { max_completion_tokens: maxTokens } : { max_tokens: maxTokens }),
      ...(temperature === undefined ? {} : { temperature }),
    };
  }

  /** The server's first model, asked for until one is known. */
  async #firstModel(signal: AbortSignal): Promise<string> {
    try {
      const { data } = await this.#client.models.list({ signal });
      const first = data[0]?.id;
      if (first === undefined) throw new VoiceError('engine_missing', 'the server has no model; set PARLEY_LLM_MODEL');
      return first;
    } catch (error) {
      throw failureOf(error, signal);
    }
  }
}

function finishOf({ choices, usage }: ChatCompletionChunk): ReplyPart | undefined {
  const reason = choices[0]?.finish_reason;
  if (!reason) return undefined;
  if (!usage) return { kind: 'finish', reason };
  const { prompt_tokens: promptTokens, completion_tokens: completionTokens } = usage;
  return { kind: 'finish', reason, usage: { promptTokens, completionTokens } };
}

/** Calls of tools come in pieces, told apart by index. */
class ToolCalls {
  readonly #calls = new Map<number, { call: string; name: string; arguments: string }>();

  add(pieces: readonly ChatCompletionChunk.Choice.Delta.ToolCall[]): void {
    for (const { index, id, function: piece } of pieces) {
      const known = this.#calls.get(index) ?? { call: '', name: '', arguments: '' };
      this.#calls.set(index, {
        call: id ?? known.call,
        name: piece?.name ?? known.name,
        arguments: known.arguments + (piece?.arguments ?? ''),
      });
    }
  }

  *parts(): Generator<ReplyPart> {
    for (const call of this.#calls.values()) yield { kind: 'toolCall', ...call };
  }
}

/** The code for whatever the client throws. */
function failureOf(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted || error instanceof APIUserAbortError) return signal.reason ?? error;
  if (error instanceof VoiceError) return error;
  const cause = withoutWords(error);
  if (error instanceof APIConnectionTimeoutError) {
    return new VoiceError('engine_timeout', 'the server did not answer in time', { cause });
  }
  const status = error instanceof APIError ? error.status : undefined;
  if (typeof status !== 'number')
    return new VoiceError('engine_failed', 'the connection to the server failed', { cause });
  const isRetryable = status >= 500 || RETRYABLE_STATUS.has(status);
  const code = status === 408 || status === 504 ? 'engine_timeout' : isRetryable ? 'engine_failed' : 'engine_rejected';
  return new VoiceError(code, `the server answered with status ${status}`, { cause });
}

/**
 * What may be logged of a failure. The message of a server, or of a parser, may repeat what somebody said: only names
 * and codes are kept.
 */
function withoutWords(error: unknown): Error {
  const names: string[] = [];
  for (let at = error, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth += 1) {
    const { name, code, type } = at as Error & { code?: unknown; type?: unknown };
    names.push(
      ...[name, code, type].filter((value) => typeof value === 'string' && /^[\w.-]{1,60}$/.test(value)).map(String),
    );
  }
  return new Error([...new Set(names)].join(', ') || 'unknown');
}

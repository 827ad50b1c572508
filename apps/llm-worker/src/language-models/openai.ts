import { VoiceError } from '@parley/protocol';
import { createLeanFetch, type KeepAliveFetch } from '@parley/runtime';
import OpenAI, { APIConnectionTimeoutError, APIError, APIUserAbortError } from 'openai';
import type { ChatCompletionChunk, ChatCompletionMessageParam } from 'openai/resources/chat/completions';
import { Health } from '../health.ts';
import type { ChatMessage, LanguageModel, LanguageModelParts, ReplyOptions, ReplyPart } from '../language-model.ts';
import { replyInOrder, warmUpAny } from '../reply-in-order.ts';
import { connectionFailure, statusFailure, withoutWords } from './failure.ts';
import { Endpoint, endpointsFor } from './openai/endpoint.ts';
import { ToolCalls } from './openai/tool-calls.ts';

const OPENAI_URL = 'https://api.openai.com/v1';
/** A sign of life is a list of models, which costs a server nothing. */
const PROBE_LIMIT_MS = 2_000;

type Body = OpenAI.ChatCompletionCreateParamsStreaming & {
  continue_final_message?: boolean;
  add_generation_prompt?: boolean;
};

/**
 * Chat completions of OpenAI or of any server that speaks its protocol (vLLM, SGLang, llama.cpp, LM Studio), or of
 * several servers of the same model.
 */
export function createLanguageModel(parts: LanguageModelParts): LanguageModel {
  return new OpenAiModel(parts);
}

class OpenAiModel implements LanguageModel {
  readonly name = 'openai';
  /** Servers batch requests, and rounding depends on the batch. */
  readonly deterministic = false;
  readonly languages = undefined;
  readonly prefill: boolean;
  readonly contextTokens: number;
  readonly #parts: LanguageModelParts;
  readonly #keepAlive: KeepAliveFetch = createLeanFetch();
  readonly #endpoints: readonly Endpoint[];

  constructor(parts: LanguageModelParts) {
    const { baseUrls = [OPENAI_URL], contextTokens, prefill } = parts.config;
    this.#parts = parts;
    this.prefill = prefill;
    this.contextTokens = contextTokens;
    this.#endpoints = [...new Set(baseUrls)].map((url) => this.#endpoint(url));
  }

  get trouble(): string | undefined {
    const sick = this.#endpoints.filter(({ health }) => !health.isHealthy);
    if (sick.length === 0) return undefined;
    return `no answer from ${sick.map(({ url }) => new URL(url).host).join(', ')}`;
  }

  async *reply(
    messages: readonly ChatMessage[],
    options: ReplyOptions,
    signal: AbortSignal,
  ): AsyncGenerator<ReplyPart, void, undefined> {
    const { clock, metrics } = this.#parts;
    yield* replyInOrder(endpointsFor(this.#endpoints, options.session, clock.nowMs()), {
      open: (endpoint, within) => this.#reply(endpoint, messages, options, within),
      ...{ clock, signal, firstPartTimeoutMs: options.firstPartTimeoutMs },
      onFirstWord: (endpoint, afterMs) => endpoint.measured(afterMs, clock.nowMs()),
      onHandedOn: ({ url }, { code }) => metrics.handedOn.inc({ from: new URL(url).host, code }),
    });
  }

  async warmUp(signal: AbortSignal): Promise<void> {
    await warmUpAny(this.#endpoints, async (endpoint) => {
      try {
        const body = await this.#request(endpoint, [{ role: 'user', content: 'Hello.' }], { maxTokens: 1 }, signal);
        // Read to its end: the server has loaded the model, and the connection is kept for the first reply.
        for await (const _ of await endpoint.client.chat.completions.create(body, { signal }));
      } catch (error) {
        throw failureOf(error, signal);
      }
      signal.throwIfAborted();
    });
  }

  async close(): Promise<void> {
    for (const { health } of this.#endpoints) health.close();
    await this.#keepAlive.close();
  }

  #endpoint(url: string): Endpoint {
    const { config, clock, logger, metrics } = this.#parts;
    const { apiKey, firstTokenTimeoutMs } = config;
    const { host } = new URL(url);
    const client = new OpenAI({
      baseURL: url,
      // The client wants a key, a local server often has none.
      apiKey: apiKey ?? 'none',
      ...(apiKey === undefined ? { defaultHeaders: { Authorization: null } } : {}),
      // The client would read these from variables of the environment that are not Parley's.
      organization: null,
      project: null,
      logLevel: 'off',
      // The owner of the session decides about a further try.
      maxRetries: 0,
      timeout: firstTokenTimeoutMs,
      fetch: this.#keepAlive.fetch,
    });
    metrics.endpointHealthy.set({ endpoint: host }, 1);
    const health = new Health({
      ...{ clock, probeLimitMs: PROBE_LIMIT_MS },
      probe: (signal) => probe(client, signal),
      onChange: (isHealthy) => {
        metrics.endpointHealthy.set({ endpoint: host }, isHealthy ? 1 : 0);
        if (isHealthy) logger.info({ endpoint: host }, 'endpoint answers again');
        else logger.warn({ endpoint: host }, 'endpoint is left out');
      },
    });
    return new Endpoint({ url, client, health });
  }

  async *#reply(
    endpoint: Endpoint,
    messages: readonly ChatMessage[],
    options: ReplyOptions,
    signal: AbortSignal,
  ): AsyncGenerator<ReplyPart, void, undefined> {
    const { prefill = '' } = options;
    const beginning: ChatMessage[] = prefill === '' ? [] : [{ role: 'assistant', content: prefill }];
    const calls = new ToolCalls();
    let finish: ReplyPart | undefined;
    try {
      const body: Body = {
        ...(await this.#request(endpoint, [...messages, ...beginning], options, signal)),
        // vLLM's and SGLang's names; others see from the last message alone that the reply has begun.
        ...(prefill === '' ? {} : { continue_final_message: true, add_generation_prompt: false }),
      };
      for await (const chunk of await endpoint.client.chat.completions.create(body, { signal })) {
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

  async #request(
    endpoint: Endpoint,
    messages: readonly ChatMessage[],
    { maxTokens, tools = [], noToolCalls = false }: Pick<ReplyOptions, 'maxTokens' | 'tools' | 'noToolCalls'>,
    signal: AbortSignal,
  ): Promise<Body> {
    const { baseUrls, model, temperature } = this.#parts.config;
    endpoint.model ??= model ?? (await firstModel(endpoint.client, signal));
    return {
      model: endpoint.model,
      messages: messages.map(toOpenAiMessage),
      stream: true,
      // OpenAI's own newer models refuse the old name, other servers often know no other.
      ...(baseUrls === undefined ? { max_completion_tokens: maxTokens } : { max_tokens: maxTokens }),
      ...(temperature === undefined ? {} : { temperature }),
      ...(tools.length === 0
        ? {}
        : {
            tools: tools.map(({ name, description, parameters }) => ({
              type: 'function' as const,
              function: { name, description, parameters: { ...parameters } },
            })),
            tool_choice: noToolCalls ? ('none' as const) : ('auto' as const),
          }),
    };
  }
}

/** The server's first model, asked for until one is known. */
async function firstModel(client: OpenAI, signal: AbortSignal): Promise<string> {
  const { data } = await client.models.list({ signal });
  const first = data[0]?.id;
  if (first === undefined) throw new VoiceError('engine_missing', 'the server has no model; set PARLEY_LLM_MODEL');
  return first;
}

/** Any answer but one of overload or failure is a sign of life. */
async function probe(client: OpenAI, signal: AbortSignal): Promise<void> {
  try {
    await client.models.list({ signal });
  } catch (error) {
    const failure = failureOf(error, signal);
    if (!(failure instanceof VoiceError) || failure.code !== 'engine_rejected') throw failure;
  }
}

function toOpenAiMessage(message: ChatMessage): ChatCompletionMessageParam {
  const { content } = message;
  if (message.role === 'tool') return { role: 'tool', tool_call_id: message.call, content };
  if (message.role !== 'assistant' || message.toolCalls === undefined) return { role: message.role, content };
  return {
    role: 'assistant',
    content: content === '' ? null : content,
    tool_calls: message.toolCalls.map(({ call, name, arguments: text }) => ({
      id: call,
      type: 'function',
      function: { name, arguments: text },
    })),
  };
}

function finishOf({ choices, usage }: ChatCompletionChunk): ReplyPart | undefined {
  const reason = choices[0]?.finish_reason;
  if (!reason) return undefined;
  if (!usage) return { kind: 'finish', reason };
  const { prompt_tokens: promptTokens, completion_tokens: completionTokens } = usage;
  return { kind: 'finish', reason, usage: { promptTokens, completionTokens } };
}

/** The code for whatever the client throws. */
function failureOf(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted || error instanceof APIUserAbortError) return signal.reason ?? error;
  if (error instanceof VoiceError) return error;
  if (error instanceof APIConnectionTimeoutError) {
    return new VoiceError('engine_timeout', 'the server did not answer in time', { cause: withoutWords(error) });
  }
  const status = error instanceof APIError ? error.status : undefined;
  return typeof status === 'number' ? statusFailure(status, error) : connectionFailure(error);
}

import { VoiceError } from '@parley/protocol';
import { createKeepAliveFetch, type KeepAliveFetch } from '@parley/runtime';
import { type ChatRequest, type ChatResponse, type Message, Ollama, type Tool } from 'ollama';
import type { Config } from '../config.ts';
import type { ChatMessage, LanguageModel, LanguageModelParts, ReplyOptions, ReplyPart } from '../language-model.ts';
import { connectionFailure } from './failure.ts';
import { NoModel, ollamaFetch } from './ollama/fetch.ts';
import { describeModel, firstChatModel } from './ollama/models.ts';
import { ollamaModel, ollamaUrl } from './ollama/server.ts';

/** A local Ollama server, by its own protocol: it loads the model beforehand and keeps it loaded. */
export function createLanguageModel({ config }: LanguageModelParts): LanguageModel {
  return new OllamaModel(config);
}

/** A small model that talks well, for those who have none. */
const EXAMPLE_MODEL = 'llama3.2';

interface Model {
  readonly name: string;
  /** Size of the context that is asked for, always the same: another one would load the model anew. */
  readonly contextTokens: number;
  readonly canCallTools: boolean;
}

class OllamaModel implements LanguageModel {
  readonly name = 'ollama';
  /** What is computed from the cache of an earlier prompt is rounded otherwise. */
  readonly deterministic = false;
  readonly languages = undefined;
  readonly prefill: boolean;
  readonly #config: Config;
  readonly #host: string;
  readonly #keepAlive: KeepAliveFetch = createKeepAliveFetch();
  #model: Model | undefined;

  constructor(config: Config) {
    this.#config = config;
    this.prefill = config.prefill;
    this.#host = ollamaUrl(config);
  }

  get contextTokens(): number {
    return this.#model?.contextTokens ?? this.#config.contextTokens;
  }

  async *reply(
    messages: readonly ChatMessage[],
    { maxTokens, prefill = '', tools = [], noToolCalls = false }: ReplyOptions,
    signal: AbortSignal,
  ): AsyncGenerator<ReplyPart, void, undefined> {
    const beginning: ChatMessage[] = prefill === '' ? [] : [{ role: 'assistant', content: prefill }];
    let finish: ReplyPart | undefined;
    let calls = 0;
    try {
      const model = await this.#chosenModel(signal);
      const request = this.#request(model, {
        messages: [...messages, ...beginning].map(toOllamaMessage),
        options: { num_ctx: model.contextTokens, num_predict: maxTokens, ...this.#temperature },
        // Ollama knows no choice that forbids calls.
        ...(noToolCalls || tools.length === 0 || !model.canCallTools ? {} : { tools: tools.map(toOllamaTool) }),
      });
      for await (const chunk of await this.#client(signal).chat({ ...request, stream: true })) {
        // Empty where the model thinks.
        yield { kind: 'text', text: chunk.message.content };
        for (const call of chunk.message.tool_calls ?? []) {
          const { name, arguments: values } = call.function;
          yield { kind: 'toolCall', call: `call_${calls}`, name, arguments: JSON.stringify(values) };
          calls += 1;
        }
        if (chunk.done) finish = finishOf(chunk, calls > 0);
      }
    } catch (error) {
      throw this.#failureOf(error, signal);
    }
    signal.throwIfAborted();
    if (finish === undefined) throw new VoiceError('engine_failed', 'the server ended the reply before its end');
    yield finish;
  }

  /** Has the server load the model, without a word to say. */
  async warmUp(signal: AbortSignal): Promise<void> {
    try {
      const model = await this.#chosenModel(signal);
      await this.#client(signal).chat({
        ...this.#request(model, { messages: [], options: { num_ctx: model.contextTokens } }),
        stream: false,
      });
    } catch (error) {
      throw this.#failureOf(error, signal);
    }
  }

  close(): Promise<void> {
    return this.#keepAlive.close();
  }

  get #temperature() {
    const { temperature } = this.#config;
    return temperature === undefined ? {} : { temperature };
  }

  /** A client of one request: the library's own way to abort takes effect only when the answer has begun. */
  #client(signal: AbortSignal): Ollama {
    return new Ollama({ host: this.#host, fetch: ollamaFetch(this.#keepAlive.fetch, signal) });
  }

  #request({ name }: Model, parts: Pick<ChatRequest, 'messages' | 'options' | 'tools'>): ChatRequest {
    const { keepAlive } = this.#config;
    return {
      model: name,
      // A number is one of seconds; below zero the model stays for good.
      keep_alive: /^-?\d+$/.test(keepAlive) ? Number(keepAlive) : keepAlive,
      // Nobody hears thoughts, and everybody waits for them.
      think: false,
      ...parts,
    };
  }

  /** The model to ask: the one that is set, or the first one installed that can talk. */
  async #chosenModel(signal: AbortSignal): Promise<Model> {
    if (this.#model !== undefined) return this.#model;
    const client = this.#client(signal);
    const name = ollamaModel(this.#config) ?? (await firstChatModel(client));
    if (name === undefined) throw new VoiceError('engine_missing', `Ollama has no model: ollama pull ${EXAMPLE_MODEL}`);
    const facts = await describeModel(client, name).catch((error) => {
      throw error instanceof NoModel
        ? new VoiceError('engine_missing', `Ollama does not have the model: ollama pull ${name}`)
        : error;
    });
    const contextTokens = Math.min(this.#config.contextTokens, facts.contextTokens ?? Number.POSITIVE_INFINITY);
    this.#model = { name, contextTokens, canCallTools: facts.canCallTools };
    return this.#model;
  }

  #failureOf(error: unknown, signal: AbortSignal): unknown {
    if (signal.aborted) return signal.reason;
    if (error instanceof VoiceError) return error;
    if (error instanceof NoModel) {
      // Removed since; another may be there now.
      const name = this.#model?.name;
      this.#model = undefined;
      return new VoiceError('engine_missing', `Ollama does not have the model: ollama pull ${name}`);
    }
    return connectionFailure(error);
  }
}

function finishOf({ done_reason: reason, prompt_eval_count, eval_count }: ChatResponse, hasCalls: boolean): ReplyPart {
  const usage = { promptTokens: prompt_eval_count ?? 0, completionTokens: eval_count ?? 0 };
  return { kind: 'finish', reason: hasCalls ? 'tool_calls' : reason || 'stop', usage };
}

function toOllamaMessage(message: ChatMessage): Message {
  if (message.role === 'tool') return { role: 'tool', content: message.content, tool_name: message.name };
  const { role, content } = message;
  if (message.role !== 'assistant' || message.toolCalls === undefined) return { role, content };
  const tool_calls = message.toolCalls.map(({ name, arguments: json }) => ({
    function: { name, arguments: objectOf(json) },
  }));
  return { role, content, tool_calls };
}

/** Arguments are an object here; what is none was refused before, and only shown to the model again. */
function objectOf(json: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

const toOllamaTool = ({ name, description, parameters }: NonNullable<ReplyOptions['tools']>[number]): Tool => ({
  type: 'function',
  function: { name, description, parameters },
});

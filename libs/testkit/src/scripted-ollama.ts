import type { IncomingMessage, ServerResponse } from 'node:http';
import { type LlmBehaviour, repeatLastMessage, streamReply, writeBytes } from './scripted-reply.ts';
import { readJson, ScriptedServer, sendJson } from './scripted-server.ts';

/** A request to `/api/chat` as the server saw it. */
export interface OllamaRequest {
  readonly model: string;
  readonly messages: readonly { readonly role: string; readonly content: string; readonly [field: string]: unknown }[];
  readonly stream?: boolean;
  readonly keep_alive?: string | number;
  readonly options?: { readonly num_predict?: number; readonly num_ctx?: number; readonly [option: string]: unknown };
  readonly [field: string]: unknown;
}

export interface ScriptedOllama {
  /** For `PARLEY_LLM_OLLAMA_URL`. */
  readonly url: string;
  /** Replies asked for, in order. */
  readonly requests: readonly OllamaRequest[];
  /** Requests without a message, which only load the model. */
  readonly loads: readonly OllamaRequest[];
  /** Replies that the client closed before their end, with the time (`performance.now()`). */
  readonly abortedAtMs: readonly number[];
  /** Replies being streamed now. */
  readonly active: number;
  /** Changes the behaviour of requests to come; what is not named stays. */
  setBehaviour(change: LlmBehaviour<OllamaRequest>): void;
  /** Installs these models and no others, each with what it can do. */
  setModels(models: Readonly<Record<string, readonly string[]>>): void;
  close(): Promise<void>;
}

export const SCRIPTED_OLLAMA_MODEL = 'scripted:latest';
const CONTEXT_LENGTH = 2_048;

/** Starts a server that speaks Ollama's own protocol with set delays and failures, on a free port of loopback. */
export async function startScriptedOllama(behaviour: LlmBehaviour<OllamaRequest> = {}): Promise<ScriptedOllama> {
  const ollama = new OllamaServer(behaviour);
  await ollama.listen();
  return ollama;
}

class OllamaServer extends ScriptedServer<LlmBehaviour<OllamaRequest>> implements ScriptedOllama {
  readonly requests: OllamaRequest[] = [];
  readonly loads: OllamaRequest[] = [];
  #models: Readonly<Record<string, readonly string[]>> = {
    'embed:latest': ['embedding'],
    [SCRIPTED_OLLAMA_MODEL]: ['completion', 'tools'],
  };

  setModels(models: Readonly<Record<string, readonly string[]>>): void {
    this.#models = models;
  }

  protected async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status } = this.behaviour;
    const path = `${request.method} ${request.url}`;
    if (status !== undefined) {
      request.resume();
      return sendJson(response, status, { error: `scripted ${status}` });
    }
    if (path === 'GET /api/version') return sendJson(response, 200, { version: '0.17.4' });
    if (path === 'GET /api/tags') return sendJson(response, 200, { models: this.#tags() });
    if (path === 'POST /api/show') return this.#show(await readJson<{ model: string }>(request), response);
    if (path === 'POST /api/chat') return await this.#chat(await readJson<OllamaRequest>(request), response);
    request.resume();
    sendJson(response, 404, { error: 'not found' });
  }

  #tags(): object[] {
    return Object.keys(this.#models).map((model) => ({
      ...{ name: model, model, modified_at: '2026-11-20T00:00:00Z', size: 1, digest: 'd' },
      details: { parent_model: '', format: 'gguf', family: 'llama', families: ['llama'], parameter_size: '1M' },
    }));
  }

  #show({ model }: { model: string }, response: ServerResponse): void {
    const capabilities = this.#models[model];
    if (capabilities === undefined) return sendJson(response, 404, { error: `model '${model}' not found` });
    sendJson(response, 200, { details: {}, model_info: { 'llama.context_length': CONTEXT_LENGTH }, capabilities });
  }

  async #chat(body: OllamaRequest, response: ServerResponse): Promise<void> {
    const { model } = body;
    if (this.#models[model] === undefined) return sendJson(response, 404, { error: `model '${model}' not found` });
    const head = () => ({ model, created_at: new Date().toISOString() });
    if (body.messages.length === 0) {
      this.loads.push(body);
      const message = { role: 'assistant', content: '' };
      return sendJson(response, 200, { ...head(), message, done_reason: 'load', done: true });
    }
    this.requests.push(body);
    const behaviour = this.behaviour;
    const write = (line: object): void =>
      writeBytes(response, `${JSON.stringify(line)}\n`, behaviour.raggedBytes === true);
    const send = (message: object): void =>
      write({ ...head(), message: { role: 'assistant', content: '', ...message }, done: false });
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    await streamReply(behaviour.script?.(body) ?? repeatLastMessage(body.messages), {
      ...{ behaviour, maxTokens: body.options?.num_predict, response, timers: this.timers, count: this },
      wire: {
        // Nothing is written before the first token.
        begin: () => undefined,
        token: (content) => send({ content }),
        error: () => write({ error: 'scripted' }),
        calls: (calls) =>
          send({
            tool_calls: calls.map(({ tool, arguments: json }, index) => ({
              id: `call_${index}`,
              function: { index, name: tool, arguments: JSON.parse(json) },
            })),
          }),
        finish: (reason, tokens) =>
          write({
            ...head(),
            message: { role: 'assistant', content: '' },
            // A reply that calls tools has come to its stop like any other.
            done_reason: reason === 'length' ? 'length' : 'stop',
            done: true,
            ...{ total_duration: 1, load_duration: 1, prompt_eval_count: 7, prompt_eval_duration: 1 },
            ...{ eval_count: tokens, eval_duration: 1 },
          }),
        end: () => response.end(),
      },
    });
  }
}

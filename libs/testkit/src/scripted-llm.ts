import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type LlmBehaviour,
  partsOf,
  repeatLastMessage,
  type ScriptedReply,
  streamReply,
  writeBytes,
} from './scripted-reply.ts';
import { readJson, ScriptedServer, sendJson } from './scripted-server.ts';

/** A chat completions request as the server saw it. */
export interface LlmRequest {
  readonly model: string;
  readonly messages: readonly { readonly role: string; readonly content: string; readonly [field: string]: unknown }[];
  readonly stream?: boolean;
  readonly max_tokens?: number;
  readonly [field: string]: unknown;
}

export interface ScriptedLlm {
  /** For `PARLEY_LLM_BASE_URL`, `/v1` included. */
  readonly url: string;
  /** Bodies seen, in order; one-token requests, which only warm a server up, are counted apart. */
  readonly requests: readonly LlmRequest[];
  readonly warmUps: number;
  /** Value of each request's `Authorization` header. */
  readonly authorizations: readonly (string | undefined)[];
  /** Replies that the client closed before their end, with the time (`performance.now()`). */
  readonly abortedAtMs: readonly number[];
  /** The same with the request that was closed. */
  readonly aborts: readonly { readonly request: LlmRequest; readonly atMs: number }[];
  /** Replies being streamed now. */
  readonly active: number;
  /** Connections accepted so far. */
  readonly connections: number;
  /** Changes the behaviour of requests to come; what is not named stays. */
  setBehaviour(change: LlmBehaviour<LlmRequest>): void;
  close(): Promise<void>;
}

export const SCRIPTED_MODEL = 'scripted-model';

/** Starts a server that speaks OpenAI's chat completions with set delays and failures, on a free port of loopback. */
export async function startScriptedLlm(behaviour: LlmBehaviour<LlmRequest> = {}): Promise<ScriptedLlm> {
  const llm = new LlmServer(behaviour);
  await llm.listen('/v1');
  return llm;
}

class LlmServer extends ScriptedServer<LlmBehaviour<LlmRequest>> implements ScriptedLlm {
  readonly requests: LlmRequest[] = [];
  readonly authorizations: (string | undefined)[] = [];
  readonly aborts: { readonly request: LlmRequest; readonly atMs: number }[] = [];
  warmUps = 0;
  connections = 0;
  #replies = 0;

  constructor(behaviour: LlmBehaviour<LlmRequest>) {
    super(behaviour);
    this.server.on('connection', () => {
      this.connections += 1;
    });
  }

  protected async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status } = this.behaviour;
    const path = request.url ?? '';
    if (status !== undefined) {
      request.resume();
      return sendJson(response, status, { error: { message: `scripted ${status}`, type: 'scripted', code: null } });
    }
    if (request.method === 'GET' && path === '/v1/models') {
      const model = { id: SCRIPTED_MODEL, object: 'model', created: 0, owned_by: 'testkit' };
      return sendJson(response, 200, { object: 'list', data: [model] });
    }
    if (request.method !== 'POST' || path !== '/v1/chat/completions') {
      request.resume();
      return sendJson(response, 404, { error: { message: 'no such path', type: 'not_found', code: null } });
    }
    const body = await readJson<LlmRequest>(request);
    if (body.max_tokens === 1) this.warmUps += 1;
    else {
      this.requests.push(body);
      this.authorizations.push(request.headers.authorization);
    }
    if (body.stream === true) await this.#stream(body, response);
    else this.#complete(body, response);
  }

  #complete(body: LlmRequest, response: ServerResponse): void {
    const message = { role: 'assistant', content: partsOf(this.#scriptOf(body)).text };
    const choices = [{ index: 0, message, finish_reason: 'stop' }];
    sendJson(response, 200, { ...this.#head(body, 'chat.completion'), choices });
  }

  #scriptOf(body: LlmRequest): ScriptedReply {
    return this.behaviour.script?.(body) ?? repeatLastMessage(body.messages);
  }

  #head(body: LlmRequest, object: string): object {
    this.#replies += 1;
    return { id: `chatcmpl-${this.#replies}`, object, created: 1_700_000_000, model: body.model };
  }

  async #stream(body: LlmRequest, response: ServerResponse): Promise<void> {
    const behaviour = this.behaviour;
    const head = this.#head(body, 'chat.completion.chunk');
    response.on('close', () => {
      if (!response.writableFinished) this.aborts.push({ request: body, atMs: performance.now() });
    });
    const write = (data: string): void => writeBytes(response, `data: ${data}\n\n`, behaviour.raggedBytes === true);
    const send = (delta: object, finish: string | null = null): void =>
      write(JSON.stringify({ ...head, choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }] }));
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' });
    await streamReply(this.#scriptOf(body), {
      ...{ behaviour, maxTokens: body.max_tokens, response, timers: this.timers, count: this },
      wire: {
        begin: () => send({ role: 'assistant', content: '' }),
        token: (content) => send({ content }),
        error: () => write(JSON.stringify({ error: { message: 'scripted', code: 500 } })),
        calls: (calls) => sendToolCalls(send, calls),
        finish: (reason) => send({}, reason),
        end: () => response.end('data: [DONE]\n\n'),
      },
    });
  }
}

/** A call comes in pieces: its name first, then its arguments. */
function sendToolCalls(
  send: (delta: object) => void,
  calls: readonly { readonly tool: string; readonly arguments: string }[],
): void {
  for (const [index, { tool, arguments: text }] of calls.entries()) {
    const half = Math.ceil(text.length / 2);
    const id = `call_${index + 1}`;
    send({ tool_calls: [{ index, id, type: 'function', function: { name: tool, arguments: '' } }] });
    send({ tool_calls: [{ index, function: { arguments: text.slice(0, half) } }] });
    send({ tool_calls: [{ index, function: { arguments: text.slice(half) } }] });
  }
}

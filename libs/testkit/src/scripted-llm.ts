import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { listenOnFreePort, readJson, sendJson, TimerSet } from './scripted-server.ts';

/** A chat completions request as the server saw it. */
export interface LlmRequest {
  readonly model: string;
  readonly messages: readonly { readonly role: string; readonly content: string }[];
  readonly stream?: boolean;
  readonly max_tokens?: number;
  readonly [field: string]: unknown;
}

export interface LlmBehaviour {
  /** Speed of the reply; infinite when not given. */
  readonly tokensPerSecond?: number | undefined;
  /** Wait before the first token. */
  readonly firstTokenMs?: number;
  /** The reply to a request; the default repeats the last user message. A call of a tool instead of text: an object. */
  readonly script?: (request: LlmRequest) => string | { readonly tool: string; readonly arguments: string };
  /** Hangs up after this many tokens, in the middle of the stream. */
  readonly failAfterTokens?: number | undefined;
  /** Sends an error object after this many tokens, as some servers do, and ends. */
  readonly errorAfterTokens?: number | undefined;
  /** Ends the stream in good order, without a finish, after this many tokens. */
  readonly endAfterTokens?: number | undefined;
  /** Goes silent after this many tokens, the connection open. */
  readonly hangAfterTokens?: number | undefined;
  /** Answers with this status and an error body. */
  readonly status?: number | undefined;
  /** Cuts the stream's bytes at odd places, in the middle of lines and of characters. */
  readonly raggedBytes?: boolean;
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
  /** Replies being streamed now. */
  readonly active: number;
  /** Changes the behaviour of requests to come; what is not named stays. */
  setBehaviour(change: LlmBehaviour): void;
  close(): Promise<void>;
}

export const SCRIPTED_MODEL = 'scripted-model';

/** Starts a server that speaks OpenAI's chat completions with set delays and failures, on a free port of loopback. */
export async function startScriptedLlm(behaviour: LlmBehaviour = {}): Promise<ScriptedLlm> {
  const llm = new LlmServer(behaviour);
  await llm.listen();
  return llm;
}

class LlmServer implements ScriptedLlm {
  readonly requests: LlmRequest[] = [];
  readonly authorizations: (string | undefined)[] = [];
  readonly abortedAtMs: number[] = [];
  warmUps = 0;
  active = 0;
  url = '';
  #behaviour: LlmBehaviour;
  #replies = 0;
  readonly #timers = new TimerSet();
  readonly #server: Server;

  constructor(behaviour: LlmBehaviour) {
    this.#behaviour = behaviour;
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
  }

  async listen(): Promise<void> {
    this.url = `${await listenOnFreePort(this.#server)}/v1`;
  }

  setBehaviour(change: LlmBehaviour): void {
    this.#behaviour = { ...this.#behaviour, ...change };
  }

  async close(): Promise<void> {
    this.#timers.clear();
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status } = this.#behaviour;
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
    const message = { role: 'assistant', content: String(this.#scriptOf(body)) };
    const choices = [{ index: 0, message, finish_reason: 'stop' }];
    sendJson(response, 200, { ...this.#head(body, 'chat.completion'), choices });
  }

  #scriptOf(body: LlmRequest): ReturnType<NonNullable<LlmBehaviour['script']>> {
    const script = this.#behaviour.script ?? repeatLastMessage;
    return script(body);
  }

  #head(body: LlmRequest, object: string): object {
    this.#replies += 1;
    return { id: `chatcmpl-${this.#replies}`, object, created: 1_700_000_000, model: body.model };
  }

  /** Streams one reply; resolves at its end, whoever brought that about. */
  async #stream(body: LlmRequest, response: ServerResponse): Promise<void> {
    const behaviour = this.#behaviour;
    const head = this.#head(body, 'chat.completion.chunk');
    const script = this.#scriptOf(body);
    const tokens = typeof script === 'string' ? tokensOf(script).slice(0, body.max_tokens) : [];
    const gapMs = behaviour.tokensPerSecond === undefined ? 0 : 1_000 / behaviour.tokensPerSecond;
    let isOver = false;
    this.active += 1;
    response.on('close', () => {
      this.active -= 1;
      if (!isOver) this.abortedAtMs.push(performance.now());
      isOver = true;
    });
    const write = (text: string): void => writeSse(response, text, behaviour.raggedBytes === true);
    const send = (delta: object, finish: string | null = null): void =>
      write(JSON.stringify({ ...head, choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }] }));

    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' });
    response.flushHeaders();
    await this.#timers.sleep(behaviour.firstTokenMs ?? 0);
    const startedMs = performance.now();
    if (!isOver) send({ role: 'assistant', content: '' });
    for (const [index, token] of tokens.entries()) {
      if (isOver) return;
      if (index === behaviour.hangAfterTokens) return;
      if (index === behaviour.failAfterTokens) {
        isOver = true;
        return void response.destroy();
      }
      if (index === behaviour.errorAfterTokens) write(JSON.stringify({ error: { message: 'scripted', code: 500 } }));
      if (index === behaviour.errorAfterTokens || index === behaviour.endAfterTokens) {
        isOver = true;
        return void response.end();
      }
      send({ content: token });
      // Against the start, so that the speed holds whatever a timer takes.
      await this.#timers.sleep(startedMs + (index + 1) * gapMs - performance.now());
    }
    if (isOver) return;
    if (typeof script === 'object') sendToolCall(send, script);
    send({}, typeof script === 'object' ? 'tool_calls' : tokens.length === body.max_tokens ? 'length' : 'stop');
    isOver = true;
    response.end('data: [DONE]\n\n');
  }
}

function repeatLastMessage({ messages }: LlmRequest): string {
  return `You said: ${messages.findLast(({ role }) => role === 'user')?.content ?? 'nothing'}`;
}

/** Words with the space before them, about as a tokenizer would; long ones in two. */
function tokensOf(text: string): string[] {
  return text.match(/\s*\S{1,8}|\s+$/gu) ?? [];
}

/** A call comes in pieces: its name first, then its arguments. */
function sendToolCall(
  send: (delta: object) => void,
  { tool, arguments: text }: { tool: string; arguments: string },
): void {
  const half = Math.ceil(text.length / 2);
  send({ tool_calls: [{ index: 0, id: 'call_1', type: 'function', function: { name: tool, arguments: '' } }] });
  send({ tool_calls: [{ index: 0, function: { arguments: text.slice(0, half) } }] });
  send({ tool_calls: [{ index: 0, function: { arguments: text.slice(half) } }] });
}

function writeSse(response: ServerResponse, data: string, ragged: boolean): void {
  const bytes = Buffer.from(`data: ${data}\n\n`);
  if (!ragged) return void response.write(bytes);
  for (let at = 0; at < bytes.length; at += 7) response.write(bytes.subarray(at, at + 7));
}

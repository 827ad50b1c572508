import type { ServerResponse } from 'node:http';
import { type AnswerCount, countAnswer, type TimerSet } from './scripted-server.ts';

/** A call of a tool in place of text. */
export interface ScriptedCall {
  readonly tool: string;
  readonly arguments: string;
}

/** What a scripted server says: text, calls of tools, or text and calls behind it. */
export type ScriptedReply =
  | string
  | ScriptedCall
  | readonly ScriptedCall[]
  | { readonly text: string; readonly calls: readonly ScriptedCall[] };

export interface LlmBehaviour<Request = unknown> {
  /** Speed of the reply; infinite when not given. */
  readonly tokensPerSecond?: number | undefined;
  /** Wait before the first token. */
  readonly firstTokenMs?: number;
  /** The reply to a request; the default repeats the last user message. */
  readonly script?: (request: Request) => ScriptedReply;
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

/** How one protocol writes a reply. */
export interface ReplyWire {
  begin(): void;
  token(text: string): void;
  error(): void;
  calls(calls: readonly ScriptedCall[]): void;
  finish(reason: 'stop' | 'length' | 'tool_calls', tokens: number): void;
  /** Ends the stream in good order. */
  end(): void;
}

/** Streams one reply as the behaviour wants it; resolves at its end, whoever brought that about. */
export async function streamReply(
  script: ScriptedReply,
  options: {
    readonly behaviour: Omit<LlmBehaviour, 'script'>;
    readonly maxTokens: number | undefined;
    readonly response: ServerResponse;
    readonly wire: ReplyWire;
    readonly timers: TimerSet;
    readonly count: AnswerCount;
  },
): Promise<void> {
  const { behaviour, maxTokens, response, wire, timers, count } = options;
  const { text, calls } = partsOf(script);
  const tokens = tokensOf(text).slice(0, maxTokens);
  const gapMs = behaviour.tokensPerSecond === undefined ? 0 : 1_000 / behaviour.tokensPerSecond;
  const answer = countAnswer(count, response);
  response.flushHeaders();
  await timers.sleep(behaviour.firstTokenMs ?? 0);
  const startedMs = performance.now();
  if (!answer.isOver && behaviour.hangAfterTokens !== 0 && behaviour.failAfterTokens !== 0) wire.begin();
  for (let index = 0; index <= tokens.length; index += 1) {
    if (answer.isOver || index === behaviour.hangAfterTokens) return;
    if (index === behaviour.failAfterTokens) {
      answer.isOver = true;
      return void response.destroy();
    }
    if (index === behaviour.errorAfterTokens) wire.error();
    if (index === behaviour.errorAfterTokens || index === behaviour.endAfterTokens) {
      answer.isOver = true;
      return void response.end();
    }
    const token = tokens[index];
    if (token === undefined) break;
    wire.token(token);
    // Against the start, so that the speed holds whatever a timer takes.
    await timers.sleep(startedMs + (index + 1) * gapMs - performance.now());
  }
  if (answer.isOver) return;
  if (calls.length > 0) wire.calls(calls);
  wire.finish(calls.length > 0 ? 'tool_calls' : tokens.length === maxTokens ? 'length' : 'stop', tokens.length);
  answer.isOver = true;
  wire.end();
}

/** Writes bytes as they are, or a few at a time. */
export function writeBytes(response: ServerResponse, text: string, ragged: boolean): void {
  const bytes = Buffer.from(text);
  if (!ragged) return void response.write(bytes);
  for (let at = 0; at < bytes.length; at += 7) response.write(bytes.subarray(at, at + 7));
}

/** The text of a reply and the calls behind it. */
export function partsOf(script: ScriptedReply): { readonly text: string; readonly calls: readonly ScriptedCall[] } {
  if (typeof script === 'string') return { text: script, calls: [] };
  if ('text' in script) return script;
  return { text: '', calls: 'tool' in script ? [script] : script };
}

/** What is said where the test has no script. */
export const repeatLastMessage = (
  messages: readonly { readonly role: string; readonly content: string | null }[],
): string => `You said: ${messages.findLast(({ role }) => role === 'user')?.content ?? 'nothing'}`;

/** Words with the space before them, about as a tokenizer would; long ones in two. */
function tokensOf(text: string): string[] {
  return text.match(/\s*\S{1,8}|\s+$/gu) ?? [];
}

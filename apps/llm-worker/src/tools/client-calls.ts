import type { Bus, LogSubscription } from '@parley/bus';
import type { SessionEvent } from '@parley/protocol';
import type { Clock } from '@parley/runtime';
import type { WorkContext } from '@parley/stage';
import type { ToolCall } from '../language-model.ts';
import { faultyResult, type ToolResult } from './tool-result.ts';

/** Results kept for calls that this try has not come to yet; a reply has no more calls than that. */
const MAX_EARLY_RESULTS = 64;

export interface ClientCallsParts {
  readonly bus: Pick<Bus, 'log'>;
  readonly work: WorkContext<'reply'>;
  /** The attempt at this answer whose calls may have been made already; the reply's own where there was none. */
  readonly origin: number;
  readonly clock: Clock;
  readonly timeoutMs: number;
}

/**
 * Calls that a reply makes of its client: written to the session's log as `tool.call`, answered there by
 * `input.tool_result`. What an earlier try of the reply has asked, or the
 * attempt that it goes on from, is not asked again, and its answer may be there.
 */
export class ClientCalls {
  readonly #parts: ClientCallsParts;
  readonly #turnPrefix: string;
  readonly #prefix: string;
  /** Calls of earlier tries that this one has not come to yet. */
  readonly #asked: ToolCall[] = [];
  readonly #results = new Map<string, string>();
  readonly #waiting = new Map<string, (result: string) => void>();
  readonly #isReleased: Promise<void>;
  #noteReleased: () => void = () => undefined;
  #following: Promise<LogSubscription> | undefined;
  #count = 0;

  constructor(parts: ClientCallsParts) {
    this.#parts = parts;
    const { turn, attempt } = parts.work.ref;
    this.#turnPrefix = `${turn}.`;
    this.#prefix = `${turn}.${attempt}.`;
    this.#isReleased = new Promise((resolve) => {
      this.#noteReleased = resolve;
    });
  }

  /** Resolves when the reply is not held: before that nothing may be done that has effects. */
  async released(signal: AbortSignal): Promise<void> {
    const { work } = this.#parts;
    if (!work.held) return;
    // The message of a release can be lost, its event cannot.
    await this.#follow();
    await untilAbortedOr(signal, Promise.race([work.released, this.#isReleased]));
  }

  /** Has the client do it. Fails only when the signal aborts or the log cannot be read. */
  async call({ name, arguments: text }: ToolCall, signal: AbortSignal): Promise<ToolResult> {
    const { work, clock, timeoutMs } = this.#parts;
    const json = text.trim() === '' ? '{}' : text;
    await this.#follow();
    this.#count += 1;
    const index = this.#asked.findIndex((asked) => asked.name === name && asked.arguments === json);
    const [asked] = index < 0 ? [] : this.#asked.splice(index, 1);
    const call = asked?.call ?? `${this.#prefix}${work.try}.${this.#count}`;
    let cancelTimer = (): void => undefined;
    const answered = new Promise<ToolResult>((resolve) => {
      const settle = (content: string): void => resolve({ outcome: 'ok', content });
      const known = this.#results.get(call);
      if (known !== undefined) return settle(known);
      this.#waiting.set(call, settle);
      const seconds = Math.round(timeoutMs / 1_000);
      cancelTimer = clock.setTimeout(
        () => resolve(faultyResult('timeout', `the client gave no result within ${seconds} seconds`)),
        timeoutMs,
      );
    });
    try {
      if (asked === undefined) {
        const { turn, attempt } = work.ref;
        await work.append({ events: [{ type: 'tool.call', turn, attempt, call, name, arguments: json }] });
      }
      return await untilAbortedOr(signal, answered);
    } finally {
      cancelTimer();
      this.#waiting.delete(call);
    }
  }

  async close(): Promise<void> {
    const following = await this.#following?.catch(() => undefined);
    await following?.close().catch(() => undefined);
  }

  /** From the log's beginning: answers to earlier tries lie behind. */
  #follow(): Promise<LogSubscription> {
    const { bus, work } = this.#parts;
    this.#following ??= bus.log.follow(work.session, '0-0', (event) => this.#hear(event));
    return this.#following;
  }

  #hear(event: SessionEvent): void {
    if (event.type === 'input.tool_result') {
      if (!event.call.startsWith(this.#turnPrefix)) return;
      const settle = this.#waiting.get(event.call);
      // The first answer counts.
      if (settle !== undefined) settle(event.result);
      else if (!this.#results.has(event.call) && this.#results.size < MAX_EARLY_RESULTS) {
        this.#results.set(event.call, event.result);
      }
      return;
    }
    if (event.type !== 'tool.call' && event.type !== 'reply.released') return;
    const { origin, work } = this.#parts;
    const { turn, attempt } = work.ref;
    if (event.turn !== turn || event.attempt > attempt) return;
    if (event.type === 'reply.released') {
      if (event.attempt === attempt) this.#noteReleased();
      return;
    }
    // This try's own calls are waited for already.
    if (event.attempt >= origin && !this.#waiting.has(event.call)) this.#asked.push(event);
  }
}

/** The promise's value, or the reason of the signal when that aborts first. */
async function untilAbortedOr<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  signal.throwIfAborted();
  let onAbort = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

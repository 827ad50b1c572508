import type { Bus } from '@parley/bus';
import type { Clock } from '@parley/runtime';
import type { WorkContext } from '@parley/stage';
import type { ChatMessage, ToolCall, ToolDefinition } from '../language-model.ts';
import type { LlmMetrics } from '../metrics.ts';
import { callOverHttp } from './call-over-http.ts';
import { ClientCalls } from './client-calls.ts';
import { FILLER_AFTER_MS, fillerFor } from './filler.ts';
import { definitionOf, type ServerTool } from './server-tools.ts';
import { cutResult, faultyResult, type ToolResult } from './tool-result.ts';

/** Calls that are made at a time; a model that wants more is told so. */
const MAX_CALLS_AT_ONCE = 8;

export interface ToolBoxParts {
  readonly serverTools: readonly ServerTool[];
  readonly work: WorkContext<'reply'>;
  /** The attempt at this answer whose calls may have been made already; the reply's own where there was none. */
  readonly origin: number;
  readonly bus: Pick<Bus, 'log'>;
  readonly clock: Clock;
  readonly metrics: LlmMetrics;
  readonly fetch: typeof fetch;
  readonly clientTimeoutMs: number;
  /** Characters that one result may have. */
  readonly maxResultChars: number;
}

/** What to say while tools take long, and when. */
export interface Filler {
  readonly text: string;
  readonly afterMs: number;
}

/** The tools of one reply: the operator's, which this worker calls, and the session's, which its client has. */
export class ToolBox {
  /** What the model is told of. */
  readonly definitions: readonly ToolDefinition[];
  readonly #parts: ToolBoxParts;
  readonly #serverTools: ReadonlyMap<string, ServerTool>;
  readonly #clientTools: ReadonlySet<string>;
  readonly #clientCalls: ClientCalls;
  #serverCallCount = 0;

  constructor(parts: ToolBoxParts) {
    const { serverTools, work, origin, bus, clock, clientTimeoutMs } = parts;
    this.#parts = parts;
    this.#serverTools = new Map(serverTools.map((tool) => [tool.name, tool]));
    // A client cannot take the place of what the operator has set up.
    const ofClient = work.settings.tools.filter(({ name }) => !this.#serverTools.has(name));
    this.#clientTools = new Set(ofClient.map(({ name }) => name));
    this.definitions = [...serverTools.map(definitionOf), ...ofClient];
    this.#clientCalls = new ClientCalls({ bus, work, origin, clock, timeoutMs: clientTimeoutMs });
  }

  /** What to say if these calls take long: the first of them that has words of its own decides. */
  fillerFor(calls: readonly ToolCall[]): Filler {
    const tools = calls.flatMap(({ name }) => this.#serverTools.get(name) ?? []);
    const own = tools.find(({ filler }) => filler !== undefined);
    return {
      text: own?.filler ?? fillerFor(this.#parts.work.settings.language),
      afterMs: (own ?? tools[0])?.fillerAfterMs ?? FILLER_AFTER_MS,
    };
  }

  /** Resolves when effects are allowed: not while the reply may still be thrown away unheard. */
  released(): Promise<void> {
    return this.#clientCalls.released(this.#parts.work.signal);
  }

  /** Makes the calls, side by side, and gives the messages that tell the model of their results. */
  async run(calls: readonly ToolCall[]): Promise<ChatMessage[]> {
    return await Promise.all(
      calls.map(async (call, index): Promise<ChatMessage> => {
        const result =
          index < MAX_CALLS_AT_ONCE ? await this.#call(call) : faultyResult('refused', 'too many calls at once');
        const { content } = cutResult(result, this.#parts.maxResultChars);
        return { role: 'tool', call: call.call, name: call.name, content };
      }),
    );
  }

  close(): Promise<void> {
    return this.#clientCalls.close();
  }

  async #call(call: ToolCall): Promise<ToolResult> {
    const { clock, metrics, work } = this.#parts;
    const serverTool = this.#serverTools.get(call.name);
    const side = serverTool === undefined ? 'client' : 'server';
    const startedMs = clock.nowMs();
    const result = await (serverTool === undefined ? this.#callClient(call) : this.#callServer(serverTool, call));
    const { outcome } = result;
    metrics.toolCalls.inc({ side, outcome });
    metrics.toolSeconds.observe({ side }, (clock.nowMs() - startedMs) / 1_000);
    if (outcome !== 'ok') work.logger.warn({ side, outcome, tool: serverTool?.name }, 'tool gave no result');
    return result;
  }

  async #callClient(call: ToolCall): Promise<ToolResult> {
    if (!this.#clientTools.has(call.name)) return faultyResult('refused', 'there is no such function');
    if (argumentsOf(call) === undefined) return faultyResult('refused', 'the arguments are no JSON object');
    return await this.#clientCalls.call(call, this.#parts.work.signal);
  }

  async #callServer(tool: ServerTool, call: ToolCall): Promise<ToolResult> {
    const { clock, fetch, origin, work } = this.#parts;
    this.#serverCallCount += 1;
    const values = argumentsOf(call);
    if (values === undefined) return faultyResult('refused', 'the arguments are no JSON object');
    const faults = tool.faultsOf(values);
    if (faults !== undefined) return faultyResult('refused', faults);
    const idempotencyKey = `${work.session}.${work.ref.turn}.${origin}.${this.#serverCallCount}`;
    return await callOverHttp({ tool, values, idempotencyKey, fetch, clock }, work.signal);
  }
}

/** Models leave the arguments of a function without any empty. */
function argumentsOf({ arguments: json }: ToolCall): Record<string, unknown> | undefined {
  if (json.trim() === '') return {};
  try {
    const values: unknown = JSON.parse(json);
    return typeof values === 'object' && values !== null && !Array.isArray(values) ? { ...values } : undefined;
  } catch {
    return undefined;
  }
}

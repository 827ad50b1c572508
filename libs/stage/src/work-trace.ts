import type { Job } from '@parley/protocol';
import { type Attributes, recordSpan, startSpan, type TraceSpan } from '@parley/runtime';
import type { WorkQueueName } from './stage.ts';

/** What the first result of a stage is called. */
const FIRST_RESULT = { reply: 'first token', speak: 'first audio' } as const satisfies Record<WorkQueueName, string>;

/**
 * The spans of one job in the trace of its turn: `queue.<name>` (offered → taken), `claim`, the work itself with its first
 * result, and `cancel` (decided → engine let go). All times are Redis TIME as this process knows it, so that the spans of
 * processes whose clocks differ lie right. A job that belongs to no trace leaves none.
 */
export class WorkTrace {
  readonly #queue: WorkQueueName;
  readonly #job: Job<WorkQueueName>;
  readonly #nowMs: () => number;
  readonly #takenMs: number;
  #claimedMs = 0;
  #work: TraceSpan | undefined;

  constructor(queue: WorkQueueName, job: Job<WorkQueueName>, queuedMs: number, nowMs: () => number) {
    this.#queue = queue;
    this.#job = job;
    this.#nowMs = nowMs;
    this.#takenMs = nowMs();
    this.#record(`queue.${queue}`, this.#takenMs - queuedMs, this.#takenMs);
  }

  /** The claim was answered; what it answered. */
  claimed(result: string): void {
    this.#claimedMs = this.#nowMs();
    this.#record('claim', this.#takenMs, this.#claimedMs, { 'parley.claim': result });
  }

  /** The work begins. Answers the `traceparent` for what it publishes. */
  began(): string | undefined {
    const { trace } = this.#job;
    if (trace === undefined) return undefined;
    const attributes = this.#attributes();
    this.#work = startSpan(this.#queue, { parent: trace, kind: 'consumer', attributes, startMs: this.#claimedMs });
    return this.#work.traceparent;
  }

  /** The first result has been published. */
  firstResult(): void {
    const name = FIRST_RESULT[this.#queue];
    const nowMs = this.#nowMs();
    this.#work?.event(name, {}, nowMs);
    const parent = this.#work?.traceparent;
    if (parent !== undefined) recordSpan(name, { parent, startMs: this.#claimedMs }, nowMs);
  }

  /** Runs `fn` inside the work's span. */
  run<T>(fn: () => T): T {
    return this.#work ? this.#work.run(fn) : fn();
  }

  /** The engine has let go of work that was cancelled at this time. */
  cancelled(decidedAtMs: number): void {
    this.#record('cancel', decidedAtMs, this.#nowMs(), { 'parley.stage': this.#queue });
  }

  ended(outcome: string, error?: unknown): void {
    this.#work?.set({ 'parley.outcome': outcome });
    if (error !== undefined) this.#work?.fail(error);
    this.#work?.end(this.#nowMs());
  }

  #record(name: string, startMs: number, endMs: number, attributes: Attributes = {}): void {
    const { trace } = this.#job;
    if (trace === undefined) return;
    recordSpan(
      name,
      { parent: trace, kind: 'consumer', startMs, attributes: { ...this.#attributes(), ...attributes } },
      endMs,
    );
  }

  #attributes(): Attributes {
    const { session, turn, attempt, try: number } = this.#job;
    const clause = 'clause' in this.#job ? { 'parley.clause': this.#job.clause } : {};
    return {
      ...{ 'parley.session': session, 'parley.turn': turn, 'parley.attempt': attempt, 'parley.try': number },
      ...clause,
    };
  }
}

import type { NewEvent, Reply } from '@parley/protocol';
import type { Clock } from '@parley/runtime';
import type { WorkContext } from '@parley/stage';
import { ClauseSplitter } from './clauses.ts';

/** Text is gathered this long before it is published: a fast engine must not make an event of every token. */
const COALESCE_MS = 50;

export interface ReplyWriterOptions {
  readonly clock: Clock;
  readonly language: string;
  /** Clauses that earlier tries have published. */
  readonly published: readonly string[];
  onClauses(count: number): void;
}

/**
 * Publishes a reply as it grows: deltas at once or gathered for a moment, clauses as soon as they are decided. The
 * work's `resumeAt` is the number of characters of the reply that deltas have carried, so that it moves with every write
 * and a further try sends no text twice.
 */
export class ReplyWriter {
  readonly #work: WorkContext<'reply'>;
  readonly #options: ReplyWriterOptions;
  readonly #splitter: ClauseSplitter;
  #text: string;
  /** Characters of the text that have been given to deltas. */
  #sentChars: number;
  #nextClause: number;
  #waiting: NewEvent[] = [];
  #cancelTimer: (() => void) | undefined;

  constructor(work: WorkContext<'reply'>, options: ReplyWriterOptions) {
    this.#work = work;
    this.#options = options;
    this.#nextClause = options.published.length;
    this.#splitter = new ClauseSplitter(options.language, { firstClause: this.#nextClause });
    this.#text = options.published.join('');
    this.#sentChars = work.resumeAt;
  }

  /** What every event of the reply carries; the flag goes when the reply is released. */
  get #envelope(): Reply & { readonly held?: boolean } {
    const { turn, attempt } = this.#work.ref;
    return this.#work.held ? { turn, attempt, held: true } : { turn, attempt };
  }

  /** The whole reply so far, what earlier tries published included. */
  get text(): string {
    return this.#text;
  }

  /** Adds speakable text. Waits for the writes that it causes, which holds a fast engine back. */
  async add(text: string): Promise<void> {
    if (text === '') return;
    const isFirst = this.#text === '';
    this.#text += text;
    this.#addClauses(this.#splitter.push(text));
    if (isFirst || this.#waiting.length > 0) await this.#flush();
    else this.#flushSoon();
  }

  /** Has everything so far and `text` spoken: the reply goes on only after a while, on a new line. */
  async pause(text = ''): Promise<void> {
    this.#text += text;
    this.#addClauses(this.#splitter.push(text));
    if (this.#text === '') return;
    if (!this.#text.endsWith('\n')) {
      this.#text += '\n';
      this.#addClauses(this.#splitter.push('\n'));
    }
    this.#addClauses(this.#splitter.pause());
    await this.#flush();
  }

  /** Ends the reply; the work is done. */
  async finish(reason: string): Promise<void> {
    this.#addClauses(this.#splitter.flush());
    this.#waiting.push({
      type: 'reply.done',
      ...this.#envelope,
      text: this.#text,
      clauses: this.#nextClause,
      finish: reason,
    });
    await this.#flush(true);
  }

  /** Lets go of the timer. What has not been published is dropped. */
  close(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #addClauses(clauses: readonly string[]): void {
    for (const text of clauses) {
      this.#waiting.push({ type: 'reply.clause', ...this.#envelope, clause: this.#nextClause, text });
      this.#nextClause += 1;
    }
    if (clauses.length > 0) this.#options.onClauses(clauses.length);
  }

  #flushSoon(): void {
    this.#cancelTimer ??= this.#options.clock.setTimeout(() => {
      // A failed write fails all later ones: the reply learns of it there, or by its signal.
      this.#flush().catch(() => undefined);
    }, COALESCE_MS);
  }

  #flush(done = false): Promise<void> {
    this.close();
    const unsent = this.#text.slice(this.#sentChars);
    const delta: NewEvent[] = unsent === '' ? [] : [{ type: 'reply.delta', ...this.#envelope, text: unsent }];
    const events = [...delta, ...this.#waiting];
    this.#waiting = [];
    this.#sentChars = Math.max(this.#sentChars, this.#text.length);
    if (events.length === 0) return Promise.resolve();
    return this.#work.append({ events, resumeAt: this.#sentChars, ...(done ? { done } : {}) });
  }
}

import type { WorkQueues } from '@parley/bus';
import { type NewJob, type SessionId, VoiceError, type WorkRef, workKey } from '@parley/protocol';
import { backoff, type Clock } from '@parley/runtime';
import { type Command, outstandingWork, type TurnState } from './turn-machine/index.ts';

/** Commands that wait for a queue in this process; Redis keeps them all. */
const MAX_WAITING = 64;

type QueuedJob =
  | { readonly queue: 'listen'; readonly job: NewJob<'listen'> }
  | { readonly queue: 'reply'; readonly job: NewJob<'reply'> }
  | { readonly queue: 'speak'; readonly job: NewJob<'speak'> };

/** The id of the job that offers this try of a piece of work. Each try has its own, so that none is thinned out. */
export const workJobId = (session: SessionId, ref: WorkRef, number: number): string =>
  `${session}.${workKey(ref)}.${number}`;

const listenJobId = (session: SessionId, number: number): string => `${session}.listen.${number}`;

/** A command as it stands in the outbox: id of the job, and the job itself as JSON. */
export function outboxEntry(session: SessionId, command: Command): [id: string, json: string] {
  const trace = command.trace === undefined ? {} : { trace: command.trace };
  if (command.queue === 'listen') {
    const entry: QueuedJob = { queue: 'listen', job: { session, expect: command.expect, ...trace } };
    return [listenJobId(session, command.number), JSON.stringify(entry)];
  }
  const { ref, try: number, deadlineMs } = command;
  const { turn, attempt } = ref;
  const work = { session, turn, attempt, try: number, deadlineMs, ...trace };
  const held = command.held ? { held: true } : {};
  const entry: QueuedJob =
    ref.stage === 'reply'
      ? { queue: 'reply', job: { ...work, ...held } }
      : { queue: 'speak', job: { ...work, clause: ref.clause } };
  return [workJobId(session, ref, number), JSON.stringify(entry)];
}

/** Takes back what a session that is over still has in the queues. What a worker takes meanwhile finds it closed. */
export async function withdrawJobs(queues: WorkQueues, session: SessionId, state: TurnState): Promise<void> {
  const outstanding = outstandingWork(state);
  const ids = (stage: WorkRef['stage']) =>
    outstanding.filter(({ ref }) => ref.stage === stage).map((work) => workJobId(session, work.ref, work.try));
  await Promise.all([
    queues.listen.remove([listenJobId(session, state.listener.offers)]),
    queues.reply.remove(ids('reply')),
    queues.speak.remove(ids('speak')),
  ]);
}

/**
 * Brings decided commands into the queues, with retries while Redis is away. Those that are there are collected in
 * `done`, for the next commit to forget.
 */
export class Outbox {
  readonly #queues: WorkQueues;
  readonly #clock: Clock;
  readonly #onFailed: (reason: unknown) => void;
  readonly #onFull: () => void;
  /** Ids of commands on their way. */
  readonly #waiting = new Set<string>();
  readonly #batches = new Set<Promise<void>>();
  #done: string[] = [];
  readonly #closed = new AbortController();

  constructor(queues: WorkQueues, clock: Clock, onFailed: (reason: unknown) => void, onFull = () => {}) {
    this.#onFull = onFull;
    this.#queues = queues;
    this.#clock = clock;
    this.#onFailed = onFailed;
  }

  /** The offers are sent before this returns: what was sent to Redis before them goes ahead. */
  add(entries: Iterable<readonly [id: string, json: string]>): void {
    if (this.#closed.signal.aborted) return;
    const batch: (readonly [id: string, json: string])[] = [];
    for (const [id, json] of entries) {
      if (this.#waiting.has(id)) continue;
      // What finds no room stays in Redis and is driven again by whoever owns the session next.
      if (this.#waiting.size >= MAX_WAITING) {
        this.#onFull();
        break;
      }
      this.#waiting.add(id);
      batch.push([id, json]);
    }
    if (batch.length === 0) return;
    const bringing = this.#bring(batch).finally(() => this.#batches.delete(bringing));
    this.#batches.add(bringing);
  }

  get hasDone(): boolean {
    return this.#done.length > 0;
  }

  /** Ids that are in their queues since this was last asked. */
  takeDone(): string[] {
    const done = this.#done;
    this.#done = [];
    return done;
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await Promise.all(this.#batches);
  }

  /** Offers all at once, and what Redis did not take one after the other until it is back. */
  async #bring(batch: readonly (readonly [id: string, json: string])[]): Promise<void> {
    const arrived = await Promise.all(batch.map(([id, json]) => this.#offered(id, json)));
    const away = batch.filter(([id], index) => !this.#settle(id, arrived[index] ?? false));
    const wait = backoff({ initialMs: 20, maxMs: 500 });
    let isAway = true;
    for (const [id, json] of away) {
      do {
        if (isAway) await this.#clock.sleep(wait.next(), this.#closed.signal).catch(() => undefined);
        if (this.#closed.signal.aborted) return;
        isAway = !this.#settle(id, await this.#offered(id, json));
      } while (isAway);
      wait.reset();
    }
  }

  #settle(id: string, isThere: boolean): boolean {
    if (!isThere) return false;
    this.#waiting.delete(id);
    this.#done.push(id);
    return true;
  }

  /** Answers false where Redis is away. */
  async #offered(id: string, json: string): Promise<boolean> {
    try {
      await this.#offer(id, json);
    } catch (reason) {
      if (VoiceError.from(reason).code === 'bus_unavailable') return false;
      // Nothing will ever make it go: the watch finds the work unclaimed and offers it anew.
      this.#onFailed(reason);
    }
    return true;
  }

  async #offer(id: string, json: string): Promise<void> {
    // Written by an owner of this or an earlier version; the consumer validates what it takes.
    const { queue, job } = JSON.parse(json) as QueuedJob;
    switch (queue) {
      case 'listen':
        return this.#queues.listen.offer(id, job);
      case 'reply':
        return this.#queues.reply.offer(id, job);
      case 'speak':
        return this.#queues.speak.offer(id, job);
      default:
        return queue satisfies never;
    }
  }
}

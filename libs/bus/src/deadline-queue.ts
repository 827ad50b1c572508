import { decodeJob, type Job, type NewJob, type QueueName, queueKeys, stampJob, VoiceError } from '@parley/protocol';
import type { Redis } from 'ioredis';
import { type ConnectionContext, inTime, openRedis, type RedisConnection, unavailable } from './redis-connection.ts';
import type { RedisTime } from './redis-time.ts';
import { runScript } from './scripts.ts';
import type { WorkQueue, WorkTaker } from './work-queue.ts';

/** Queues whose jobs carry a deadline. */
export type DeadlineQueueName = Exclude<QueueName, 'listen'>;

/** Jobs that may wait in one queue; an offer beyond is refused and counted. */
const MAX_WAITING = 100_000;
/** An id is forgotten when its job is taken, and after this time where a taker died in between. */
const ID_LIFETIME_MS = 120_000;
/** A frozen idle taker swallows one job; after this time Redis gives it no more. */
const BLOCK_S = 0.5;
const RETRY_MS = 100;
const NEWER_JOB_PAUSE_MS = 500;
const CLOSE_TIMEOUT_MS = 5_000;
/** What waiting for the last answer of Redis may take. */
const RELEASE_TIMEOUT_MS = 500;

export interface DeadlineQueueContext extends ConnectionContext {
  /** Offers go this way, behind whatever was sent on it before: a commit and the offers that follow from it need no wait. */
  readonly commands: RedisConnection;
  readonly time: RedisTime;
}

/**
 * A queue in one sorted set, by deadline. A taker blocks on the set itself, so that a job reaches it in the very answer
 * that takes it out: one hop, where a queue with locks needs three round trips. The price is that a job whose taker dies
 * before it claims anything is gone; its owner sees that it stays unclaimed and offers the next try.
 */
export function createDeadlineQueue<Q extends DeadlineQueueName>(
  name: Q,
  context: DeadlineQueueContext,
  takers: Set<WorkTaker>,
): WorkQueue<Q> {
  const { commands, time } = context;
  const keys = queueKeys(name);

  return {
    async offer(id, job: NewJob<Q>) {
      const member = encodeMember(id, time.nowMs(), stampJob(job));
      const args = [job.deadlineMs, member, ID_LIFETIME_MS, MAX_WAITING];
      const reply = await runScript(commands, 'offer', [keys.jobs, keys.job(id)], args);
      if (reply !== 'FULL') return;
      context.metrics.refusals.inc({ script: 'offer', code: reply });
      throw new VoiceError('overloaded', `too many jobs wait in ${name}`);
    },

    async remove(ids) {
      if (ids.length === 0) return;
      // One that has been taken is known no more: its claim is what stops it.
      await runScript(commands, 'withdraw', [keys.jobs, ...ids.map(keys.job)], []);
    },

    depth: () => commands.run((redis) => redis.zcard(keys.jobs)),

    async take({ slots, handler }) {
      const taker = new DeadlineTaker<Q>({ name, context, slots, handler, onClosed: () => takers.delete(taker) });
      takers.add(taker);
      await taker.open();
      return taker;
    },
  };
}

/** A waiting job as it lies in the set: `<id> <Redis TIME of the offer> <job as JSON>`. */
interface Member {
  readonly id: string;
  readonly offeredAtMs: number;
  readonly json: string;
}

const encodeMember = (id: string, offeredAtMs: number, job: object): string =>
  `${id} ${Math.round(offeredAtMs)} ${JSON.stringify(job)}`;

function decodeMember(member: string): Member {
  const idEnd = member.indexOf(' ');
  const atEnd = member.indexOf(' ', idEnd + 1);
  return {
    id: member.slice(0, idEnd),
    offeredAtMs: Number(member.slice(idEnd + 1, atEnd)),
    json: member.slice(atEnd + 1),
  };
}

interface TakerParts<Q extends DeadlineQueueName> {
  readonly name: Q;
  readonly context: DeadlineQueueContext;
  readonly slots: number;
  readonly handler: (job: Job<Q>, info: { queuedMs: number }) => Promise<void>;
  readonly onClosed: () => void;
}

/** Takes jobs one after the other while it has free slots, over a connection of its own that blocks. */
class DeadlineTaker<Q extends DeadlineQueueName> implements WorkTaker {
  readonly #parts: TakerParts<Q>;
  readonly #redis: Redis;
  #running = 0;
  #paused = false;
  #closed = false;
  #loop: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  /** Called once when a slot has become free, the pause is over, or the taker closes. */
  #waiting: (() => void)[] = [];
  /** Puts back at once what is kept for newer readers. */
  readonly #kept = new Set<() => void>();

  constructor(parts: TakerParts<Q>) {
    this.#parts = parts;
    const { name, context } = parts;
    this.#redis = openRedis(context.url, `${name}-taker`, {
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
      // Longer than a read ever blocks: a node that is lost says nothing, and its socket is replaced.
      socketTimeout: 4 * BLOCK_S * 1_000,
    });
    this.#redis.on('error', (error) => context.logger.debug({ err: error, queue: name }, 'taker connection error'));
  }

  /** Rejects with `bus_unavailable` when Redis does not answer. */
  async open(): Promise<void> {
    const { clock, commandTimeoutMs } = this.#parts.context;
    try {
      await inTime(this.#redis.connect(), 2 * commandTimeoutMs, clock);
    } catch (error) {
      await this.close(0);
      throw unavailable(error);
    }
    this.#loop = this.#takeUntilClosed();
  }

  async pause(): Promise<void> {
    this.#paused = true;
  }

  async resume(): Promise<void> {
    if (this.#closing) return;
    this.#paused = false;
    this.#changed();
  }

  close(timeoutMs = CLOSE_TIMEOUT_MS): Promise<void> {
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  async #close(timeoutMs: number): Promise<void> {
    const { clock } = this.#parts.context;
    this.#paused = true;
    const deadlineMs = clock.nowMs() + timeoutMs;
    while (this.#running > 0 && clock.nowMs() < deadlineMs) {
      const cancel = clock.setTimeout(() => this.#changed(), deadlineMs - clock.nowMs());
      await this.#change();
      cancel();
    }
    this.#closed = true;
    this.#changed();
    for (const putBack of [...this.#kept]) putBack();
    // The read under way ends by itself soon, and what it still brings goes back into the queue.
    const late = new AbortController();
    const limit = clock.sleep(BLOCK_S * 1_000 + RELEASE_TIMEOUT_MS, late.signal).catch(() => {});
    await Promise.race([this.#loop, limit]).finally(() => late.abort());
    this.#redis.disconnect();
    await this.#loop;
    this.#parts.onClosed();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => void this.#waiting.push(resolve));
  }

  #changed(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  async #takeUntilClosed(): Promise<void> {
    const { name, context, slots } = this.#parts;
    const { jobs } = queueKeys(name);
    while (!this.#closed) {
      if (this.#paused || this.#running >= slots) {
        await this.#change();
        continue;
      }
      try {
        const taken = await this.#redis.bzpopmin(jobs, BLOCK_S);
        if (taken !== null) this.#take(taken[1], Number(taken[2]));
      } catch (error) {
        if (this.#closed) return;
        context.logger.debug({ err: error, queue: name }, 'no job could be taken, trying again');
        await context.clock.sleep(RETRY_MS);
      }
    }
  }

  #take(member: string, deadlineMs: number): void {
    const { name, context } = this.#parts;
    const putBack = (): void => this.#putBack(member, deadlineMs);
    // Taken by a read that was under way when the pause came: somebody else's, at once.
    if (this.#paused) return putBack();
    const { id, offeredAtMs, json } = decodeMember(member);
    const decoded = decodeJob(name, parseJson(json));
    if (!decoded.ok) context.metrics.jobsSkipped.inc({ queue: name, reason: decoded.reason });
    if (!decoded.ok && decoded.reason === 'newer') return this.#keep(putBack);
    // Forgotten ahead of the next read, and without waiting for it.
    this.#redis.del(queueKeys(name).job(id)).catch(() => {});
    if (decoded.ok) void this.#run(id, decoded.value, Math.max(0, context.time.nowMs() - offeredAtMs));
  }

  async #run(id: string, job: Job<Q>, queuedMs: number): Promise<void> {
    const { name, context, handler } = this.#parts;
    context.metrics.queueHop.observe({ queue: name }, queuedMs / 1_000);
    this.#running += 1;
    try {
      await handler(job, { queuedMs });
    } catch (error) {
      context.logger.error({ err: error, queue: name, job: id }, 'job handler failed');
    } finally {
      this.#running -= 1;
      this.#changed();
    }
  }

  /** As it was: its id is still known. */
  #putBack(member: string, deadlineMs: number): void {
    const { name, context } = this.#parts;
    context.commands
      .run((redis) => redis.zadd(queueKeys(name).jobs, deadlineMs, member))
      .catch((error: unknown) => context.logger.warn({ err: error, queue: name }, 'a job could not be put back'));
  }

  /** Leaves others the time to take what this one cannot read. */
  #keep(putBack: () => void): void {
    const done = (): void => {
      cancel();
      this.#kept.delete(done);
      putBack();
    };
    const cancel = this.#parts.context.clock.setTimeout(done, NEWER_JOB_PAUSE_MS);
    this.#kept.add(done);
  }
}

/** Undefined for what is not JSON. */
function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

import { decodeJob, type Job, type NewJob, type QueueName, stampJob } from '@parley/protocol';
import { type Job as BullJob, DelayedError, Queue, WaitingError, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { type ConnectionContext, inTime, openRedis, RedisConnection, unavailable } from './redis-connection.ts';
import type { RedisTime } from './redis-time.ts';
import type { WorkQueue, WorkTaker } from './work-queue.ts';

/** A frozen idle worker swallows the wake-up of a new job; the others look by themselves this often. */
const DRAIN_DELAY_S = 0.5;
/** Saves jobs that were taken by a worker that died before it claimed anything. */
const LOCK_MS = 8_000;
const STALLED_CHECK_MS = 5_000;
/** A job is an offer: however many workers die with it, it is never failed for good. */
const MAX_STALLED = 1_000_000;
/** Pause after trouble with Redis, and before a job for newer readers is offered again. */
const RETRY_MS = 100;
const NEWER_JOB_PAUSE_MS = 500;
const CLOSE_TIMEOUT_MS = 5_000;
/** What closing the connections may take when Redis does not answer. */
const RELEASE_TIMEOUT_MS = 500;
/** BullMQ writes events that nobody reads. */
const EVENTS_KEPT = 100;

interface QueueContext extends ConnectionContext {
  readonly time: RedisTime;
}

/** A queue over BullMQ, in the order of its offers. A job whose taker dies is given to another after a while. */
export function createBullmqQueue<Q extends QueueName>(
  name: Q,
  context: QueueContext,
  takers: Set<WorkTaker>,
): WorkQueue<Q> & { close(): Promise<void> } {
  const producer = new Producer(name, context);
  return {
    async offer(id, job: NewJob<Q>) {
      await producer.run((queue) =>
        queue.add(name, stampJob(job), { jobId: id, timestamp: Math.round(context.time.nowMs()) }),
      );
    },

    async remove(ids) {
      // One that is being worked on is locked and stays: its claim is what stops it.
      await producer.run((queue) => Promise.all(ids.map((id) => queue.remove(id))));
    },

    depth: () => producer.run((queue) => queue.getJobCountByTypes('waiting', 'delayed')),

    async take({ slots, handler }) {
      const taker = new BullmqTaker(name, context, slots, handler, () => takers.delete(taker));
      takers.add(taker);
      await taker.open();
      return taker;
    },

    close: () => producer.close(),
  };
}

/** Adds, removes and counts jobs over a connection that the first call opens; it never hangs while Redis is away. */
class Producer {
  readonly #name: QueueName;
  readonly #context: ConnectionContext;
  #connection: RedisConnection | undefined;
  #opening: Promise<Queue> | undefined;

  constructor(name: QueueName, context: ConnectionContext) {
    this.#name = name;
    this.#context = context;
  }

  async run<T>(command: (queue: Queue) => Promise<T>): Promise<T> {
    try {
      this.#opening ??= this.#open();
      return await command(await this.#opening);
    } catch (error) {
      throw unavailable(error);
    }
  }

  async close(): Promise<void> {
    const queue = await this.#opening?.catch(() => undefined);
    await queue?.close().catch(() => {});
    this.#connection?.close();
  }

  async #open(): Promise<Queue> {
    try {
      const connection = new RedisConnection(`${this.#name}-queue`, this.#context);
      await connection.open();
      this.#connection = connection;
      const queue = new Queue(this.#name, {
        connection: connection.redis,
        // Nothing of a job is kept: its id names the session, and a job that comes twice finds its claim taken or done.
        defaultJobOptions: { removeOnComplete: true, removeOnFail: true },
        streams: { events: { maxLen: EVENTS_KEPT } },
      });
      queue.on('error', (error) => this.#context.logger.debug({ err: error, queue: this.#name }, 'queue error'));
      await queue.waitUntilReady();
      return queue;
    } catch (error) {
      this.#opening = undefined;
      throw error;
    }
  }
}

/** One BullMQ worker. It holds two connections of its own, which wait for Redis as long as it takes. */
class BullmqTaker<Q extends QueueName> implements WorkTaker {
  readonly #name: Q;
  readonly #context: QueueContext;
  readonly #handler: (job: Job<Q>, info: { queuedMs: number }) => Promise<void>;
  readonly #onClosed: () => void;
  readonly #redis: Redis;
  readonly #worker: Worker;
  /** Ids of the jobs taken and not yet reported as finished. */
  readonly #running = new Set<string>();
  #paused = false;
  #closing: Promise<void> | undefined;
  #onIdle = (): void => {};

  constructor(
    name: Q,
    context: QueueContext,
    slots: number,
    handler: (job: Job<Q>, info: { queuedMs: number }) => Promise<void>,
    onClosed: () => void,
  ) {
    this.#name = name;
    this.#context = context;
    this.#handler = handler;
    this.#onClosed = onClosed;
    this.#redis = openRedis(context.url, `${name}-worker`, {
      maxRetriesPerRequest: null,
      // Longer than BullMQ ever blocks: a node that is lost says nothing, and its socket is replaced.
      socketTimeout: 12_000,
    });
    this.#redis.on('error', (error) => context.logger.debug({ err: error, queue: name }, 'worker connection error'));
    this.#worker = new Worker(name, (job, token) => this.#run(job, token), {
      connection: this.#redis,
      autorun: false,
      concurrency: slots,
      drainDelay: DRAIN_DELAY_S,
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_CHECK_MS,
      maxStalledCount: MAX_STALLED,
      runRetryDelay: RETRY_MS,
    });
    this.#worker.on('error', (error) => context.logger.debug({ err: error, queue: name }, 'worker error'));
    this.#worker.on('completed', (job) => this.#finished(job.id));
    this.#worker.on('failed', (job) => this.#finished(job?.id));
  }

  /** Rejects with `bus_unavailable` when Redis does not answer in time. */
  async open(): Promise<void> {
    const { clock, commandTimeoutMs } = this.#context;
    try {
      await inTime(this.#worker.waitUntilReady(), 2 * commandTimeoutMs, clock);
    } catch (error) {
      await this.close(0);
      throw unavailable(error);
    }
    this.#worker.run().catch((error) => this.#context.logger.error({ err: error, queue: this.#name }, 'worker ended'));
  }

  pause(): Promise<void> {
    this.#paused = true;
    return this.#worker.pause(true);
  }

  async resume(): Promise<void> {
    if (this.#closing) return;
    this.#paused = false;
    await this.#worker.resume();
  }

  close(timeoutMs = CLOSE_TIMEOUT_MS): Promise<void> {
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  async #close(timeoutMs: number): Promise<void> {
    const { clock } = this.#context;
    await this.pause();
    if (this.#running.size > 0 && timeoutMs > 0) {
      await new Promise<void>((resolve) => {
        const cancel = clock.setTimeout(resolve, timeoutMs);
        this.#onIdle = () => {
          cancel();
          resolve();
        };
      });
    }
    let cancel = (): void => {};
    const timeout = new Promise<void>((resolve) => {
      cancel = clock.setTimeout(resolve, RELEASE_TIMEOUT_MS);
    });
    await Promise.race([this.#release().catch(() => {}), timeout]);
    cancel();
    this.#redis.disconnect();
    this.#onClosed();
  }

  async #release(): Promise<void> {
    // Forced, since BullMQ would wait without a bound; the handlers have been waited for.
    await this.#worker.close(true);
    // A wake-up that came while the blocked connection was going went nowhere: once Redis has seen it go, wake another.
    await this.#redis.ping();
    await this.#redis.zadd(this.#worker.toKey('marker'), 0, '0');
  }

  async #run(job: BullJob, token: string | undefined): Promise<void> {
    // Taken by a fetch that was under way when the pause came: somebody else's, at once.
    if (this.#paused) {
      await job.moveToWait(token);
      throw new WaitingError();
    }
    const { logger, metrics, time } = this.#context;
    const decoded = decodeJob(this.#name, job.data);
    if (!decoded.ok) {
      metrics.jobsSkipped.inc({ queue: this.#name, reason: decoded.reason });
      if (decoded.reason !== 'newer') return;
      await job.moveToDelayed(Date.now() + NEWER_JOB_PAUSE_MS, token);
      throw new DelayedError();
    }
    const queuedMs = Math.max(0, time.nowMs() - job.timestamp);
    metrics.queueHop.observe({ queue: this.#name }, queuedMs / 1_000);
    const id = job.id ?? '';
    this.#running.add(id);
    try {
      await this.#handler(decoded.value, { queuedMs });
    } catch (error) {
      logger.error({ err: error, queue: this.#name, job: id }, 'job handler failed');
    }
  }

  #finished(id: string | undefined): void {
    if (id !== undefined) this.#running.delete(id);
    if (this.#running.size === 0) this.#onIdle();
  }
}

import { type SessionId, sessionKeys, wakeKey } from '@parley/protocol';
import { type ConnectionContext, openRedis, type RedisConnection } from './redis-connection.ts';

export interface AudioFrame {
  readonly startSample: number;
  /** PCM16 bytes at any offset of their memory. */
  readonly pcm: Uint8Array;
}

/** Consecutive frames of a session; `gapSamples` is what is missing before the first. */
export type FramesHandler = (session: SessionId, frames: AudioFrame[], gapSamples: number) => void;

export interface AudioReader {
  /** Reads a session from a sample on, at once; a second call moves the position. */
  add(session: SessionId, fromSample: number): void;
  /** No frame of the session is delivered after this returns. */
  remove(session: SessionId): void;
  readonly size: number;
  close(): Promise<void>;
}

export interface AudioReaderContext extends ConnectionContext {
  readonly commands: RedisConnection;
}

/** Entries of one session in one read: about a second of audio, so that nobody waits for a session far behind. */
const ENTRIES_PER_READ = 25;
const BLOCK_MS = 2_000;
/**
 * Reads are bundled by a pause between them that grows with the number of sessions: few wait for nobody, many share what a
 * read costs Redis, and what a run of the voice activity model costs their listener.
 */
const PAUSE_MS_PER_SESSION = 0.25;
const MAX_PAUSE_MS = 8;
const RETRY_MS = 50;
const BYTES_PER_SAMPLE = 2;

interface Position {
  readonly session: SessionId;
  readonly key: string;
  nextSample: number;
}

/**
 * One XREAD over all sessions of a worker and its wake stream. A change of the set interrupts a read that blocks, by an
 * entry in the wake stream; a read that breaks is repeated from the reader's own positions.
 */
export class BlockingAudioReader implements AudioReader {
  readonly #context: AudioReaderContext;
  readonly #onFrames: FramesHandler;
  readonly #wakeKey: string;
  readonly #positions = new Map<SessionId, Position>();
  readonly #redis;
  #loop: Promise<void> | undefined;
  #wakeId = '0-0';
  /** A read is under way that does not know of the newest changes. */
  #blocked = false;
  #closed = false;

  constructor(context: AudioReaderContext, workerId: string, onFrames: FramesHandler) {
    this.#context = context;
    this.#onFrames = onFrames;
    this.#wakeKey = wakeKey(workerId);
    this.#redis = openRedis(context.url, 'audio-reader', {
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
      // A node that is lost says nothing; then the socket is replaced.
      socketTimeout: 2 * BLOCK_MS,
    });
    this.#redis.on('error', (error) => context.logger.debug({ err: error }, 'audio reader connection error'));
  }

  start(): this {
    this.#loop ??= this.#readUntilClosed();
    return this;
  }

  get size(): number {
    return this.#positions.size;
  }

  add(session: SessionId, fromSample: number): void {
    this.#positions.set(session, { session, key: sessionKeys(session).in, nextSample: fromSample });
    this.#wake();
  }

  remove(session: SessionId): void {
    this.#positions.delete(session);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#positions.clear();
    this.#redis.disconnect();
    await this.#loop;
    await this.#context.commands.run((redis) => redis.del(this.#wakeKey)).catch(() => {});
  }

  #wake(): void {
    if (!this.#blocked) return;
    this.#blocked = false;
    // When it fails, the read ends by itself soon.
    this.#context.commands
      .run((redis) => redis.xadd(this.#wakeKey, 'MAXLEN', 10, '*', 'w', ''))
      .catch((error) => this.#context.logger.debug({ err: error }, 'audio reader could not be woken'));
  }

  async #readUntilClosed(): Promise<void> {
    const { clock, logger } = this.#context;
    await this.#redis.connect().catch(() => {});
    while (!this.#closed) {
      try {
        await this.#read();
        const pauseMs = Math.min(MAX_PAUSE_MS, Math.floor(this.#positions.size * PAUSE_MS_PER_SESSION));
        if (pauseMs > 0) await clock.sleep(pauseMs);
      } catch (error) {
        if (this.#closed) return;
        logger.debug({ err: error }, 'audio could not be read, trying again');
        await clock.sleep(RETRY_MS);
      }
    }
  }

  async #read(): Promise<void> {
    const positions = [...this.#positions.values()];
    const keys = [this.#wakeKey, ...positions.map((position) => position.key)];
    const ids = [this.#wakeId, ...positions.map((position) => `${position.nextSample}-0`)];
    this.#blocked = true;
    const reply = await this.#redis
      .xreadBuffer('COUNT', ENTRIES_PER_READ, 'BLOCK', BLOCK_MS, 'STREAMS', ...keys, ...ids)
      .finally(() => {
        this.#blocked = false;
      });
    if (!reply) return;
    const byKey = new Map(positions.map((position) => [position.key, position]));
    for (const [key, entries] of reply) {
      const position = byKey.get(key.toString());
      if (position) this.#deliver(position, entries);
      else this.#wakeId = entries.at(-1)?.[0].toString() ?? this.#wakeId;
    }
  }

  #deliver(position: Position, entries: readonly [id: Buffer, fields: readonly Buffer[]][]): void {
    const { metrics, logger } = this.#context;
    let frames: AudioFrame[] = [];
    let gapSamples = 0;
    const flush = (): void => {
      const ready = frames;
      frames = [];
      // It may have been removed, or added anew, while this was read or by the handler itself.
      if (ready.length === 0 || this.#positions.get(position.session) !== position) return;
      try {
        this.#onFrames(position.session, ready, gapSamples);
      } catch (error) {
        logger.error({ err: error, session: position.session }, 'audio handler failed');
      }
    };
    for (const [id, fields] of entries) {
      const endSample = Number.parseInt(id.toString(), 10);
      const pcm = fields[1] ?? Buffer.alloc(0);
      const startSample = endSample - Math.floor(pcm.length / BYTES_PER_SAMPLE);
      if (endSample <= position.nextSample) {
        metrics.inputDuplicates.inc({ side: 'read' });
        continue;
      }
      if (startSample > position.nextSample) {
        flush();
        gapSamples = startSample - position.nextSample;
        metrics.inputGaps.inc();
        metrics.inputGapSamples.inc(gapSamples);
      } else if (frames.length === 0) {
        gapSamples = 0;
      }
      const overlap = Math.max(0, position.nextSample - startSample);
      frames.push({ startSample: startSample + overlap, pcm: pcm.subarray(overlap * BYTES_PER_SAMPLE) });
      position.nextSample = endSample;
    }
    flush();
  }
}

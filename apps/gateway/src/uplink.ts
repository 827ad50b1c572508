import type { AudioIn } from '@parley/bus';
import { INPUT_RATE_HZ, type UplinkAudio, VoiceError } from '@parley/protocol';
import type { Clock } from '@parley/runtime';

/** Entries of the `in` stream hold about this much audio. */
const ENTRY_SAMPLES = 640;
/** Audio that waits for Redis in this process; beyond it the connection is closed and the client sends again. */
const MAX_WAITING_SAMPLES = 15 * INPUT_RATE_HZ;
/** A part of an entry is written after this time even if it is not full. */
const FLUSH_AFTER_MS = 60;
const RETRY_MS = 50;
/** A client that skips more than this has lost count. */
const MAX_GAP_SAMPLES = 600 * INPUT_RATE_HZ;

interface Entry {
  readonly flushedAtMs: number;
  readonly endSample: number;
  readonly pcm: Uint8Array;
}

/** Admits audio at a sustained rate over real time, with a burst as large as what a client sends again after a resume. */
class AudioBucket {
  readonly #burst: number;
  readonly #refillPerMs: number;
  #level: number;
  #atMs: number;

  constructor(nowMs: number, burstMs: number, factor: number) {
    this.#burst = (burstMs / 1_000) * INPUT_RATE_HZ;
    this.#refillPerMs = (factor * INPUT_RATE_HZ) / 1_000;
    this.#level = this.#burst;
    this.#atMs = nowMs;
  }

  take(samples: number, nowMs: number): boolean {
    this.#level = Math.min(this.#burst, this.#level + (nowMs - this.#atMs) * this.#refillPerMs);
    this.#atMs = nowMs;
    if (samples > this.#level) return false;
    this.#level -= samples;
    return true;
  }
}

/**
 * User audio of one session on its way into Redis: numbered by sample, duplicates cut, gaps reported, packed to about
 * 40 ms an entry, written in order, one entry at a time. While Redis is away it waits here, bounded.
 */
export class Uplink {
  readonly #options: UplinkOptions;
  readonly #bucket: AudioBucket;
  /** First sample not yet taken from the client. */
  #next: number;
  #pending: Uint8Array[] = [];
  #pendingSamples = 0;
  #pendingSinceMs = 0;
  #queue: Entry[] = [];
  #queuedSamples = 0;
  #writing: Promise<void> | undefined;
  #closed = false;
  #hurried = false;
  #acceptedAtMs: number;
  #lostUpTo: number;

  constructor(options: UplinkOptions) {
    this.#options = options;
    this.#next = options.nextSample;
    this.#lostUpTo = 0;
    this.#acceptedAtMs = options.clock.nowMs();
    this.#bucket = new AudioBucket(options.clock.nowMs(), options.burstMs, options.refillFactor);
  }

  /** How long ago a sample came, if all since did at the pace of speech; 0 for one that has not come. */
  ageMs(sample: number): number {
    const spokenMs = ((this.#next - sample) / INPUT_RATE_HZ) * 1_000;
    return Math.max(0, spokenMs + this.#options.clock.nowMs() - this.#acceptedAtMs);
  }

  /** How long nothing has come. */
  idleMs(nowMs: number): number {
    return nowMs - this.#acceptedAtMs;
  }

  /** First sample the session lacks. */
  get nextSample(): number {
    return this.#next;
  }

  /** Takes a frame. Throws `rate_limited`, or `bus_unavailable` when more waits for Redis than may. */
  accept(frame: UplinkAudio): void {
    const samples = frame.pcm.byteLength / 2;
    const end = frame.startSample + samples;
    const nowMs = this.#options.clock.nowMs();
    if (!this.#bucket.take(samples, nowMs)) throw new VoiceError('rate_limited', 'Audio comes faster than real time.');
    if (end <= this.#next) return this.#options.onDuplicate(samples);
    if (frame.startSample - this.#next > MAX_GAP_SAMPLES) {
      throw new VoiceError('bad_audio', `Sample ${frame.startSample} is far beyond ${this.#next}, which comes next.`, {
        public: true,
      });
    }
    if (frame.startSample > this.#next) {
      this.flush();
      this.#options.onLost(this.#next, frame.startSample - this.#next, 'gap');
      this.#next = frame.startSample;
    }
    if (this.#queuedSamples > MAX_WAITING_SAMPLES) {
      this.#options.onFull?.();
      throw new VoiceError('bus_unavailable');
    }
    const cut = this.#next - frame.startSample;
    if (cut > 0) this.#options.onDuplicate(cut);
    if (this.#pendingSamples === 0) this.#pendingSinceMs = nowMs;
    // A copy: the socket's memory is gone after this call. Small ones share a pool.
    this.#pending.push(Buffer.from(frame.pcm.subarray(cut * 2)));
    this.#pendingSamples += samples - cut;
    this.#next = end;
    this.#acceptedAtMs = nowMs;
    if (this.#hurried || this.#pendingSamples >= ENTRY_SAMPLES) this.flush();
  }

  /**
   * While something is being decided, such as whether a turn has ended, frames are written as they come: packed, every
   * other frame of 20 ms would wait for the next one, and all for those of other sessions. Else half as many entries are
   * worth more.
   */
  hurry(hurried: boolean): void {
    if (hurried === this.#hurried) return;
    this.#hurried = hurried;
    if (!hurried) return;
    this.flush();
    this.#options.audioIn.hasten();
  }

  /** Writes a part of an entry that has waited long enough. */
  tick(nowMs: number): void {
    if (this.#pendingSamples > 0 && nowMs - this.#pendingSinceMs >= FLUSH_AFTER_MS) this.flush();
  }

  /** Hands what is pending to the writer. */
  flush(): void {
    if (this.#pendingSamples === 0) return;
    const [first] = this.#pending;
    const pcm = this.#pending.length === 1 && first ? first : Buffer.concat(this.#pending);
    this.#queue.push({ endSample: this.#next, pcm, flushedAtMs: this.#options.clock.nowMs() });
    this.#queuedSamples += this.#pendingSamples;
    this.#pending = [];
    this.#pendingSamples = 0;
    this.#writing ??= this.#write();
  }

  /** The session's audio is settled up to here, so what the cap removes after it is lost. */
  reportOverflow(settledSample: number): void {
    const oldestKept = this.#next - this.#options.capSamples;
    const from = Math.max(settledSample, this.#lostUpTo);
    // Reported in steps of a second, so that a long outage does not fill the log.
    if (oldestKept - from < INPUT_RATE_HZ) return;
    this.#lostUpTo = oldestKept;
    this.#options.onLost(from, oldestKept - from, 'overflow');
  }

  /** Writes what is there and takes nothing more; resolves when Redis has it, or after a failure. */
  async close(): Promise<void> {
    this.flush();
    this.#closed = true;
    await this.#writing;
  }

  async #write(): Promise<void> {
    for (let entry = this.#queue[0]; entry; entry = this.#queue[0]) {
      try {
        const { session, audioIn, capSamples } = this.#options;
        const mayWait = !this.#hurried && this.#queue.length === 1;
        const added = await audioIn.add(session, entry.endSample, entry.pcm, { capSamples, mayWait });
        if (added === 'duplicate') this.#options.onDuplicate(entry.pcm.byteLength / 2);
        this.#options.onWritten?.(this.#options.clock.nowMs() - entry.flushedAtMs);
        this.#queue.shift();
        this.#queuedSamples -= entry.pcm.byteLength / 2;
      } catch {
        // Redis is away. The id makes the same write harmless when it comes twice.
        if (this.#closed) return;
        await this.#options.clock.sleep(RETRY_MS);
      }
    }
    // At once: what is flushed before the promise settles must start the next round.
    this.#writing = undefined;
  }
}

export interface UplinkOptions {
  readonly session: string;
  readonly audioIn: AudioIn;
  readonly clock: Clock;
  /** First sample the session lacks. */
  readonly nextSample: number;
  readonly capSamples: number;
  readonly burstMs: number;
  readonly refillFactor: number;
  readonly onDuplicate: (samples: number) => void;
  /** An entry has been written, so long after it was complete. */
  readonly onWritten?: (ms: number) => void;
  /** More waits for Redis than may. */
  readonly onFull?: () => void;
  readonly onLost: (fromSample: number, samples: number, reason: 'overflow' | 'gap') => void;
}

import { bytesToInt16 } from '@parley/audio';
import { type DownlinkAudio, type Reply, sameReply } from '@parley/protocol';
import type { Clock } from './clock.ts';

/** More than a server that paces its audio ever sends ahead. */
const DEFAULT_MAX_BUFFERED_MS = 60_000;
/** Volume while the user may be speaking. */
const DUCKED_GAIN = 0.25;

/** The player tells at least this often what has been heard. */
const TELL_EVERY_MS = 100;
/** Replies whose end is remembered. */
const MAX_REMEMBERED = 16;
/** Keeps rounding from losing a sample where the clock stands exactly on one. */
const EPSILON_SAMPLES = 1e-6;

/**
 * How the playing of a reply went. `playing` while more is expected, whether or not there is something to play;
 * `complete` when its last sample has been played; `stopped` when it was cut or another reply took its place.
 */
export interface PlayedReply extends Reply {
  readonly generation: number;
  /** Samples of the reply that have been played, counted from its first. */
  readonly samples: number;
  /** When the first sample was played, on the clock; undefined while none was. */
  readonly firstAtMs: number | undefined;
  /** When the last sample so far had been played. */
  readonly lastAtMs: number | undefined;
  readonly outcome: 'playing' | 'complete' | 'stopped';
}

export interface ReplyPlayerOptions {
  readonly clock: Clock;
  readonly rateHz: number;
  /** How much may wait; what comes beyond it is dropped and counted. */
  readonly maxBufferedMs?: number;
  /** The first sample of a reply is being played. */
  readonly onStarted?: (reply: PlayedReply) => void;
  /** What was heard since the last call, at the volume at which it was heard, in order. */
  readonly onHeard?: (pcm: Int16Array, reply: PlayedReply) => void;
  /** A reply has ended: its last sample was played, or it was stopped. */
  readonly onEnded?: (reply: PlayedReply) => void;
}

interface Chunk {
  readonly startSample: number;
  readonly pcm: Int16Array;
}

/** A reply of which something waits or may still come. */
interface Track extends Reply {
  readonly generation: number;
  readonly chunks: Chunk[];
  /** Nothing follows what is in `chunks`. */
  complete: boolean;
  samples: number;
  firstAtMs: number | undefined;
  lastAtMs: number | undefined;
}

/**
 * Models a loudspeaker: plays reply audio at real-time rate on a clock, from the moment the first sample is there; stands
 * still when it runs dry and goes on when more comes. Replies are played one after the other. It has no device: where the
 * clock stands tells what has been heard, to the sample.
 */
export class ReplyPlayer {
  readonly #options: ReplyPlayerOptions;
  readonly #clock: Clock;
  readonly #maxBufferedSamples: number;
  readonly #tracks: Track[] = [];
  #remembered: PlayedReply[] = [];
  /** Set while samples are being played: `consumed` of them since `startMs`. */
  #run: { readonly startMs: number; consumed: number } | undefined;
  #bufferedSamples = 0;
  #droppedSamples = 0;
  #generation = 0;
  #gain = 1;
  #cancelTimer: (() => void) | undefined;

  constructor(options: ReplyPlayerOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#maxBufferedSamples = Math.round(
      ((options.maxBufferedMs ?? DEFAULT_MAX_BUFFERED_MS) * options.rateHz) / 1_000,
    );
  }

  /** Nothing is being played: all that came was played or stopped. */
  get idle(): boolean {
    this.#advance();
    return this.#run === undefined;
  }

  /** Samples that came beyond the bound. */
  get droppedSamples(): number {
    return this.#droppedSamples;
  }

  /** The reply on stage: the one being played, else the last one that was. */
  position(): PlayedReply | undefined {
    this.#advance();
    const [track] = this.#tracks;
    return track ? told(track, 'playing') : this.#remembered.at(-1);
  }

  /** Samples of a reply that have been played, counted from its first. */
  played(turn: number, attempt: number): number {
    this.#advance();
    const isMeant = (reply: Reply) => sameReply(reply, { turn, attempt });
    return (this.#tracks.find(isMeant) ?? this.#remembered.findLast(isMeant))?.samples ?? 0;
  }

  /** Adds the next audio of a reply. Audio of an old generation, or of a reply that has ended, is ignored. */
  enqueue(frame: DownlinkAudio): void {
    this.#advance();
    if (frame.generation < this.#generation || this.#remembered.some((reply) => sameReply(reply, frame))) return;
    this.stop(frame.generation);
    const track = this.#trackOf(frame);
    if (frame.endOfReply) track.complete = true;
    const pcm = bytesToInt16(frame.pcm);
    if (this.#bufferedSamples + pcm.length > this.#maxBufferedSamples) {
      this.#droppedSamples += pcm.length;
    } else if (pcm.length > 0) {
      track.chunks.push({ startSample: frame.startSample, pcm });
      this.#bufferedSamples += pcm.length;
      this.#run ??= { startMs: this.#clock.nowMs(), consumed: 0 };
    }
    this.#advance();
  }

  /** Stops at once, and drops all audio of generations below this one. */
  stop(generation: number): void {
    if (generation <= this.#generation) return;
    this.#advance();
    this.#generation = generation;
    this.#gain = 1;
    if (this.#tracks.every((track) => track.generation >= generation)) return;
    for (const track of this.#tracks.filter((old) => old.generation < generation)) {
      this.#tracks.splice(this.#tracks.indexOf(track), 1);
      this.#finish(track, 'stopped');
    }
    this.#run = this.#bufferedSamples > 0 ? { startMs: this.#clock.nowMs(), consumed: 0 } : undefined;
    this.#advance();
  }

  /** Plays softly from now on. */
  duck(): void {
    this.#advance();
    this.#gain = DUCKED_GAIN;
  }

  /** Plays at full volume from now on. */
  restore(): void {
    this.#advance();
    this.#gain = 1;
  }

  /** Stops for good; nothing is told any more. */
  close(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#tracks.length = 0;
    this.#bufferedSamples = 0;
    this.#run = undefined;
  }

  #trackOf(frame: DownlinkAudio): Track {
    const known = this.#tracks.find((track) => sameReply(track, frame));
    if (known) return known;
    const { turn, attempt, generation } = frame;
    const track: Track = {
      turn,
      attempt,
      generation,
      chunks: [],
      complete: false,
      samples: 0,
      firstAtMs: undefined,
      lastAtMs: undefined,
    };
    this.#tracks.push(track);
    return track;
  }

  /** Plays up to the present. */
  #advance(): void {
    const nowMs = this.#clock.nowMs();
    for (let track = this.#tracks[0]; track; track = this.#tracks[0]) {
      const [chunk] = track.chunks;
      if (chunk && this.#run) {
        if (track.firstAtMs === undefined) {
          track.firstAtMs = this.#headMs(this.#run);
          this.#options.onStarted?.(told(track, 'playing'));
        }
        if (!this.#play(track, chunk, this.#run, nowMs)) break;
      } else if (track.complete || this.#tracks.length > 1) {
        this.#tracks.shift();
        this.#finish(track, track.complete ? 'complete' : 'stopped');
      } else {
        this.#run = undefined;
        break;
      }
    }
    if (this.#tracks.length === 0) this.#run = undefined;
    this.#arm(nowMs);
  }

  /** Plays what is due of a chunk; whether it was played to its end. */
  #play(track: Track, chunk: Chunk, run: { readonly startMs: number; consumed: number }, nowMs: number): boolean {
    const elapsedSamples = ((nowMs - run.startMs) * this.#options.rateHz) / 1_000;
    const due = Math.floor(elapsedSamples + EPSILON_SAMPLES) - run.consumed;
    const samples = Math.min(due, chunk.pcm.length);
    if (samples <= 0) return false;
    const heard = chunk.pcm.subarray(0, samples);
    const rest = chunk.pcm.subarray(samples);
    if (rest.length === 0) track.chunks.shift();
    else track.chunks[0] = { startSample: chunk.startSample + samples, pcm: rest };
    run.consumed += samples;
    this.#bufferedSamples -= samples;
    track.samples = chunk.startSample + samples;
    track.lastAtMs = this.#headMs(run);
    const { onHeard } = this.#options;
    onHeard?.(this.#gain === 1 ? heard : heard.map((value) => value * this.#gain), told(track, 'playing'));
    return rest.length === 0;
  }

  /** When the next sample to be played is played. */
  #headMs(run: { readonly startMs: number; readonly consumed: number }): number {
    return run.startMs + (run.consumed * 1_000) / this.#options.rateHz;
  }

  #finish(track: Track, outcome: PlayedReply['outcome']): void {
    for (const chunk of track.chunks) this.#bufferedSamples -= chunk.pcm.length;
    const reply = told(track, outcome);
    this.#remembered = [...this.#remembered, reply].slice(-MAX_REMEMBERED);
    this.#options.onEnded?.(reply);
  }

  /** Wakes when the buffer will have been played, and now and then before. */
  #arm(nowMs: number): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (!this.#run) return;
    const drainedMs = this.#headMs(this.#run) + (this.#bufferedSamples * 1_000) / this.#options.rateHz;
    const waitMs = Math.min(TELL_EVERY_MS, Math.max(0, drainedMs - nowMs));
    this.#cancelTimer = this.#clock.setTimeout(() => this.#advance(), waitMs);
  }
}

function told(track: Track, outcome: PlayedReply['outcome']): PlayedReply {
  const { turn, attempt, generation, samples, firstAtMs, lastAtMs } = track;
  return { turn, attempt, generation, samples, firstAtMs, lastAtMs, outcome };
}

import { compareEventIds, type DownlinkAudio, type Reply, sameReply } from '@parley/protocol';
import type { SendResult } from './client-link.ts';

/** Audio sent ahead of what is being played. Small, so that little is thrown away by an interruption. */
const LEAD_MS = 300;
/** Samples are sent in frames of this length. */
const FRAME_MS = 40;
/** So many are sent together: of what a frame costs here, handing it to the system is the most. */
const FRAMES_TOGETHER = 2;
/** Time between the hand-over to the socket and the ear, where a client does not report what it has played. */
const ASSUMED_CLIENT_DELAY_MS = 60;
/** Playback reports to the log, at most this often. */
const REPORT_INTERVAL_MS = 250;
/** A client's report counts for this long; then the model of its play clock stands in. */
const REPORT_VALID_MS = 2_000;

/** One clause as the turn machine knows it. */
interface ClauseProgress {
  /** Whole length in samples once it is known (0 for one that was given up, or heard in an earlier attempt). */
  readonly samples: number | undefined;
}

/** What is being played, as the turn machine knows it. */
export interface PlayoutReply extends Reply {
  readonly generation: number;
  readonly clauses: readonly ClauseProgress[];
  /** No clause follows the known ones. */
  readonly done: boolean;
  readonly played: number;
}

interface Chunk {
  readonly entry: string;
  readonly startSample: number;
  readonly pcm: Uint8Array;
}

/**
 * Reply audio to one client: ordered by clause, paced with a small lead over real time, with a model of the client's
 * play clock for those that never report. Holds what has been synthesised ahead, which the owner bounds by offering
 * clauses only while the lead is short.
 */
export class Playout {
  readonly #rateHz: number;
  readonly #send: (frame: DownlinkAudio) => SendResult;
  readonly #together: (sending: () => void) => void;
  readonly #report: (reply: Reply, samples: number) => void;
  #reply: PlayoutReply | undefined;
  #chunks = new Map<number, Chunk[]>();
  /** A speculative reply that may come on stage next, and what there is of it. */
  #next: Reply | undefined;
  #nextChunks = new Map<number, Chunk[]>();
  /** Clause being sent, and samples of it sent. */
  #clause = 0;
  #clauseSent = 0;
  #clauseEndSent = false;
  /** Samples of the reply sent, counted from its first. */
  #sent = 0;
  #endSent = false;
  /** Entries sent and perhaps not yet played, with the sample of the reply at which each ends. */
  #sentEntries: { entry: string; end: number }[] = [];
  /** The play clock: `#anchorPosition` was played at `#anchorMs`; stands still while everything sent has been played. */
  #anchorMs = 0;
  #anchorPosition = 0;
  #clientPlayed = 0;
  #clientReports = false;
  #clientReportedAtMs = Number.NEGATIVE_INFINITY;
  #reported = 0;
  #reportedAtMs = Number.NEGATIVE_INFINITY;
  /** Sending must start at this sample: the client has what is before it. */
  #floor = 0;

  constructor(options: {
    rateHz: number;
    send: (frame: DownlinkAudio) => SendResult;
    /** What is sent while this runs goes out at once, after it. */
    together: (sending: () => void) => void;
    report: (reply: Reply, samples: number) => void;
  }) {
    this.#rateHz = options.rateHz;
    this.#send = options.send;
    this.#together = options.together;
    this.#report = options.report;
  }

  /** The reply on stage, if any. */
  get reply(): Reply | undefined {
    return this.#reply;
  }

  /** Samples of the current reply handed to the client. */
  get sentSamples(): number {
    return this.#sent;
  }

  /**
   * Follows the turn machine: another reply, or none, drops what is held of the old one. A reply that leaves the stage
   * while its generation may still be heard has been played out, and the client is told its end. `next` waits behind it.
   */
  update(reply: PlayoutReply | undefined, generation: number, next?: Reply): void {
    if (!sameReply(reply, this.#reply)) {
      const old = this.#reply;
      if (old?.generation === generation && !this.#endSent && Math.max(this.#sent, old.played) > 0) this.#sendEnd(old);
      this.#chunks = sameReply(reply, this.#next) ? this.#nextChunks : new Map();
      this.#clause = 0;
      this.#clauseSent = 0;
      this.#clauseEndSent = false;
      this.#sent = 0;
      this.#endSent = false;
      this.#sentEntries = [];
      this.#anchorPosition = 0;
      this.#clientPlayed = 0;
      this.#reported = reply?.played ?? 0;
      this.#floor = reply?.played ?? 0;
    }
    this.#reply = reply;
    if (!sameReply(next, this.#next)) this.#nextChunks = new Map();
    this.#next = next;
  }

  /** A client that resumes lacks the reply's audio from `received` on; sends none before. */
  resumeAt(reply: Reply, received: number, played: number): void {
    if (!sameReply(reply, this.#reply)) return;
    this.#floor = Math.max(received, played);
    this.#clientPlayed = Math.max(this.#clientPlayed, played);
    this.#clientReports = true;
  }

  /** Audio read from the `out` stream. Chunks of other replies are ignored, and so is what is there or past already. */
  add(chunk: Chunk & Reply & { readonly clause: number }): void {
    const onStage = sameReply(chunk, this.#reply);
    if ((!onStage && !sameReply(chunk, this.#next)) || chunk.pcm.byteLength === 0) return;
    if (onStage && chunk.clause < this.#clause) return;
    const store = onStage ? this.#chunks : this.#nextChunks;
    const chunks = store.get(chunk.clause) ?? [];
    const last = chunks.at(-1);
    const end = last ? last.startSample + last.pcm.byteLength / 2 : 0;
    if (chunk.startSample < end) return;
    chunks.push(chunk);
    store.set(chunk.clause, chunks);
  }

  /** Milliseconds of the reply on stage that could be sent now, one after the other, and have not been. */
  get aheadMs(): number {
    let samples = 0;
    for (let clause = this.#clause; clause < (this.#reply?.clauses.length ?? 0); clause += 1) {
      const last = this.#chunks.get(clause)?.at(-1);
      const from = clause === this.#clause ? this.#clauseSent : 0;
      const end = last ? last.startSample + last.pcm.byteLength / 2 : from;
      samples += Math.max(0, end - from);
      if (end < (this.#reply?.clauses[clause]?.samples ?? Number.POSITIVE_INFINITY)) break;
    }
    return (samples / this.#rateHz) * 1_000;
  }

  /** The client says it has played this much of the reply. */
  clientPlayed(reply: Reply, samples: number, nowMs: number): void {
    if (!sameReply(reply, this.#reply)) return;
    this.#clientPlayed = Math.max(this.#clientPlayed, Math.min(samples, this.#sent));
    this.#clientReportedAtMs = nowMs;
    this.#clientReports = true;
    this.#maybeReport(nowMs);
  }

  /**
   * The oldest entry of `out` that may still be played, for trimming; undefined when none is known. What has been played
   * is what the log says, so that a successor finds all that follows, and no more than the client says, where it does.
   * The last entry of a clause that is still being spoken stays: a worker that takes the clause over goes by it.
   */
  oldestNeeded(): string | undefined {
    const logged = this.#reply?.played ?? 0;
    const played = this.#clientReports ? Math.min(logged, this.#clientPlayed) : logged;
    const kept = this.#chunks.get(this.#clause)?.length ? 0 : 1;
    while (this.#sentEntries.length > kept && (this.#sentEntries[0]?.end ?? 0) <= played) this.#sentEntries.shift();
    const entries = this.#sentEntries.map(({ entry }) => entry);
    // Clauses are synthesised side by side, so a later one may have the older entry.
    for (const store of [this.#chunks, this.#nextChunks]) {
      for (const [first] of store.values()) if (first) entries.push(first.entry);
    }
    return entries.reduce<string | undefined>(
      (oldest, entry) => (oldest === undefined || compareEventIds(entry, oldest) < 0 ? entry : oldest),
      undefined,
    );
  }

  /** Sends what is due. `hold` keeps a reply that has not begun from beginning: the user is speaking. */
  tick(nowMs: number, hold: boolean): void {
    const reply = this.#reply;
    if (!reply) return;
    if (!this.#endSent && !(hold && this.#sent === 0)) {
      if (this.#isAudioDue(nowMs)) this.#together(() => this.#sendDue(reply, nowMs, true));
      else this.#sendDue(reply, nowMs, false);
    }
    this.#maybeReport(nowMs);
  }

  /** The lead has become so short that several frames fit into it. */
  #isAudioDue(nowMs: number): boolean {
    const shortestMs = LEAD_MS - (FRAMES_TOGETHER - 1) * FRAME_MS;
    return this.#sent - this.#position(nowMs) < (shortestMs / 1_000) * this.#rateHz;
  }

  /** Without `withAudio` only ends are told. */
  #sendDue(reply: PlayoutReply, nowMs: number, withAudio: boolean): void {
    const lead = (LEAD_MS / 1_000) * this.#rateHz;
    const frameSamples = (FRAME_MS / 1_000) * this.#rateHz;
    while (!this.#endSent) {
      const length = reply.clauses[this.#clause]?.samples;
      if (length !== undefined && this.#clauseSent >= length) {
        if (reply.done && this.#clause >= reply.clauses.length - 1) return this.#sendEnd(reply);
        if (length > 0 && !this.#clauseEndSent && !this.#sendFlags(reply, this.#clause, false)) return;
        this.#retireClause();
        this.#clause += 1;
        this.#clauseSent = 0;
        this.#clauseEndSent = false;
        continue;
      }
      if (this.#clause >= reply.clauses.length) {
        if (reply.done) return this.#sendEnd(reply);
        return;
      }
      if (this.#sent < this.#floor) {
        this.#skipToFloor(length, nowMs);
        continue;
      }
      if (!withAudio || this.#sent - this.#position(nowMs) >= lead) return;
      const pcm = this.#nextPcm(frameSamples);
      if (!pcm) return;
      const samples = pcm.byteLength / 2;
      const endOfClause = length !== undefined && this.#clauseSent + samples >= length;
      const endOfReply = endOfClause && reply.done && this.#clause >= reply.clauses.length - 1;
      // Everything sent has been played: the clock stood still, and goes on with this frame.
      if (this.#position(nowMs) >= this.#sent) this.#anchor(this.#sent, nowMs);
      const { turn, attempt, generation } = reply;
      const frame = {
        turn,
        attempt,
        generation,
        clause: this.#clause,
        startSample: this.#sent,
        endOfClause,
        endOfReply,
      };
      if (this.#send({ ...frame, pcm }) === 'dropped') return;
      this.#sent += samples;
      this.#clauseSent += samples;
      this.#clauseEndSent = endOfClause;
      if (endOfReply) this.#endSent = true;
    }
  }

  /** Passes over what the client has already; its audio may have been trimmed. */
  #skipToFloor(clauseLength: number | undefined, nowMs: number): void {
    const left = clauseLength === undefined ? Number.POSITIVE_INFINITY : clauseLength - this.#clauseSent;
    this.#skip(Math.min(this.#floor - this.#sent, left));
    this.#clauseEndSent = clauseLength !== undefined && this.#clauseSent >= clauseLength;
    this.#anchor(this.#sent, nowMs);
  }

  #skip(samples: number): void {
    this.#sent += samples;
    this.#clauseSent += samples;
  }

  #sendEnd(reply: PlayoutReply): void {
    this.#endSent = true;
    this.#sendFlags(reply, Math.max(0, reply.clauses.length - 1), true);
  }

  /** Tells an end that was not known yet when the last audio was sent. */
  #sendFlags({ turn, attempt, generation, played }: PlayoutReply, clause: number, endOfReply: boolean): boolean {
    const startSample = Math.max(this.#sent, played);
    const endOfClause = clause > this.#clause || (clause === this.#clause && !this.#clauseEndSent);
    const frame = { turn, attempt, generation, clause, startSample, endOfClause, endOfReply, pcm: new Uint8Array(0) };
    return this.#send(frame) !== 'dropped';
  }

  /** Up to `samples` of the current clause from where sending stands; undefined while they have not been made. */
  #nextPcm(samples: number): Uint8Array | undefined {
    const chunks = this.#chunks.get(this.#clause);
    while (chunks?.[0]) {
      const [chunk] = chunks;
      // Entries come in order, so what is missing before the first has been trimmed: it was played in an earlier reign.
      this.#skip(Math.max(0, chunk.startSample - this.#clauseSent));
      const offset = this.#clauseSent - chunk.startSample;
      const bytes = chunk.pcm.subarray(offset * 2, (offset + samples) * 2);
      if (bytes.byteLength > 0) return bytes;
      chunks.shift();
      const end = this.#sent - this.#clauseSent + chunk.startSample + chunk.pcm.byteLength / 2;
      this.#sentEntries.push({ entry: chunk.entry, end });
    }
    return undefined;
  }

  /** What is left of a clause that has been sent whole: its last entry may still be played. */
  #retireClause(): void {
    const base = this.#sent - this.#clauseSent;
    for (const { entry, startSample, pcm } of this.#chunks.get(this.#clause) ?? []) {
      this.#sentEntries.push({ entry, end: base + startSample + pcm.byteLength / 2 });
    }
    this.#chunks.delete(this.#clause);
  }

  #anchor(position: number, nowMs: number): void {
    this.#anchorPosition = position;
    this.#anchorMs = nowMs;
  }

  /** Sample being played now by the model: runs in real time, and stands still when all that was sent is played. */
  #position(nowMs: number): number {
    const run = this.#anchorPosition + ((nowMs - this.#anchorMs) / 1_000) * this.#rateHz;
    return Math.min(this.#sent, Math.floor(run));
  }

  /** Samples played: as the client reports, else by the model, less the way to the ear. */
  played(nowMs: number): number {
    if (nowMs - this.#clientReportedAtMs < REPORT_VALID_MS) return this.#clientPlayed;
    return Math.max(this.#clientPlayed, this.#sent === 0 ? 0 : this.#position(nowMs - ASSUMED_CLIENT_DELAY_MS), 0);
  }

  #maybeReport(nowMs: number): void {
    const reply = this.#reply;
    if (!reply) return;
    const played = this.played(nowMs);
    if (played <= this.#reported) return;
    const finished = this.#endSent && played >= this.#sent;
    if (!finished && nowMs - this.#reportedAtMs < REPORT_INTERVAL_MS) return;
    this.#reported = played;
    this.#reportedAtMs = nowMs;
    this.#report({ turn: reply.turn, attempt: reply.attempt }, played);
  }
}

import type { Bus, OutEntry } from '@parley/bus';
import type { Reply, SessionId } from '@parley/protocol';
import type { Clock, Logger } from '@parley/runtime';
import type { ClientLink } from './client-link.ts';
import type { GatewayMetrics } from './metrics.ts';
import { Playout, type PlayoutReply } from './playout.ts';
import type { Reign } from './reign.ts';
import type { TurnState } from './turn-machine/index.ts';
import type { TurnTiming } from './turn-timing.ts';

/** Entries of reply audio in one read: some two seconds, or one and a half of a voice that is made as it is heard. */
const OUT_BATCH = 8;
/** Reply audio kept here; the rest waits in Redis. */
const KEPT_AHEAD_MS = 1_500;

export interface ReplyAudioOptions {
  readonly session: SessionId;
  readonly rateHz: number;
  readonly state: TurnState;
  readonly bus: Pick<Bus, 'audioOut' | 'redisNowMs'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Pick<GatewayMetrics, 'firstAudio'>;
  readonly timing: Pick<TurnTiming, 'firstSend'>;
  readonly reign: Pick<Reign, 'isCertain' | 'report'>;
  /** The socket of a client may hold so much; playing stops at half of it. */
  readonly maxBufferedBytes: number;
  /** The owner has caught up with the log, and still owns the session. */
  readonly isLive: () => boolean;
  readonly link: () => ClientLink | undefined;
}

/**
 * Reply audio on its way from Redis to the client: read while there is room for it, and played while somebody is there to
 * hear it and nobody else may be playing it.
 */
export class ReplyAudio {
  readonly #options: ReplyAudioOptions;
  readonly #playout: Playout;
  #state: TurnState;
  /** Last entry read of `out`. */
  #entry = '0';
  /** There is something to be read. */
  #wanted = false;
  #reading = false;
  /** Generation of the reply whose first audio was counted. */
  #firstAudioOf: number | undefined;

  constructor(options: ReplyAudioOptions) {
    const { rateHz, reign, link } = options;
    this.#options = options;
    this.#state = options.state;
    this.#playout = new Playout({
      rateHz,
      send: (frame) => {
        this.#countFirstAudio();
        return link()?.audio(frame) ?? 'dropped';
      },
      together: (sending) => {
        const client = link();
        if (client) client.together(sending);
        else sending();
      },
      report: (reply, samples) => void reign.report({ type: 'playback', ...reply, samples }),
    });
  }

  /** Follows the turn machine: what is on stage, and what may come next. */
  follow(state: TurnState): void {
    this.#state = state;
    this.#playout.update(playoutReply(state), state.generation, state.speculative ?? undefined);
    if (this.#wanted) this.read();
  }

  /** A client that resumes has the reply's audio up to `received`. */
  resumeAt(reply: Reply, received: number, played: number): void {
    this.#playout.resumeAt(reply, received, played);
  }

  /** The client says it has played this much of the reply. */
  clientPlayed(reply: Reply, samples: number): void {
    this.#playout.clientPlayed(reply, samples, this.#options.clock.nowMs());
  }

  /** The oldest entry of `out` that may still be played; undefined when none is known. */
  oldestNeeded(): string | undefined {
    return this.#playout.oldestNeeded();
  }

  /** Lets time pass: plays what is due, and reads what there was no room for. */
  tick(nowMs: number): void {
    this.play(nowMs);
    if (this.#wanted) this.read();
  }

  /** Sends what is due, where it may be played. */
  play(nowMs: number): void {
    if (this.#mayPlay(nowMs)) this.#playout.tick(nowMs, this.#state.utterance?.speaking ?? false);
  }

  /** Reads what is new in the `out` stream; one reading at a time. */
  read(): void {
    this.#wanted = true;
    if (this.#reading || !this.#mayRead) return;
    this.#reading = true;
    this.#drain()
      .catch((err: unknown) => this.#options.logger.debug({ err }, 'reading reply audio failed; it is tried again'))
      .finally(() => {
        this.#reading = false;
      });
  }

  #mayPlay(nowMs: number): boolean {
    const { isLive, link, reign, maxBufferedBytes } = this.#options;
    const client = link();
    if (!client || !isLive() || !reign.isCertain(nowMs)) return false;
    return client.bufferedBytes() < maxBufferedBytes / 2;
  }

  /** There is reply audio to be read, and room for it. */
  get #mayRead(): boolean {
    return this.#wanted && this.#options.isLive() && this.#playout.aheadMs < KEPT_AHEAD_MS;
  }

  async #drain(): Promise<void> {
    while (this.#mayRead) {
      // Cleared first: what is published while the reading is under way asks for another.
      this.#wanted = false;
      const entries = await this.#readEntries();
      if (entries.length === OUT_BATCH) this.#wanted = true;
      for (const entry of entries) this.#playout.add(entry);
      this.#entry = entries.at(-1)?.entry ?? this.#entry;
      this.play(this.#options.clock.nowMs());
    }
  }

  /** The next entries of `out`; a reading that fails is wanted again. */
  async #readEntries(): Promise<OutEntry[]> {
    const { bus, session } = this.#options;
    try {
      return await bus.audioOut.read(session, this.#entry, OUT_BATCH);
    } catch (err) {
      this.#wanted = true;
      throw err;
    }
  }

  #countFirstAudio(): void {
    const { bus, metrics, timing, reign } = this.#options;
    const { reply } = this.#state;
    if (!reply || this.#firstAudioOf === reply.generation) return;
    this.#firstAudioOf = reply.generation;
    if (reply.played > 0) return;
    metrics.firstAudio.observe(Math.max(0, bus.redisNowMs() - reply.decidedAt) / 1_000);
    const figures = timing.firstSend(reply);
    if (figures) void reign.report({ type: 'turn.metrics', ...figures, trace: reply.trace });
  }
}

/** The machine's reply as playout sees it. */
function playoutReply({ reply }: TurnState): PlayoutReply | undefined {
  if (!reply) return undefined;
  const { turn, attempt, generation, done, played } = reply;
  const clauses = reply.clauses.map(({ status, samples }) => ({
    samples: status === 'waiting' || status === 'offered' ? undefined : samples,
  }));
  return { turn, attempt, generation, done, played, clauses };
}

import { type NewEvent, parseWorkKey, type Reply, replyKey, type SessionEvent, type SessionId } from '@parley/protocol';
import type { GatewayMetrics } from './metrics.ts';
import type { TurnState } from './turn-machine/index.ts';
import { TurnTrace } from './turn-trace.ts';

/** Replies and turns whose times are kept: those on stage, speculative ones, and what comes late of others. */
const MAX_KEPT = 8;

export type TurnFigures = Omit<NewEvent<'turn.metrics'>, 'type' | 'trace'>;

/** When a reply got how far; Redis TIME in milliseconds. */
interface ReplyTimes {
  startedMs: number;
  claimedMs?: number;
  tokenMs?: number;
  clauseMs?: number;
  clauseClaimedMs?: number;
  audioMs?: number;
}

/** When the user was done; Redis TIME in milliseconds. */
interface Decision {
  readonly lastSpeechMs: number;
  readonly endedMs: number;
}

export interface TurnTimingOptions {
  readonly session: SessionId;
  /** Redis TIME. */
  readonly nowMs: () => number;
  /** When a sample of user audio came, in Redis TIME. */
  readonly cameAtMs: (sample: number) => number;
  readonly metrics: Pick<GatewayMetrics, 'turnStage' | 'turnLatency' | 'boundHits'>;
}

/**
 * Where the time of a session's turns goes, from the events that its owner folds and the pulses it hears. It only looks on:
 * what it knows decides nothing and is not kept for a successor, who knows less of the turn that was under way.
 */
export class TurnTiming {
  readonly #options: TurnTimingOptions;
  readonly #trace: TurnTrace;
  readonly #replies = new Map<string, ReplyTimes>();
  /** By the trace of the turn. */
  readonly #decisions = new Map<string | undefined, Decision>();

  constructor(options: TurnTimingOptions) {
    this.#options = options;
    this.#trace = new TurnTrace(options.session);
  }

  /** An event was folded: the state before and after it. */
  observe(event: SessionEvent, before: TurnState, after: TurnState): void {
    switch (event.type) {
      case 'turn.ended': {
        const { cameAtMs } = this.#options;
        const lastSpeechMs = Math.min(event.at, cameAtMs(event.sample));
        const onset = before.utterance?.number === event.utterance ? before.utterance.onsetSample : event.sample;
        this.#decide(event, Math.min(lastSpeechMs, cameAtMs(onset)), lastSpeechMs);
        break;
      }
      case 'input.text':
        this.#decide(event, event.at, event.at);
        break;
      case 'reply.started':
        this.#begin(event, event.at);
        break;
      case 'reply.delta':
        this.#note(event, 'tokenMs', event.at);
        break;
      case 'reply.clause':
        if (event.clause === 0) this.#note(event, 'clauseMs', event.at);
        this.#countHeldBack(event, after);
        break;
      case 'audio.chunk':
        this.#note(event, 'audioMs', event.at);
        break;
      default:
    }
    this.#trace.follow(event, after);
  }

  /** A worker says that it holds this piece of work. */
  claimed(work: string): void {
    const ref = parseWorkKey(work);
    if (ref?.stage === 'reply') this.#note(ref, 'claimedMs', this.#options.nowMs());
    else if (ref?.clause === 0) this.#note(ref, 'clauseClaimedMs', this.#options.nowMs());
  }

  /**
   * The first audio of a reply goes to the client. Answers the figures of its turn; undefined for one that nobody asked
   * for, or whose beginning this owner has not seen.
   */
  firstSend(reply: Reply & { readonly trace: string | undefined }): TurnFigures | undefined {
    const sentMs = this.#options.nowMs();
    const times = this.#replies.get(replyKey(reply));
    const decision = this.#decisions.get(reply.trace);
    this.#trace.sent(reply, Math.max(times?.audioMs ?? sentMs, decision?.endedMs ?? 0), sentMs);
    if (!times || !decision) return undefined;
    const figures = figuresOf(reply, times, decision, sentMs);
    if (!figures) return undefined;
    const { turnStage, turnLatency } = this.#options.metrics;
    for (const [stage, field] of STAGES) turnStage.observe({ stage }, figures[field] / 1_000);
    turnLatency.observe(figures.totalMs / 1_000);
    return figures;
  }

  #decide(event: SessionEvent, startMs: number, lastSpeechMs: number): void {
    keep(this.#decisions, event.trace, { lastSpeechMs, endedMs: event.at });
    this.#trace.decided(event, startMs);
  }

  #begin(reply: Reply, startedMs: number): void {
    keep(this.#replies, replyKey(reply), { startedMs });
  }

  /** A clause that is known and not offered waits for those before it: enough is there to be heard. */
  #countHeldBack({ turn, attempt, clause }: SessionEvent<'reply.clause'>, { reply }: TurnState): void {
    if (reply?.turn !== turn || reply.attempt !== attempt || reply.clauses[clause]?.status !== 'waiting') return;
    this.#options.metrics.boundHits.inc({ bound: 'reply_ahead' });
  }

  /** The first time counts. */
  #note(reply: Reply, what: Exclude<keyof ReplyTimes, 'startedMs'>, atMs: number): void {
    const times = this.#replies.get(replyKey(reply));
    if (times) times[what] ??= atMs;
  }
}

/** Adds the newest; the oldest goes. */
function keep<K, V>(map: Map<K, V>, key: K, value: V): void {
  map.delete(key);
  map.set(key, value);
  for (const oldest of map.keys()) {
    if (map.size <= MAX_KEPT) break;
    map.delete(oldest);
  }
}

/** Labels of the stages of a turn, in their order, by the figure of each. */
const STAGES = [
  ['end_of_turn', 'endOfTurnMs'],
  ['queue', 'queueMs'],
  ['first_token', 'firstTokenMs'],
  ['first_clause', 'firstClauseMs'],
  ['first_audio', 'firstAudioMs'],
  ['first_send', 'firstSendMs'],
] as const satisfies readonly (readonly [string, keyof TurnFigures])[];

/** The parts follow one another, except where the reply was begun before the end of the turn. */
function figuresOf(
  { turn, attempt }: Reply,
  times: ReplyTimes,
  { lastSpeechMs, endedMs }: Decision,
  sentMs: number,
): TurnFigures | undefined {
  const { startedMs, tokenMs, clauseMs, audioMs } = times;
  if (tokenMs === undefined || clauseMs === undefined || audioMs === undefined) return undefined;
  // A pulse that was lost leaves the wait to the first result.
  const claimedMs = Math.min(times.claimedMs ?? tokenMs, tokenMs);
  const clauseClaimedMs = Math.min(times.clauseClaimedMs ?? audioMs, audioMs);
  const offeredMs = Math.min(startedMs, endedMs);
  return {
    turn,
    attempt,
    endOfTurnMs: span(lastSpeechMs, endedMs),
    queueMs: span(offeredMs, claimedMs) + span(clauseMs, clauseClaimedMs),
    firstTokenMs: span(claimedMs, tokenMs),
    firstClauseMs: span(tokenMs, clauseMs),
    firstAudioMs: span(clauseClaimedMs, audioMs),
    firstSendMs: span(Math.max(audioMs, endedMs), sentMs),
    totalMs: span(lastSpeechMs, sentMs),
  };
}

/** To a tenth of a millisecond; what is known by two clocks may differ by less than it takes. */
const span = (fromMs: number, toMs: number): number => Math.round(Math.max(0, toMs - fromMs) * 10) / 10;

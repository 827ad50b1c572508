import { workKey } from '@parley/protocol';
import type { WorkTry } from './turn-machine/index.ts';

/** A holder without a pulse for this long is replaced. */
const SILENCE_LIMIT_MS = 600;
/** Work nobody has taken for this long, although a worker is free, is offered again. */
const UNCLAIMED_LIMIT_MS = 600;
/** Work for which there has been no worker at all for this long is given up, or the client is told. */
const NO_WORKER_LIMIT_MS = 15_000;
/** One tick counts for no more than this: a stall of this process must not look like the silence of everybody else. */
const MAX_TICK_MS = 100;

/** What the watch found. The owner writes it into the log as `holder.lost`. */
export interface Verdict {
  readonly stage: 'listen' | 'reply' | 'speak';
  /** Fence of the listener, or key of the work item. */
  readonly holder: string;
  readonly try: number;
  readonly reason: 'silent' | 'unclaimed' | 'no_worker';
}

interface Watched {
  readonly verdict: Omit<Verdict, 'reason'>;
  /** Somebody holds it. */
  held: boolean;
  /** Time without a pulse, or without a taker. */
  quietMs: number;
  /** Offers that nobody took, for a growing patience. */
  unclaimed: number;
  /** A verdict is on its way into the log. */
  judged: boolean;
}

/**
 * Watches the holders of one session's work by their pulses, in time during which this process and its Redis connection
 * ran. Says each verdict once per holder or try.
 */
export class Watch {
  #listener: Watched | undefined;
  #offers = 0;
  #work = new Map<string, Watched>();
  #audioCursor = 0;

  /** How far the listener says the session's audio is settled. */
  get audioCursor(): number {
    return this.#audioCursor;
  }

  settled(audioCursor: number): void {
    this.#audioCursor = Math.max(this.#audioCursor, audioCursor);
  }

  /** Follows the turn machine: who should be listening (empty fence: nobody yet), and what work is open. */
  update(listener: { fence: string; offers: number }, outstanding: readonly WorkTry[]): void {
    if (this.#listener?.verdict.holder !== listener.fence || this.#offers !== listener.offers) {
      const sameHolder = this.#listener?.verdict.holder === listener.fence;
      this.#listener = {
        verdict: { stage: 'listen', holder: listener.fence, try: listener.offers },
        held: listener.fence !== '' && !(sameHolder && this.#listener?.judged),
        quietMs: 0,
        unclaimed: sameHolder ? (this.#listener?.unclaimed ?? 0) : 0,
        judged: false,
      };
      this.#offers = listener.offers;
    }
    const open = new Map<string, Watched>();
    for (const { ref, try: number } of outstanding) {
      const key = workKey(ref);
      const known = this.#work.get(key);
      open.set(
        key,
        known && known.verdict.try === number
          ? known
          : {
              verdict: { stage: ref.stage, holder: key, try: number },
              held: false,
              quietMs: 0,
              unclaimed: known ? known.unclaimed : 0,
              judged: false,
            },
      );
    }
    this.#work = open;
  }

  /** The listener is alive. Pulses of a listener that has been replaced are ignored. */
  listenerPulse(fence: string, cursor: number): void {
    if (!this.#listener || this.#listener.verdict.holder !== fence) return;
    this.#listener.quietMs = 0;
    this.settled(cursor);
  }

  /** The holder of a claim is alive. */
  claimPulse(key: string, number: number): void {
    const watched = this.#work.get(key);
    if (watched?.verdict.try !== number) return;
    watched.held = true;
    watched.quietMs = 0;
  }

  /** Lets time pass; answers the verdicts that are due. `free` tells whether a stage has a worker, and a free one. */
  tick(elapsedMs: number, free: (stage: Verdict['stage']) => 'none' | 'busy' | 'free'): Verdict[] {
    const ms = Math.min(elapsedMs, MAX_TICK_MS);
    const verdicts: Verdict[] = [];
    for (const watched of this.#all()) {
      watched.quietMs += ms;
      const reason = watched.judged ? undefined : judge(watched, free(watched.verdict.stage));
      if (!reason) continue;
      watched.judged = true;
      if (reason === 'unclaimed') watched.unclaimed += 1;
      verdicts.push({ ...watched.verdict, reason });
    }
    return verdicts;
  }

  /** A verdict could not be written; it is due again. */
  retract(verdict: Verdict): void {
    for (const watched of this.#all()) {
      if (watched.verdict.holder === verdict.holder && watched.verdict.try === verdict.try) watched.judged = false;
    }
  }

  *#all(): Iterable<Watched> {
    if (this.#listener) yield this.#listener;
    yield* this.#work.values();
  }
}

function judge(watched: Watched, pool: 'none' | 'busy' | 'free'): Verdict['reason'] | undefined {
  if (watched.held) return watched.quietMs >= SILENCE_LIMIT_MS ? 'silent' : undefined;
  if (pool === 'none') return watched.quietMs >= NO_WORKER_LIMIT_MS ? 'no_worker' : undefined;
  const patience = UNCLAIMED_LIMIT_MS * 2 ** Math.min(watched.unclaimed, 5);
  return pool === 'free' && watched.quietMs >= patience ? 'unclaimed' : undefined;
}

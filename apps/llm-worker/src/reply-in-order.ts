import { VoiceError } from '@parley/protocol';
import type { Clock } from '@parley/runtime';
import { withProgressDeadline } from '@parley/stage';
import type { Health } from './health.ts';
import type { ReplyPart } from './language-model.ts';

/** Candidates tried for one reply; beyond it the turn has waited long enough. */
const MAX_TRIES = 3;
/** Share of the time for the first part that the tries may use together; the rest is for handing on. */
const SHARED_TIME = 0.9;
/** The longest time a timer can wait. */
const NO_LIMIT_MS = 2 ** 31 - 1;

export interface ReplyInOrderOptions<Candidate> {
  open(candidate: Candidate, signal: AbortSignal): AsyncIterable<ReplyPart>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly firstPartTimeoutMs: number | undefined;
  /** The first word or call came, so long after the request. */
  onFirstWord?(candidate: Candidate, afterMs: number): void;
  /** The candidate failed before its first word, and the next one is asked. */
  onHandedOn?(candidate: Candidate, error: VoiceError): void;
}

/**
 * Has the first candidate reply, and the next one at once where it fails before its first word. A failure later is the
 * caller's: what was said cannot be taken back. Candidates learn of how they fared by their health.
 */
export async function* replyInOrder<Candidate extends { readonly health: Health }>(
  candidates: readonly Candidate[],
  options: ReplyInOrderOptions<Candidate>,
): AsyncGenerator<ReplyPart, void, undefined> {
  const { clock, signal, firstPartTimeoutMs, open } = options;
  const tried = candidates.slice(0, MAX_TRIES);
  const failures: VoiceError[] = [];
  for (const candidate of tried) {
    const askedAtMs = clock.nowMs();
    let hasWord = false;
    try {
      for await (const part of limited(tried.length, candidate)) {
        if (!hasWord && isWord(part)) {
          hasWord = true;
          options.onFirstWord?.(candidate, clock.nowMs() - askedAtMs);
        }
        yield part;
      }
      candidate.health.succeeded();
      return;
    } catch (error) {
      if (isItsFault(error)) candidate.health.failed();
      if (signal.aborted || hasWord || !(error instanceof VoiceError)) throw error;
      failures.push(error);
      if (candidate !== tried.at(-1)) options.onHandedOn?.(candidate, error);
    }
  }
  // Where any of them might answer another time, another try can help.
  throw failures.find(({ retryable }) => retryable) ?? failures[0] ?? new VoiceError('engine_missing');

  function limited(tries: number, candidate: Candidate): AsyncIterable<ReplyPart> {
    if (tries === 1 || firstPartTimeoutMs === undefined) return open(candidate, signal);
    const firstMs = Math.ceil((firstPartTimeoutMs * SHARED_TIME) / tries);
    return withProgressDeadline((within) => open(candidate, within), { firstMs, stallMs: NO_LIMIT_MS, clock, signal });
  }
}

const isWord = (part: ReplyPart): boolean => part.kind !== 'text' || part.text !== '';

/** A rejected request may be the fault of what was asked; being cancelled is nobody's. */
const isItsFault = (error: unknown): boolean =>
  error instanceof VoiceError && (error.retryable || error.code === 'engine_missing');

/** Resolves when the first of them has warmed up; the others go on. Throws what the first one failed with. */
export async function warmUpAny<Candidate extends { readonly health: Health }>(
  candidates: readonly Candidate[],
  warmUp: (candidate: Candidate) => Promise<void>,
): Promise<void> {
  const started = candidates.map(async (candidate) => {
    try {
      await warmUp(candidate);
      candidate.health.succeeded();
    } catch (error) {
      candidate.health.failed();
      throw error;
    }
  });
  try {
    await Promise.any(started);
  } catch (error) {
    throw error instanceof AggregateError ? error.errors[0] : error;
  }
}

import { type Heartbeat, VoiceError } from '@parley/protocol';
import { backoff, type Clock, deadlineSignal, type Logger, linkSignals } from '@parley/runtime';
import { type EngineChoice, hintFor } from './choose.ts';
import type { Synthesizer } from './synthesizer.ts';

/** Longest a warm-up may take before it is begun again: a server may load its model for it. */
const WARM_UP_LIMIT_MS = 120_000;

/** Some models have hundreds; a heartbeat that is read every second need not name them all. */
const MAX_VOICES = 64;

export interface WarmUp {
  /** Resolves when the engine has spoken. */
  readonly finished: Promise<void>;
  /** What heartbeats say of the engine. */
  status(): Pick<Heartbeat, 'engine' | 'engineReason' | 'engineHint' | 'ready' | 'voices' | 'languages'>;
}

export interface WarmUpOptions {
  readonly choice: EngineChoice;
  readonly synthesizer: Synthesizer;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/**
 * Warms the engine up, again and again until it works: a worker whose engine is missing takes no work, says what would
 * help, and needs no restart once that has been done.
 */
export function startWarmUp({ choice, synthesizer, clock, logger, signal }: WarmUpOptions): WarmUp {
  let ready = false;
  let { hint } = choice;

  const warmUp = async (): Promise<void> => {
    const waits = backoff({ initialMs: 1_000, maxMs: 15_000 });
    const startMs = clock.nowMs();
    while (!ready && !signal.aborted) {
      const deadline = deadlineSignal(clock, WARM_UP_LIMIT_MS);
      const linked = linkSignals(signal, deadline.signal);
      try {
        await synthesizer.warmUp(linked.signal);
        ready = true;
        hint = choice.hint;
        logger.info({ engine: choice.engine, tookMs: Math.round(clock.nowMs() - startMs) }, 'engine warmed up');
      } catch (error) {
        if (signal.aborted) return;
        const failure = VoiceError.from(error, 'engine_failed');
        hint = hintFor(choice, failure);
        logger.warn({ err: failure, code: failure.code, hint }, 'engine cannot warm up');
        await clock.sleep(waits.next(), signal).catch(() => undefined);
      } finally {
        deadline.release();
        linked.release();
      }
    }
  };

  return {
    finished: warmUp(),
    status: () => ({
      ...{ engine: choice.engine, engineReason: choice.reason, engineHint: hint, ready },
      voices: synthesizer.voices.slice(0, MAX_VOICES),
      languages: [...synthesizer.languages],
    }),
  };
}

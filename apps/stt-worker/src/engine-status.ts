import { type Heartbeat, VoiceError } from '@parley/protocol';
import { backoff, type Clock, ConfigError, type Logger } from '@parley/runtime';
import { type EngineChoice, hintFor } from './choose.ts';
import type { Recognizer } from './recognizer.ts';

export interface EngineStatus {
  /** Resolves with the warmed-up engine; rejects when the configuration is wrong, or the signal aborts. */
  readonly loaded: Promise<Recognizer>;
  /** What heartbeats say of the engine. */
  status(): Pick<Heartbeat, 'engine' | 'engineReason' | 'engineHint' | 'ready' | 'languages'>;
}

/**
 * Loads the engine, again and again until it works: a worker whose engine is missing takes no work, says what would help,
 * and needs no restart once that has been done.
 */
export function startEngine(
  choice: EngineChoice,
  load: () => Promise<Recognizer>,
  { clock, logger, signal }: { readonly clock: Clock; readonly logger: Logger; readonly signal: AbortSignal },
): EngineStatus {
  let loadedEngine: Recognizer | undefined;
  let { hint } = choice;

  const untilLoaded = async (): Promise<Recognizer> => {
    const waits = backoff({ initialMs: 1_000, maxMs: 15_000 });
    const startMs = clock.nowMs();
    for (;;) {
      try {
        const recognizer = await load();
        loadedEngine = recognizer;
        hint = choice.hint;
        const tookMs = Math.round(clock.nowMs() - startMs);
        logger.info({ engine: choice.engine, slots: recognizer.slots, tookMs }, 'engine warmed up');
        return recognizer;
      } catch (error) {
        if (error instanceof ConfigError) throw error;
        const failure = VoiceError.from(error, 'engine_failed');
        hint = hintFor(choice, failure);
        logger.warn({ err: failure, code: failure.code, hint }, 'engine cannot be loaded');
        await clock.sleep(waits.next(), signal);
      }
    }
  };

  const loaded = untilLoaded();
  // Whoever waits for it is told; nobody may be waiting any more.
  loaded.catch(() => undefined);
  return {
    loaded,
    status: () => ({
      ...{ engine: choice.engine, engineReason: choice.reason, engineHint: hint, ready: loadedEngine !== undefined },
      languages: [...(loadedEngine?.languages ?? [])],
    }),
  };
}

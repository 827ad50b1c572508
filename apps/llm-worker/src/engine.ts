import { VoiceError } from '@parley/protocol';
import { linkSignals, retry } from '@parley/runtime';
import { chooseEngines, loadLanguageModel } from './choose.ts';
import type { LanguageModel, LanguageModelParts } from './language-model.ts';

/** How long one warm-up may take: a local server may load its model from disk. */
const WARM_UP_LIMIT_MS = 120_000;
const WARM_UP_RETRY = { initialMs: 250, maxMs: 10_000 } as const;

interface EngineStatus {
  readonly engine: string;
  readonly engineReason: string;
  readonly engineHint: string;
  readonly languages?: string[];
  readonly ready: boolean;
}

/** The chosen engine and how it fares. */
export interface Engine {
  readonly model: LanguageModel;
  readonly status: EngineStatus;
  /** Resolves when the engine has answered for the first time. */
  readonly warmedUp: Promise<void>;
  close(): Promise<void>;
}

/**
 * Loads the configured engine and warms it up in the background, again and again until it answers: the process stays up
 * while a server is away, and says so.
 */
export async function startEngine(parts: LanguageModelParts): Promise<Engine> {
  const { clock, config, logger } = parts;
  const choice = await chooseEngines(config);
  const model = await loadLanguageModel(choice, parts);
  const engine = choice.engines.join(',');
  let status: EngineStatus = { engine, engineReason: choice.reason, engineHint: choice.hint, ready: false };
  logger.info({ engine, reason: choice.reason, hint: choice.hint }, 'engine chosen');

  const stop = new AbortController();
  const warmUp = async (): Promise<void> => {
    const limited = linkSignals(stop.signal);
    const cancel = clock.setTimeout(() => limited.abort(new VoiceError('engine_timeout')), WARM_UP_LIMIT_MS);
    try {
      await model.warmUp(limited.signal);
    } finally {
      cancel();
      limited.release();
    }
  };
  const onRetry = (error: unknown): void => {
    const { code, message } = VoiceError.from(error, 'engine_failed');
    // What is missing is named with the command that gets it.
    const engineHint = code === 'engine_missing' ? message : choice.hint;
    status = { ...status, engineReason: `${choice.reason}; not ready: ${message}`, engineHint };
    logger.warn({ code, err: error }, 'engine not ready');
  };
  const warmedUp = retry(warmUp, { ...WARM_UP_RETRY, clock, onRetry }, stop.signal).then(() => {
    status = { engine, engineReason: choice.reason, engineHint: choice.hint, ready: true };
    logger.info({ engine }, 'engine ready');
  });
  // Closing before the engine has answered is no failure.
  warmedUp.catch(() => undefined);

  return {
    model,
    warmedUp,
    get status() {
      const { languages, trouble } = model;
      return {
        ...status,
        ...(languages === undefined ? {} : { languages: [...languages] }),
        ...(status.ready && trouble !== undefined ? { engineReason: `${status.engineReason}; ${trouble}` } : {}),
      };
    },
    async close() {
      stop.abort();
      await warmedUp.catch(() => undefined);
      await model.close();
    },
  };
}

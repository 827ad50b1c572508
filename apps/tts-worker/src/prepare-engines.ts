import type { Clock, Logger } from '@parley/runtime';
import type { TtsConfig } from './config.ts';
import { equipEngine } from './equip-engine.ts';
import { withFallback } from './fallback.ts';
import type { SpeechMetrics } from './metrics.ts';
import { PhraseCache } from './phrase-cache.ts';
import type { Synthesizer } from './synthesizer.ts';

const BYTES_PER_MEGABYTE = 1_000_000;

export type PrepareOptions = Pick<
  TtsConfig,
  'firstAudioTimeoutMs' | 'stallTimeoutMs' | 'fallbackAfterMs' | 'cacheMegabytes'
> & { readonly clock: Clock; readonly logger: Logger; readonly metrics: SpeechMetrics };

/** Makes one synthesizer of the engines in their order, as the stage uses it. There must be one at least. */
export function prepareEngines(engines: readonly Synthesizer[], options: PrepareOptions): Synthesizer {
  const { clock, logger, metrics, cacheMegabytes, firstAudioTimeoutMs, stallTimeoutMs, fallbackAfterMs } = options;
  const cache =
    cacheMegabytes === 0
      ? undefined
      : new PhraseCache({
          maxBytes: cacheMegabytes * BYTES_PER_MEGABYTE,
          onEvicted: () => metrics.phraseCacheEvictions.inc(),
        });
  const equipped = engines.map((engine, index) => {
    // Where another one stands ready, less patience is called for.
    const patienceMs = index < engines.length - 1 ? fallbackAfterMs : Number.POSITIVE_INFINITY;
    return equipEngine(engine, {
      firstAudioTimeoutMs: Math.min(firstAudioTimeoutMs, patienceMs),
      stallTimeoutMs: Math.min(stallTimeoutMs, 2 * patienceMs),
      ...{ cache, clock, metrics },
    });
  });
  const [first, ...others] = equipped;
  if (first === undefined) throw new Error('there is no engine');
  return others.length === 0 ? first : withFallback([first, ...others], { clock, logger, metrics });
}

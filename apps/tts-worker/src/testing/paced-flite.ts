import { setTimeout as sleep } from 'node:timers/promises';
import type { Synthesizer } from '../synthesizer.ts';
import { createFlite } from '../synthesizers/flite.ts';

/** Seconds that a second of speech takes. */
const REAL_TIME_FACTOR = 0.3;
const PIECE_MS = 20;

/** An engine module for tests: flite, but as slow as a large model, so that a test can hit it in the middle of a clause. */
export function createSynthesizer(): Synthesizer {
  const flite = createFlite();
  return {
    ...flite,
    name: 'paced-flite',
    async *speak(request, signal) {
      const startMs = performance.now();
      let spokenMs = 0;
      for await (const { samples, sampleRateHz } of flite.speak(request, signal)) {
        const pieceSamples = (sampleRateHz * PIECE_MS) / 1_000;
        for (let at = 0; at < samples.length; at += pieceSamples) {
          spokenMs += PIECE_MS;
          const waitMs = startMs + spokenMs * REAL_TIME_FACTOR - performance.now();
          if (waitMs > 0) await sleep(waitMs, undefined, { signal }).catch(() => undefined);
          signal.throwIfAborted();
          yield { samples: samples.subarray(at, at + pieceSamples), sampleRateHz };
        }
      }
    },
  };
}

import { fileURLToPath } from 'node:url';
import { concatInt16 } from '@parley/audio';
import { createLogger, createMetrics, type Metrics } from '@parley/runtime';
import { type SpeechMetrics, speechMetrics } from '../metrics.ts';
import type { SpeechRequest, Synthesizer } from '../synthesizer.ts';

/** A voice for tests: small, real, and fit for nothing else. */
export const TINY_VOICE_DIR = fileURLToPath(
  new URL('../../../../libs/testkit/fixtures/models/tiny-tts-en', import.meta.url),
);

export const silentLogger = createLogger({ name: 'test', level: 'silent' });

/** A signal that never aborts. */
export const never = new AbortController().signal;

export const speechRequest = (text: string, more: Partial<SpeechRequest> = {}): SpeechRequest => ({
  ...{ text, voice: '', speed: 1, language: 'en' },
  ...more,
});

/** All that an engine says of a text. */
export async function render(
  engine: Pick<Synthesizer, 'speak'>,
  text: string,
  more: Partial<SpeechRequest> = {},
): Promise<{ samples: Int16Array; rateHz: number }> {
  const chunks: Int16Array[] = [];
  let rateHz = 0;
  for await (const chunk of engine.speak(speechRequest(text, more), never)) {
    chunks.push(chunk.samples.slice());
    rateHz = chunk.sampleRateHz;
  }
  return { samples: concatInt16(chunks), rateHz };
}

/** Metrics, and what of them a page of `/metrics` would show. */
export function testMetrics(): { metrics: SpeechMetrics; registry: Metrics } {
  const registry = createMetrics({ processMetrics: false });
  return { metrics: speechMetrics(registry), registry };
}

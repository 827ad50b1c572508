import { systemClock } from '@parley/runtime';
import { describe, expect, it } from 'vitest';
import { equipEngine } from './equip-engine.ts';
import { PhraseCache } from './phrase-cache.ts';
import type { SpeechRequest, Synthesizer } from './synthesizer.ts';
import { createFlite } from './synthesizers/flite.ts';
import { never, render, speechRequest, testMetrics } from './testing/lab.ts';

const RATE_HZ = 16_000;

/** Speaks a tenth of a second a character, each time another one, and counts how often it was asked. */
class CountingEngine {
  asked = 0;
  readonly engine: Synthesizer;

  constructor(more: Partial<Synthesizer> = {}) {
    const speak = async function* (this: CountingEngine, { text }: SpeechRequest) {
      this.asked += 1;
      for (const _ of text) yield { samples: new Int16Array(RATE_HZ / 10).fill(this.asked), sampleRateHz: RATE_HZ };
      if (text.includes('!')) throw new Error('broken off');
    };
    this.engine = { ...createFlite(), name: 'counting', voices: ['a', 'b'], speak: speak.bind(this), ...more };
  }
}

function equip(engine: Synthesizer, maxBytes = 1_000_000) {
  const { metrics, registry } = testMetrics();
  const cache = new PhraseCache({ maxBytes, onEvicted: () => metrics.phraseCacheEvictions.inc() });
  const limits = { firstAudioTimeoutMs: 1_000, stallTimeoutMs: 1_000 };
  return { cache, registry, equipped: equipEngine(engine, { ...limits, cache, clock: systemClock, metrics }) };
}

describe('the cache of phrases', () => {
  it('answers a phrase said before without asking the engine, and counts it', async () => {
    const counting = new CountingEngine();
    const { equipped, registry } = equip(counting.engine);
    const first = await render(equipped, 'Sure.');
    expect(await render(equipped, 'Sure.')).toEqual(first);
    expect(counting.asked).toBe(1);
    const page = await registry.render();
    expect(page).toContain('parley_tts_phrase_cache_total{engine="counting",result="hit"} 1');
    expect(page).toContain('parley_tts_phrase_cache_total{engine="counting",result="miss"} 1');
    expect(page).toContain(`parley_tts_phrase_cache_bytes ${first.samples.byteLength}`);
  });

  it('tells texts, voices, paces and languages apart', async () => {
    const counting = new CountingEngine();
    const { equipped } = equip(counting.engine);
    for (const request of [{}, { voice: 'a' }, { voice: 'b' }, { speed: 1.1 }, { language: 'de' }]) {
      await render(equipped, 'Sure.', request);
    }
    await render(equipped, 'Sure');
    expect(counting.asked).toBe(6);
    // A voice that the engine does not have is its default one.
    await render(equipped, 'Sure.', { voice: 'unknown' });
    expect(counting.asked).toBe(6);
  });

  it('keeps nothing that was broken off, cancelled or left', async () => {
    const counting = new CountingEngine();
    const { equipped, cache } = equip(counting.engine);
    await expect(render(equipped, 'No!')).rejects.toThrow('broken off');
    for await (const _ of equipped.speak(speechRequest('Sure.'), never)) break;
    const controller = new AbortController();
    const cancelled = async (): Promise<void> => {
      for await (const _ of equipped.speak(speechRequest('Sure.'), controller.signal))
        controller.abort(new Error('no'));
    };
    await expect(cancelled()).rejects.toThrow('no');
    expect(cache.bytes).toBe(0);
  });

  it('holds no more bytes than it may, and gives up first what was not heard for longest', async () => {
    const counting = new CountingEngine();
    const phraseBytes = 5 * (RATE_HZ / 10) * 2;
    const { equipped, cache, registry } = equip(counting.engine, 2 * phraseBytes + 1_000);
    for (const text of ['aaaaa', 'bbbbb', 'aaaaa', 'ccccc', 'aaaaa']) await render(equipped, text);
    expect(counting.asked).toBe(3);
    expect(cache.bytes).toBe(2 * phraseBytes);
    await render(equipped, 'bbbbb');
    expect(counting.asked).toBe(4);
    await render(equipped, 'd'.repeat(60));
    expect(cache.bytes).toBeLessThanOrEqual(2 * phraseBytes + 1_000);
    expect(await registry.render()).toContain('parley_tts_phrase_cache_evictions_total 2');
  });

  it('keeps no long speeches', async () => {
    const { equipped, cache } = equip(new CountingEngine().engine, 100_000_000);
    await render(equipped, 'x'.repeat(151));
    expect(cache.bytes).toBe(0);
    await render(equipped, 'x'.repeat(150));
    expect(cache.bytes).toBe(150 * (RATE_HZ / 10) * 2);
  });

  it('is left out for an engine whose renderings must be new', async () => {
    const counting = new CountingEngine({ repeatable: false });
    const { equipped, cache } = equip(counting.engine);
    await render(equipped, 'Sure.');
    await render(equipped, 'Sure.');
    expect(counting.asked).toBe(2);
    expect(cache.bytes).toBe(0);
  });
});

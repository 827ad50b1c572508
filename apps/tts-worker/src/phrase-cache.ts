import { createHash } from 'node:crypto';
import { concatInt16 } from '@parley/audio';
import { LRUCache } from 'lru-cache';
import type { SpeechChunk, SpeechRequest } from './synthesizer.ts';

/** Phrases kept at most, however short. */
const MAX_PHRASES = 5_000;
/** A longer rendering is no phrase that is said again and again. */
const MAX_PHRASE_SECONDS = 15;
const BYTES_PER_SAMPLE = 2;

export interface PhraseCacheOptions {
  readonly maxBytes: number;
  /** Called when the bound has driven a phrase out. */
  onEvicted?(): void;
}

/** Takes down a rendering that is being made, to be kept if it comes to its end. */
export interface PhraseRecorder {
  add(chunk: SpeechChunk): void;
  /** The rendering is whole. */
  finish(): void;
}

/**
 * Renderings of phrases that are said again and again ("Sure!", "One moment, please."), those not heard for longest going
 * first. It holds neither texts nor names: a key cannot be read backwards.
 */
export class PhraseCache {
  readonly #phrases: LRUCache<string, SpeechChunk>;

  constructor({ maxBytes, onEvicted }: PhraseCacheOptions) {
    this.#phrases = new LRUCache({
      max: MAX_PHRASES,
      maxSize: maxBytes,
      sizeCalculation: ({ samples }) => samples.byteLength,
      dispose: (_, __, reason) => {
        if (reason === 'evict') onEvicted?.();
      },
    });
  }

  /** What decides how a phrase sounds. The rate is the engine's own, and kept with its samples. */
  static key(engine: string, { text, voice, speed, language }: SpeechRequest): string {
    return createHash('sha256')
      .update(JSON.stringify([engine, voice, speed, language, text]))
      .digest('base64');
  }

  get bytes(): number {
    return this.#phrases.calculatedSize;
  }

  get(key: string): SpeechChunk | undefined {
    return this.#phrases.get(key);
  }

  record(key: string): PhraseRecorder {
    let chunks: Int16Array[] = [];
    let samples = 0;
    let sampleRateHz = 0;
    let isTooLong = false;
    return {
      add: (chunk) => {
        samples += chunk.samples.length;
        isTooLong ||= samples > MAX_PHRASE_SECONDS * chunk.sampleRateHz;
        isTooLong ||= sampleRateHz !== 0 && sampleRateHz !== chunk.sampleRateHz;
        sampleRateHz = chunk.sampleRateHz;
        if (isTooLong) chunks = [];
        else chunks.push(chunk.samples.slice());
      },
      finish: () => {
        if (isTooLong || samples === 0 || samples * BYTES_PER_SAMPLE > this.#phrases.maxSize) return;
        this.#phrases.set(key, { samples: concatInt16(chunks), sampleRateHz });
      },
    };
  }
}

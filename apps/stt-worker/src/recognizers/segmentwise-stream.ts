import { concatInt16, msToSamples, SPEECH_SAMPLE_RATE_HZ, samplesToMs } from '@parley/audio';
import { VoiceError } from '@parley/protocol';
import type { OnWords, RecognitionStream, SpokenWord } from '../recognizer.ts';
import { isAudible } from './audible.ts';

/** Segments of one session that are being heard at a time; further ones wait. */
const MAX_HEARD_AT_ONCE = 4;

/** What was understood of a segment. */
export interface HeardSegment {
  readonly text: string;
  readonly words?: readonly SpokenWord[] | undefined;
}

export interface SegmentwiseOptions {
  /** Hears a whole segment; what it throws is a `VoiceError`. */
  hear(samples: Int16Array, signal: AbortSignal): Promise<HeardSegment>;
  /** Audio between two looks at the open segment; 0 for none. */
  readonly partialMs: number;
  onClosed(): void;
}

interface Waiting {
  readonly samples: Int16Array;
  readonly onWords: OnWords | undefined;
  readonly settle: PromiseWithResolvers<string>;
}

/**
 * A stream over an engine elsewhere that takes whole segments. Partials are got by sending what is there so far, one at a
 * time; one that fails is left out, for the segment itself comes later.
 */
export class SegmentwiseStream implements RecognitionStream {
  readonly #options: SegmentwiseOptions;
  readonly #closed = new AbortController();
  readonly #partialSamples: number;
  #onPartial: (text: string) => void = () => undefined;
  #onFailure: (error: Error) => void = () => undefined;
  #chunks: Int16Array[] = [];
  #samples = 0;
  /** The look at the open segment under way, and how much of it was there at the last one. */
  #look: AbortController | undefined;
  #seenSamples = 0;
  #partial = '';
  #waiting: Waiting[] = [];
  #heardAtOnce = 0;

  constructor(options: SegmentwiseOptions) {
    this.#options = options;
    this.#partialSamples = msToSamples(options.partialMs, SPEECH_SAMPLE_RATE_HZ);
  }

  get backlogMs(): number {
    const samples = this.#waiting.reduce((sum, waiting) => sum + waiting.samples.length, 0);
    return samplesToMs(samples, SPEECH_SAMPLE_RATE_HZ);
  }

  accept(samples: Int16Array): void {
    if (this.#closed.signal.aborted) return;
    this.#chunks.push(samples);
    this.#samples += samples.length;
    const isDue = this.#partialSamples > 0 && this.#samples - this.#seenSamples >= this.#partialSamples;
    if (isDue && this.#look === undefined) void this.#lookAtOpen();
  }

  onPartial(handler: (text: string) => void): void {
    this.#onPartial = handler;
  }

  onFailure(handler: (error: Error) => void): void {
    this.#onFailure = handler;
  }

  settle(onWords?: OnWords): Promise<string> {
    if (this.#closed.signal.aborted) return Promise.reject(this.#closed.signal.reason);
    const samples = concatInt16(this.#chunks);
    this.abandon();
    if (!isAudible(samples)) return Promise.resolve('');
    const settle = Promise.withResolvers<string>();
    this.#waiting.push({ samples, onWords, settle });
    this.#hearNext();
    return settle.promise;
  }

  abandon(): void {
    this.#look?.abort(new VoiceError('engine_failed', 'the segment is over'));
    this.#look = undefined;
    this.#chunks = [];
    this.#samples = 0;
    this.#seenSamples = 0;
    this.#partial = '';
  }

  close(): void {
    this.#onPartial = () => undefined;
    this.#onFailure = () => undefined;
    this.fail(new VoiceError('engine_failed', 'the stream was closed'));
  }

  /** Ends the stream for a reason that lies outside of it. Idempotent. */
  fail(error: VoiceError): void {
    if (this.#closed.signal.aborted) return;
    const isSettling = this.#heardAtOnce > 0;
    this.abandon();
    this.#closed.abort(error);
    for (const { settle } of this.#waiting.splice(0)) settle.reject(error);
    if (!isSettling) this.#onFailure(error);
    this.#options.onClosed();
  }

  #hearNext(): void {
    if (this.#heardAtOnce >= MAX_HEARD_AT_ONCE) return;
    const next = this.#waiting.shift();
    if (next === undefined) return;
    this.#heardAtOnce += 1;
    void this.#hear(next).finally(() => {
      this.#heardAtOnce -= 1;
      this.#hearNext();
    });
  }

  async #hear({ samples, onWords, settle }: Waiting): Promise<void> {
    const { signal } = this.#closed;
    // The caller is told at once when nobody wants it any more, however long the engine takes to notice.
    const onAbort = (): void => settle.reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      const { text, words } = await this.#options.hear(samples, signal);
      if (signal.aborted) return;
      if (words !== undefined) onWords?.(words);
      settle.resolve(text);
    } catch (error) {
      settle.reject(VoiceError.from(error, 'engine_failed'));
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  async #lookAtOpen(): Promise<void> {
    const look = new AbortController();
    this.#look = look;
    const samples = concatInt16(this.#chunks);
    this.#chunks = [samples];
    this.#seenSamples = this.#samples;
    if (isAudible(samples)) {
      const heard = await this.#options.hear(samples, look.signal).catch(() => undefined);
      if (this.#look !== look) return;
      if (heard !== undefined && heard.text !== this.#partial) {
        this.#partial = heard.text;
        this.#onPartial(heard.text);
      }
    }
    if (this.#look === look) this.#look = undefined;
  }
}

/** One text to be spoken. */
export interface SpeechRequest {
  readonly text: string;
  /** One of the engine's voices; empty is its default. */
  readonly voice: string;
  /** 1 is the voice's own pace, 2 twice as fast. */
  readonly speed: number;
  /** BCP 47 tag. */
  readonly language: string;
}

/** A stretch of speech, mono PCM16. All stretches of one text have the same rate. */
export interface SpeechChunk {
  readonly samples: Int16Array;
  readonly sampleRateHz: number;
}

/** An engine that speaks. Its failures are `VoiceError`s with one of the codes `engine_…`. */
export interface Synthesizer {
  readonly name: string;
  /** The same request gives the same samples, on any worker: a half-heard clause can go on at the same sample. */
  readonly deterministic: boolean;
  /** Names of the voices; empty where only the engine itself knows them. */
  readonly voices: readonly string[];
  /**
   * Yields speech as soon as the engine has some. When the signal aborts it stops within 50 ms, throws the signal's
   * reason and leaves neither process nor connection behind.
   */
  speak(request: SpeechRequest, signal: AbortSignal): AsyncIterable<SpeechChunk>;
  /** Speaks something that nobody hears, so that the first clause finds everything loaded. */
  warmUp(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** Has the engine speak a word and drops it. */
export async function speakOnce(synthesizer: Pick<Synthesizer, 'speak'>, signal: AbortSignal): Promise<void> {
  const request: SpeechRequest = { text: 'Ready.', voice: '', speed: 1, language: 'en' };
  for await (const _ of synthesizer.speak(request, signal)) signal.throwIfAborted();
}

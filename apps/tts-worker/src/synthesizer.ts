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
  /** An earlier rendering of the same request is as good as a new one. */
  readonly repeatable: boolean;
  /**
   * What a cancelled request goes on costing: nothing 50 ms later, or the work on the sentence that the engine has begun.
   * The caller is free at once in both cases.
   */
  readonly cancels: 'at_once' | 'after_sentence';
  /** Rate at which it speaks; undefined where only its answers tell. */
  readonly sampleRateHz: number | undefined;
  /** Names of the voices; empty where only the engine itself knows them. Some engines know once they are warmed up. */
  readonly voices: readonly string[];
  /** BCP 47 tags; empty where only the engine itself knows. */
  readonly languages: readonly string[];
  /** Whether a session may ask for this voice; without it, the voices listed may be, and any where none is listed. */
  hasVoice?(voice: string): boolean;
  /**
   * Yields speech as soon as the engine has some. When the signal aborts it throws the signal's reason within 50 ms and
   * leaves neither process nor connection behind.
   */
  speak(request: SpeechRequest, signal: AbortSignal): AsyncIterable<SpeechChunk>;
  /** Speaks something that nobody hears, so that the first clause finds everything loaded. */
  warmUp(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** Whether the engine can speak in this voice, as far as one can tell without asking it. */
export function hasVoice(engine: Pick<Synthesizer, 'voices' | 'hasVoice'>, voice: string): boolean {
  if (engine.hasVoice !== undefined) return engine.hasVoice(voice);
  return engine.voices.length === 0 || engine.voices.includes(voice);
}

/** Has the engine speak a word and drops it. */
export async function speakOnce(synthesizer: Pick<Synthesizer, 'speak'>, signal: AbortSignal): Promise<void> {
  const request: SpeechRequest = { text: 'Ready.', voice: '', speed: 1, language: 'en' };
  for await (const _ of synthesizer.speak(request, signal)) signal.throwIfAborted();
}

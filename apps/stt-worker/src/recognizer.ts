/** Speech in, text out, as it is spoken. One recogniser serves all sessions of a worker. */
export interface Recognizer {
  readonly name: string;
  /** Languages it understands, BCP 47; empty when that depends on the model and is not known. */
  readonly languages: readonly string[];
  /** Sessions it can hear at once in real time. */
  readonly slots: number;
  /** Silence after which a segment may be settled, if the engine needs more than the listener's own. */
  readonly minPauseMs?: number;
  /** A stream for one session. Rejects with `engine_failed` when no decoder can be had. */
  open(): Promise<RecognitionStream>;
  close(): Promise<void>;
}

/**
 * One session's way through the engine: segments of speech, one after the other. What a segment is recognised as depends
 * on its samples alone, not on how they were cut into chunks, nor on what was heard before: whoever takes a session over
 * and hears a segment again must understand the same.
 */
export interface RecognitionStream {
  /** Adds 16 kHz mono PCM16 to the open segment. Never blocks; the samples are the stream's from now on. */
  accept(samples: Int16Array): void;
  /** Told the text of the open segment so far, whenever it changes. */
  onPartial(handler: (text: string) => void): void;
  /** Told once when the engine fails outside of a call to `settle`; the stream is of no use then. */
  onFailure(handler: (error: Error) => void): void;
  /**
   * Ends the segment. What is accepted from now on, also before the text is there, belongs to the next one. Resolves with
   * everything that was understood, empty when that is nothing; rejects with a `VoiceError` when the engine failed.
   */
  settle(): Promise<string>;
  /** Drops the open segment. */
  abandon(): void;
  /** Drops the stream; a settle under way may be left undone. Idempotent. */
  close(): void;
  /** Audio accepted and not yet decoded. */
  readonly backlogMs: number;
}

/** Makes a recogniser; what an engine module given as `module:<path>` exports under the name `createRecognizer`. */
export type CreateRecognizer = (options: RecognizerOptions) => Promise<Recognizer>;

/** What every engine is told. */
export interface RecognizerOptions {
  /** Folder of the model, for engines that need one. */
  readonly modelDir: string | undefined;
  /** Sessions at once, 0 for the engine's own choice. */
  readonly slots: number;
  /** After so long without a sign of life the engine counts as hung. */
  readonly stallTimeoutMs: number;
  /** Told of trouble that is no session's own. */
  onTrouble(error: Error): void;
}

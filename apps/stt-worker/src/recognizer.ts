/** Speech in, text out, as it is spoken. One recogniser serves all sessions of a worker. */
export interface Recognizer {
  readonly name: string;
  /** Languages it understands, BCP 47; empty when that depends on the model and is not known. */
  readonly languages: readonly string[];
  /** Sessions it can hear at once in real time. */
  readonly slots: number;
  /** The same segment is understood alike by any worker that has it; nothing said is taken for no. */
  readonly deterministic?: boolean;
  /**
   * What a stream that is closed goes on costing: nothing 50 ms later, or the work on the segments that the engine has
   * begun. The caller is free at once in both cases. Nothing said is taken for the latter.
   */
  readonly cancels?: 'at_once' | 'after_segment';
  /** Silence after which a segment may be settled, if the engine needs more than the listener's own. */
  readonly minPauseMs?: number;
  /** A stream for one session. Rejects with `engine_failed` when no decoder can be had. */
  open(): Promise<RecognitionStream>;
  close(): Promise<void>;
}

/** When a word was said, in samples from the first of its segment. */
export interface SpokenWord {
  readonly word: string;
  readonly startSample: number;
  /** The sample after its last. */
  readonly endSample: number;
  /** From 0 to 1. */
  readonly confidence?: number | undefined;
}

/** Told the words of a segment. */
export type OnWords = (words: readonly SpokenWord[]) => void;

/**
 * One session's way through the engine: segments of speech, one after the other. What a segment is recognised as depends
 * on its samples alone, not on how they were cut into chunks, nor on what was heard before: whoever takes a session over
 * and hears a segment again must understand the same. (Of a server elsewhere that can only be hoped.)
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
   * `onWords` is called before that with the segment's words, by engines that know when each was said.
   */
  settle(onWords?: OnWords): Promise<string>;
  /** Drops the open segment. */
  abandon(): void;
  /** Drops the stream; a settle under way may be left undone. Idempotent. */
  close(): void;
  /** Audio accepted that the engine has fallen behind with. */
  readonly backlogMs: number;
}

/** Makes a recogniser; what an engine module given as `module:<path>` exports under the name `createRecognizer`. */
export type CreateRecognizer = (options: RecognizerOptions) => Promise<Recognizer>;

/** What every engine is told; each takes what concerns it. */
export interface RecognizerOptions {
  /** Sessions at once, 0 for the engine's own choice. */
  readonly slots: number;
  /** After so long without a sign of life the engine counts as hung. */
  readonly stallTimeoutMs: number;
  /** Folder of the model, for engines that need one. */
  readonly modelDir?: string | undefined;
  /** What that folder holds, where its files do not tell. */
  readonly modelKind?: string | undefined;
  /** Where a model is computed. */
  readonly provider?: 'cpu' | 'cuda' | undefined;
  /** Threads with which a model is computed. */
  readonly threads?: number | undefined;
  /** BCP 47 tag of the language that is spoken; without it the engine finds out, if it can. */
  readonly language?: string | undefined;
  /** Words and names to be listened for, with commas between. */
  readonly hotwords?: string | undefined;
  /** Time between two looks at an open segment, for engines that hear it as a whole; 0 for the engine's own choice. */
  readonly partialMs?: number | undefined;
  /** An OpenAI-compatible server. */
  readonly baseUrl?: string | undefined;
  readonly model?: string | undefined;
  readonly apiKey?: string | undefined;
  /** A server with Deepgram's protocol. */
  readonly deepgramUrl?: string | undefined;
  readonly deepgramModel?: string | undefined;
  readonly deepgramApiKey?: string | undefined;
  /** Told of trouble that is no session's own. */
  onTrouble(error: Error): void;
}

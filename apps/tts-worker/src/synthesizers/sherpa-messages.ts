/** How the process is started that speaks with sherpa-onnx: as its only argument, in JSON. */
export interface SherpaProcessOptions {
  /** The part of sherpa-onnx's `model` that depends on the kind of model. */
  readonly model: Readonly<Record<string, unknown>>;
  readonly ruleFsts: string;
  readonly provider: string;
  readonly numThreads: number;
}

/** To that process. */
export type SherpaRequest =
  | {
      readonly type: 'speak';
      readonly id: number;
      /** Spoken one after the other. */
      readonly pieces: readonly string[];
      readonly speaker: number;
      readonly speed: number;
    }
  | { readonly type: 'cancel'; readonly id: number };

/** From it. */
export type SherpaAnswer =
  | { readonly type: 'loaded'; readonly sampleRateHz: number; readonly speakers: number }
  /** Nothing can be spoken; the process ends. */
  | { readonly type: 'unusable'; readonly code: 'engine_missing' | 'engine_failed'; readonly message: string }
  | { readonly type: 'samples'; readonly id: number; readonly samples: Int16Array }
  /** The last word about a request, cancelled ones included: the engine is free of it. */
  | { readonly type: 'ended'; readonly id: number; readonly failure?: string };

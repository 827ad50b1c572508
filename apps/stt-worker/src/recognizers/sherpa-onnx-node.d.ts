/** What is used of sherpa-onnx-node, which comes without types. */
declare module 'sherpa-onnx-node' {
  interface Wave {
    readonly samples: Float32Array;
    readonly sampleRate: number;
  }
  interface RecognizerConfig {
    readonly featConfig: { readonly sampleRate: number; readonly featureDim: number };
    readonly modelConfig: Readonly<Record<string, unknown>>;
    readonly decodingMethod: string;
    readonly hotwordsFile?: string;
    readonly hotwordsScore?: number;
  }
  interface RecognizerResult {
    readonly text: string;
    readonly tokens: readonly string[];
    readonly timestamps: readonly number[];
  }

  export interface OnlineStream {
    acceptWaveform(wave: Wave): void;
  }
  export class OnlineRecognizer {
    constructor(config: RecognizerConfig & { readonly enableEndpoint: boolean });
    createStream(): OnlineStream;
    isReady(stream: OnlineStream): boolean;
    decodeStreams(streams: OnlineStream[]): void;
    getResult(stream: OnlineStream): RecognizerResult & { readonly ys_probs: readonly number[] };
  }

  export interface OfflineStream {
    acceptWaveform(wave: Wave): void;
  }
  export class OfflineRecognizer {
    constructor(config: RecognizerConfig);
    createStream(): OfflineStream;
    decode(stream: OfflineStream): void;
    getResult(
      stream: OfflineStream,
    ): RecognizerResult & { readonly durations: readonly number[]; readonly ys_log_probs: readonly number[] };
  }
}

/** What is used of sherpa-onnx-node, which comes without types. */
declare module 'sherpa-onnx-node' {
  export interface OnlineStream {
    acceptWaveform(wave: { readonly samples: Float32Array; readonly sampleRate: number }): void;
  }
  export interface OnlineRecognizerConfig {
    readonly featConfig: { readonly sampleRate: number; readonly featureDim: number };
    readonly modelConfig: Readonly<Record<string, unknown>>;
    readonly decodingMethod: string;
    readonly enableEndpoint: boolean;
  }
  export class OnlineRecognizer {
    constructor(config: OnlineRecognizerConfig);
    createStream(): OnlineStream;
    isReady(stream: OnlineStream): boolean;
    decodeStreams(streams: OnlineStream[]): void;
    getResult(stream: OnlineStream): { readonly text: string };
  }
}

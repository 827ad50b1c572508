/** What is used of sherpa-onnx-node, which comes without types. */
declare module 'sherpa-onnx-node' {
  export interface OfflineTtsConfig {
    readonly model: Readonly<Record<string, unknown>>;
    readonly maxNumSentences: number;
    readonly ruleFsts?: string;
  }
  export interface GenerationSettings {
    readonly sid: number;
    readonly speed: number;
    readonly silenceScale: number;
  }
  export class GenerationConfig {
    constructor(settings: GenerationSettings);
  }
  export interface GenerateRequest {
    readonly text: string;
    readonly generationConfig: GenerationConfig;
    /** Called after every sentence; false ends the work. */
    readonly onProgress?: (progress: { readonly samples: Float32Array; readonly progress: number }) => boolean;
  }
  export class OfflineTts {
    static createAsync(config: OfflineTtsConfig): Promise<OfflineTts>;
    readonly numSpeakers: number;
    readonly sampleRate: number;
    generateAsync(request: GenerateRequest): Promise<{ readonly samples: Float32Array; readonly sampleRate: number }>;
  }
}

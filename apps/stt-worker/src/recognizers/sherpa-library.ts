import { createRequire } from 'node:module';
import { SPEECH_SAMPLE_RATE_HZ } from '@parley/audio';
import { VoiceError } from '@parley/protocol';
import type { SherpaModel } from './sherpa-model.ts';

/** What a thread of sherpa is told at its start. */
export interface SherpaThreadData {
  readonly model: SherpaModel;
  readonly provider: 'cpu' | 'cuda';
  readonly numThreads: number;
  readonly hotwords?: SherpaHotwords | undefined;
  /** Time between two looks at a segment that goes on, for models that hear it as a whole. */
  readonly partialMs: number;
}

export interface SherpaHotwords {
  /** One phrase a line. */
  readonly file: string;
  readonly score: number;
  /** What a phrase is made of, in the library's words. */
  readonly modelingUnit: string;
}

/** Loads the native library; throws `engine_missing` where it is not there. */
export function loadSherpa(): typeof import('sherpa-onnx-node') {
  try {
    return createRequire(import.meta.url)('sherpa-onnx-node');
  } catch (cause) {
    throw new VoiceError('engine_missing', 'sherpa-onnx-node cannot be loaded', { cause });
  }
}

/** The configuration that all kinds of recognisers share. */
export function sherpaConfig({ model, provider, numThreads, hotwords }: SherpaThreadData) {
  const modelConfig = { ...model.config, numThreads, provider, debug: 0 };
  const featConfig = { sampleRate: SPEECH_SAMPLE_RATE_HZ, featureDim: 80 };
  if (hotwords === undefined) return { featConfig, modelConfig, decodingMethod: 'greedy_search' };
  const { file, score, modelingUnit } = hotwords;
  return {
    featConfig,
    modelConfig: { ...modelConfig, modelingUnit, ...(model.bpeVocab ? { bpeVocab: model.bpeVocab } : {}) },
    // Greedy search looks for nothing in particular.
    decodingMethod: 'modified_beam_search',
    hotwordsFile: file,
    hotwordsScore: score,
  };
}

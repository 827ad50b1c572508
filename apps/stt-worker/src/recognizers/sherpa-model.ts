import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { VoiceError } from '@parley/protocol';

/** How a model is loaded. `online` models hear while speech goes on, `offline` ones a segment as a whole. */
export const SHERPA_KINDS = [
  'online-transducer',
  'online-paraformer',
  'online-nemo-ctc',
  'online-zipformer-ctc',
  'offline-transducer',
  'offline-nemo-transducer',
  'offline-paraformer',
  'offline-nemo-ctc',
  'offline-zipformer-ctc',
  'offline-sense-voice',
  'offline-moonshine',
  'offline-whisper',
] as const;

type SherpaKind = (typeof SHERPA_KINDS)[number];

/** A model as it lies on the disk. */
export interface SherpaModel {
  readonly kind: SherpaKind;
  /** The part of sherpa-onnx's `modelConfig` that depends on the model. */
  readonly config: Readonly<Record<string, unknown>> & { readonly tokens: string };
  /** Vocabulary of its word pieces, for hotwords; some models bring one. */
  readonly bpeVocab?: string;
}

export const isOnline = ({ kind }: Pick<SherpaModel, 'kind'>): boolean => kind.startsWith('online-');

/** Only transducers can be told what to listen for. */
export const takesHotwords = ({ kind }: Pick<SherpaModel, 'kind'>): boolean =>
  kind === 'online-transducer' || kind === 'offline-transducer' || kind === 'offline-nemo-transducer';

export interface SherpaModelOptions {
  readonly modelDir: string;
  /** Where the files do not tell. */
  readonly modelKind?: string | undefined;
  /** BCP 47; of the models that ask for it. */
  readonly language?: string | undefined;
}

/**
 * Finds out which model a folder holds from the names of its files and of the folder, as the models are published. Of
 * several precisions the smaller `int8` one is taken. Throws `engine_missing` naming what is not there.
 */
export function detectSherpaModel({ modelDir, modelKind, language }: SherpaModelOptions): SherpaModel {
  let files: string[];
  try {
    files = readdirSync(modelDir).toSorted();
  } catch (cause) {
    throw new VoiceError('engine_missing', `the model folder ${modelDir} cannot be read`, { cause });
  }
  const find = (...names: readonly RegExp[]): string | undefined => {
    for (const name of names) {
      const matches = files.filter((file) => /\.(onnx|ort)$/.test(file) && name.test(file));
      const file = matches.find((match) => match.includes('int8')) ?? matches[0];
      if (file !== undefined) return join(modelDir, file);
    }
    return undefined;
  };
  const tokensFile = files.includes('tokens.txt') ? 'tokens.txt' : files.find((file) => file.endsWith('-tokens.txt'));
  if (tokensFile === undefined) {
    throw new VoiceError('engine_missing', `${join(modelDir, 'tokens.txt')} is missing`);
  }
  const kind = isKnown(modelKind) ? modelKind : kindOf(modelDir, find);
  const missing = (): VoiceError =>
    new VoiceError('engine_missing', `${modelDir} holds no whole model of the kind ${kind}: .onnx files are missing`);
  if (kind === undefined) {
    throw new VoiceError('engine_missing', `${modelDir} holds no model that is known (no .onnx files of one)`);
  }
  const parts = partsOf(kind, find, language);
  if (parts === undefined) throw missing();
  const config = { tokens: join(modelDir, tokensFile), ...parts };
  return { kind, config, ...(files.includes('bpe.vocab') ? { bpeVocab: join(modelDir, 'bpe.vocab') } : {}) };
}

type Find = (...names: readonly RegExp[]) => string | undefined;

function isKnown(kind: string | undefined): kind is SherpaKind {
  return (SHERPA_KINDS as readonly (string | undefined)[]).includes(kind);
}

function kindOf(modelDir: string, find: Find): SherpaKind | undefined {
  const name = basename(modelDir);
  const isStreaming = /streaming/i.test(name);
  const [encoder, decoder, joiner] = [find(/encoder/), find(/decoder/), find(/joiner/)];
  if (encoder && decoder && joiner) {
    if (isStreaming) return 'online-transducer';
    if (/parakeet|nemo/i.test(name)) return 'offline-nemo-transducer';
    return /offline|gigaspeech-2023-12|multi-dataset/i.test(name) ? 'offline-transducer' : 'online-transducer';
  }
  if (/moonshine/i.test(name) || find(/^preprocess.*/) || find(/decoder_model_merged/)) return 'offline-moonshine';
  if (/whisper/i.test(name) || find(/^(tiny|base|small|medium|large|turbo|distil)[\w.-]*-encoder/)) {
    return 'offline-whisper';
  }
  if (encoder && decoder) return 'online-paraformer';
  if (find(/^model|ctc/) === undefined) return undefined;
  if (/sense-?voice/i.test(name)) return 'offline-sense-voice';
  // Single files all look alike; only their names say what they are.
  const isZipformer = /zipformer/i.test(name) || find(/zipformer/i) !== undefined;
  if (/paraformer/i.test(name)) return 'offline-paraformer';
  if (/offline/i.test(name)) return isZipformer ? 'offline-zipformer-ctc' : 'offline-nemo-ctc';
  return isZipformer ? 'online-zipformer-ctc' : 'online-nemo-ctc';
}

/** The files of a model under the names of sherpa-onnx; undefined when one is missing. */
function partsOf(kind: SherpaKind, find: Find, language = ''): Record<string, unknown> | undefined {
  const [encoder, decoder, joiner] = [find(/encoder/), find(/decoder/), find(/joiner/)];
  const model = find(/^model/, /ctc/, /./);
  const [baseLanguage = ''] = language.toLowerCase().split('-');
  switch (kind) {
    case 'online-transducer':
    case 'offline-transducer':
      return encoder && decoder && joiner ? { transducer: { encoder, decoder, joiner } } : undefined;
    case 'offline-nemo-transducer': {
      const transducer = { encoder, decoder, joiner };
      return encoder && decoder && joiner ? { transducer, modelType: 'nemo_transducer' } : undefined;
    }
    case 'online-paraformer':
      return encoder && decoder ? { paraformer: { encoder, decoder } } : undefined;
    case 'offline-paraformer':
      return model ? { paraformer: { model } } : undefined;
    case 'online-nemo-ctc':
    case 'offline-nemo-ctc':
      return model ? { nemoCtc: { model } } : undefined;
    case 'online-zipformer-ctc':
      return model ? { zipformer2Ctc: { model } } : undefined;
    case 'offline-zipformer-ctc':
      return model ? { zipformerCtc: { model } } : undefined;
    case 'offline-sense-voice': {
      const known = ['zh', 'en', 'ja', 'ko', 'yue'].includes(baseLanguage) ? baseLanguage : 'auto';
      return model ? { senseVoice: { model, language: known, useInverseTextNormalization: 1 } } : undefined;
    }
    case 'offline-whisper':
      return encoder && decoder
        ? { whisper: { encoder, decoder, language: baseLanguage, task: 'transcribe', tailPaddings: -1 } }
        : undefined;
    case 'offline-moonshine':
      return moonshineParts(find);
    default:
      return kind satisfies never;
  }
}

/** Two generations: five files with four of them models, or encoder and one decoder. */
function moonshineParts(find: Find): Record<string, unknown> | undefined {
  const mergedDecoder = find(/decoder_model_merged/);
  const newEncoder = find(/encoder_model/);
  if (mergedDecoder && newEncoder) return { moonshine: { encoder: newEncoder, mergedDecoder } };
  const [preprocessor, encoder] = [find(/^preprocess/), find(/^encode/)];
  const [uncachedDecoder, cachedDecoder] = [find(/^uncached_decode/), find(/^cached_decode/)];
  return preprocessor && encoder && uncachedDecoder && cachedDecoder
    ? { moonshine: { preprocessor, encoder, uncachedDecoder, cachedDecoder } }
    : undefined;
}

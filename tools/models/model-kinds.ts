/** A file that must be there, as a pattern over paths inside the model's folder. */
type FilePattern = RegExp;

interface KindFacts {
  /** Where the model works: recognition, speech, or part of something else. */
  readonly stage: 'stt' | 'tts' | 'turn' | 'part';
  /** The program that loads it, as the worker's setting names it. */
  readonly engine: 'sherpa' | 'smart-turn';
  readonly needs: readonly FilePattern[];
}

const TOKENS = /^([\w.-]+-)?tokens\.txt$/;
const SPEECH_DATA = /^espeak-ng-data\/phontab$/;
/** How words are pronounced: rules, or a list. */
const PRONUNCIATION = /^(espeak-ng-data\/phontab|lexicon[\w.-]*\.txt)$/;
const TRANSDUCER = [/^encoder.*\.onnx$/, /^decoder.*\.onnx$/, /^joiner.*\.onnx$/, TOKENS];

/** How a model is loaded. The worker is told the kind, for the files alone do not tell `online` from `offline`. */
export const MODEL_KINDS = {
  'online-transducer': { stage: 'stt', engine: 'sherpa', needs: TRANSDUCER },
  'online-paraformer': {
    stage: 'stt',
    engine: 'sherpa',
    needs: [/^encoder.*\.onnx$/, /^decoder.*\.onnx$/, TOKENS],
  },
  'online-nemo-ctc': { stage: 'stt', engine: 'sherpa', needs: [/^model.*\.onnx$/, TOKENS] },
  'offline-nemo-transducer': { stage: 'stt', engine: 'sherpa', needs: TRANSDUCER },
  'offline-sense-voice': { stage: 'stt', engine: 'sherpa', needs: [/^model.*\.onnx$/, TOKENS] },
  'offline-moonshine': {
    stage: 'stt',
    engine: 'sherpa',
    needs: [/^(encoder_model|encode).*\.(ort|onnx)$/, /^(decoder_model_merged|cached_decode).*\.(ort|onnx)$/, TOKENS],
  },
  'offline-whisper': {
    stage: 'stt',
    engine: 'sherpa',
    needs: [/^[\w.-]*encoder.*\.onnx$/, /^[\w.-]*decoder.*\.onnx$/, TOKENS],
  },
  'tts-vits': { stage: 'tts', engine: 'sherpa', needs: [/^[^/]+\.onnx$/, TOKENS, PRONUNCIATION] },
  'tts-kitten': { stage: 'tts', engine: 'sherpa', needs: [/^model.*\.onnx$/, /^voices\.bin$/, TOKENS, SPEECH_DATA] },
  'tts-kokoro': { stage: 'tts', engine: 'sherpa', needs: [/^model.*\.onnx$/, /^voices\.bin$/, TOKENS, SPEECH_DATA] },
  'tts-matcha': { stage: 'tts', engine: 'sherpa', needs: [/^model-steps-\d+\.onnx$/, TOKENS, SPEECH_DATA] },
  vocoder: { stage: 'part', engine: 'sherpa', needs: [/^[^/]+\.onnx$/] },
  'smart-turn': { stage: 'turn', engine: 'smart-turn', needs: [/^smart-turn-.*\.onnx$/] },
} as const satisfies Record<string, KindFacts>;

export type ModelKind = keyof typeof MODEL_KINDS;
export type ModelStage = KindFacts['stage'];

/** The patterns for which a model's folder has no file: empty when the folder can be loaded. */
export function missingFiles(kind: ModelKind, paths: Iterable<string>): RegExp[] {
  const present = [...paths];
  return MODEL_KINDS[kind].needs.filter((pattern) => !present.some((path) => pattern.test(path)));
}

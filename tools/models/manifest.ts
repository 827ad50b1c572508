import { MODEL_KINDS, type ModelKind, type ModelStage } from './model-kinds.ts';

/**
 * What a model costs to run, judged from its size and design, not measured: `light` needs well under a tenth of a
 * processor core in real time, `medium` up to half of one, `heavy` more than that, or a GPU.
 */
type Speed = 'light' | 'medium' | 'heavy';

/** One model that can be fetched by name. */
export interface Model {
  readonly name: string;
  readonly kind: ModelKind;
  readonly url: string;
  /** A packed folder, or the file itself. */
  readonly archive: 'tar.bz2' | 'file';
  /** Where known for certain: what arrives must be this, byte for byte. */
  readonly exact?: { readonly sizeBytes: number; readonly sha256: string };
  /** Size of the download as others report it, to choose by. The server's own figure is shown when it comes. */
  readonly approximateBytes: number;
  readonly licence: string;
  /** BCP 47 tags; `multi` for too many to name. */
  readonly languages: readonly string[];
  readonly speed: Speed;
  /** Part of what a fresh installation fetches by itself. */
  readonly recommended?: true;
  /** Names of models without which this one does not work. */
  readonly companions?: readonly string[];
}

/** The step of the pipeline that a model serves. */
export function stageOf(model: Model): ModelStage {
  return MODEL_KINDS[model.kind].stage;
}

const RELEASES = 'https://github.com/k2-fsa/sherpa-onnx/releases/download';
const MB = 1_000_000;

type Facts = Omit<Model, 'name' | 'kind' | 'url' | 'archive' | 'approximateBytes'>;

function recognizer(name: string, kind: ModelKind, megabytes: number, facts: Facts): Model {
  const url = `${RELEASES}/asr-models/${name}.tar.bz2`;
  return { name, kind, url, archive: 'tar.bz2', approximateBytes: megabytes * MB, ...facts };
}

function voice(name: string, kind: ModelKind, megabytes: number, facts: Facts): Model {
  const url = `${RELEASES}/tts-models/${name}.tar.bz2`;
  return { name, kind, url, archive: 'tar.bz2', approximateBytes: megabytes * MB, ...facts };
}

const KROKO_LICENCE = 'CC-BY-SA-4.0 (Kroko ASR community models, Banafo)';
const PIPER = 'MIT (Piper)';
const WITH_ESPEAK = 'with espeak-ng data under GPL-3.0';

/**
 * The models that sherpa-onnx publishes and Parley can load, and the end-of-turn model. Licences are those that the
 * makers state; they were read, not negotiated, so look before you ship a product on one.
 */
export const MODELS: readonly Model[] = [
  recognizer('sherpa-onnx-streaming-zipformer-en-kroko-2025-08-06', 'online-transducer', 57, {
    licence: KROKO_LICENCE,
    languages: ['en'],
    speed: 'light',
    recommended: true,
  }),
  recognizer('sherpa-onnx-streaming-zipformer-de-kroko-2025-08-06', 'online-transducer', 57, {
    licence: KROKO_LICENCE,
    languages: ['de'],
    speed: 'light',
  }),
  recognizer('sherpa-onnx-streaming-zipformer-es-kroko-2025-08-06', 'online-transducer', 125, {
    licence: KROKO_LICENCE,
    languages: ['es'],
    speed: 'light',
  }),
  recognizer('sherpa-onnx-streaming-zipformer-fr-kroko-2025-08-06', 'online-transducer', 57, {
    licence: KROKO_LICENCE,
    languages: ['fr'],
    speed: 'light',
  }),
  recognizer('sherpa-onnx-streaming-zipformer-en-2023-06-26', 'online-transducer', 310, {
    licence: 'Apache-2.0',
    languages: ['en'],
    speed: 'light',
  }),
  recognizer('sherpa-onnx-streaming-zipformer-bilingual-zh-en-2023-02-20', 'online-transducer', 511, {
    licence: 'Apache-2.0',
    languages: ['zh', 'en'],
    speed: 'light',
  }),
  recognizer('sherpa-onnx-streaming-zipformer-korean-2024-06-16', 'online-transducer', 419, {
    licence: 'Apache-2.0',
    languages: ['ko'],
    speed: 'light',
  }),
  ...['80ms', '480ms', '1040ms'].map((delay) =>
    recognizer(`sherpa-onnx-nemo-streaming-fast-conformer-ctc-en-${delay}`, 'online-nemo-ctc', 420, {
      licence: 'CC-BY-4.0 (NVIDIA NeMo)',
      languages: ['en'],
      speed: 'medium',
    }),
  ),
  recognizer('sherpa-onnx-streaming-paraformer-bilingual-zh-en', 'online-paraformer', 1048, {
    licence: 'Apache-2.0',
    languages: ['zh', 'en'],
    speed: 'medium',
  }),
  recognizer('sherpa-onnx-sense-voice-zh-en-ja-ko-yue-int8-2024-07-17', 'offline-sense-voice', 163, {
    licence: 'FunASR Model License 1.1',
    languages: ['zh', 'en', 'ja', 'ko', 'yue'],
    speed: 'light',
  }),
  recognizer('sherpa-onnx-moonshine-tiny-en-quantized-2026-02-27', 'offline-moonshine', 30, {
    licence: 'MIT',
    languages: ['en'],
    speed: 'light',
  }),
  recognizer('sherpa-onnx-moonshine-tiny-en-int8', 'offline-moonshine', 108, {
    licence: 'MIT',
    languages: ['en'],
    speed: 'light',
  }),
  recognizer('sherpa-onnx-nemo-parakeet-tdt-0.6b-v2-int8', 'offline-nemo-transducer', 482, {
    licence: 'CC-BY-4.0 (NVIDIA)',
    languages: ['en'],
    speed: 'heavy',
  }),
  recognizer('sherpa-onnx-nemo-parakeet-tdt-0.6b-v3-int8', 'offline-nemo-transducer', 487, {
    licence: 'CC-BY-4.0 (NVIDIA)',
    languages: ['multi'],
    speed: 'heavy',
  }),
  recognizer('sherpa-onnx-whisper-tiny', 'offline-whisper', 116, {
    licence: 'MIT (OpenAI)',
    languages: ['multi'],
    speed: 'medium',
  }),
  recognizer('sherpa-onnx-whisper-turbo', 'offline-whisper', 564, {
    licence: 'MIT (OpenAI)',
    languages: ['multi'],
    speed: 'heavy',
  }),
  voice('vits-piper-en_US-ljspeech-medium', 'tts-vits', 67, {
    licence: `public domain recordings, ${PIPER}, ${WITH_ESPEAK}`,
    languages: ['en-US'],
    speed: 'light',
    recommended: true,
  }),
  voice('vits-piper-en_US-amy-low', 'tts-vits', 67, {
    licence: `${PIPER}, see its MODEL_CARD for the recordings, ${WITH_ESPEAK}`,
    languages: ['en-US'],
    speed: 'light',
  }),
  voice('vits-piper-en_US-libritts_r-medium', 'tts-vits', 82, {
    licence: `CC-BY-4.0 recordings, ${PIPER}, ${WITH_ESPEAK}; fine-tuned from the voice lessac, made for research`,
    languages: ['en-US'],
    speed: 'light',
  }),
  voice('kitten-nano-en-v0_2-fp16', 'tts-kitten', 27, {
    licence: `Apache-2.0, ${WITH_ESPEAK}`,
    languages: ['en'],
    speed: 'medium',
  }),
  voice('kitten-nano-en-v0_1-fp16', 'tts-kitten', 27, {
    licence: `Apache-2.0, ${WITH_ESPEAK}`,
    languages: ['en'],
    speed: 'medium',
  }),
  voice('kokoro-en-v0_19', 'tts-kokoro', 320, {
    licence: `Apache-2.0, ${WITH_ESPEAK}`,
    languages: ['en'],
    speed: 'heavy',
  }),
  voice('kokoro-multi-lang-v1_0', 'tts-kokoro', 350, {
    licence: `Apache-2.0, ${WITH_ESPEAK}`,
    languages: ['en', 'zh', 'es', 'fr', 'hi', 'it', 'ja', 'pt-BR'],
    speed: 'heavy',
  }),
  voice('matcha-icefall-en_US-ljspeech', 'tts-matcha', 77, {
    licence: `public domain recordings, Apache-2.0, ${WITH_ESPEAK}`,
    languages: ['en-US'],
    speed: 'medium',
    companions: ['vocos-22khz-univ'],
  }),
  {
    name: 'vocos-22khz-univ',
    kind: 'vocoder',
    url: `${RELEASES}/vocoder-models/vocos-22khz-univ.onnx`,
    archive: 'file',
    approximateBytes: 54 * MB,
    licence: 'MIT',
    languages: ['multi'],
    speed: 'light',
  },
  {
    name: 'smart-turn-v3',
    kind: 'smart-turn',
    url: 'https://huggingface.co/pipecat-ai/smart-turn-v3/resolve/main/smart-turn-v3.2-cpu.onnx',
    archive: 'file',
    exact: { sizeBytes: 8_679_182, sha256: '2bb026316b14a660486a75b1733cd3fbab8c2fd0314dc9af7be49f8cca967e4f' },
    approximateBytes: 8_679_182,
    licence: 'BSD-2-Clause (Daily)',
    languages: ['multi'],
    speed: 'light',
    recommended: true,
  },
];

/** The model of that name. */
export function findModel(name: string, manifest: readonly Model[] = MODELS): Model | undefined {
  return manifest.find((model) => model.name === name);
}

/** What a fresh installation fetches by itself: a streaming recogniser, a natural voice and the end-of-turn model. */
export function recommendedModels(manifest: readonly Model[] = MODELS): Model[] {
  return manifest.filter((model) => model.recommended);
}

import { join } from 'node:path';
import { findModel, MODELS, type Model, stageOf } from './manifest.ts';
import { MODEL_KINDS } from './model-kinds.ts';

/**
 * The settings with which a worker of the model's stage loads it from `dir`, the folder that holds the models. Empty for
 * a model that is only part of another.
 */
export function workerEnvironment(
  model: Model,
  dir: string,
  manifest: readonly Model[] = MODELS,
): Readonly<Record<string, string>> {
  const { engine } = MODEL_KINDS[model.kind];
  const modelDir = join(dir, model.name);
  switch (stageOf(model)) {
    case 'stt':
      return { PARLEY_STT_ENGINE: engine, PARLEY_STT_MODEL_DIR: modelDir, PARLEY_STT_MODEL_KIND: model.kind };
    case 'tts':
      return {
        PARLEY_TTS_ENGINE: engine,
        PARLEY_TTS_MODEL_DIR: modelDir,
        PARLEY_TTS_MODEL_KIND: model.kind,
        ...vocoderOf(model, dir, manifest),
      };
    case 'turn':
      return { PARLEY_TURN_MODEL_DIR: modelDir };
    default:
      return {};
  }
}

function vocoderOf(model: Model, dir: string, manifest: readonly Model[]): Record<string, string> {
  const vocoder = model.companions
    ?.map((name) => findModel(name, manifest))
    .find((companion) => companion?.kind === 'vocoder');
  return vocoder === undefined ? {} : { PARLEY_TTS_VOCODER_DIR: join(dir, vocoder.name) };
}

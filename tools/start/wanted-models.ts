import { chosenModels, findModel, type Model, stageOf } from '@parley/models';

/** The workers that a model can be given to. */
export type ModelledStage = 'stt' | 'tts';

export const MODELLED_STAGES: readonly ModelledStage[] = ['stt', 'tts'];

/** A model that workers of a stage shall use. */
export interface WantedModel {
  readonly model: Model;
  readonly stage: ModelledStage;
}

export interface WantedModels {
  readonly models: readonly WantedModel[];
  /** Why some that were asked for are not among them, a line each. */
  readonly remarks: readonly string[];
}

/** Settings by which somebody has chosen what a model would otherwise choose. */
const CHOSEN_BY: Readonly<Record<'stt' | 'tts' | 'turn', readonly string[]>> = {
  stt: [
    'PARLEY_STT_ENGINE',
    'PARLEY_STT_MODEL_DIR',
    'PARLEY_STT_BASE_URL',
    'PARLEY_STT_API_KEY',
    'PARLEY_STT_DEEPGRAM_URL',
    'PARLEY_STT_DEEPGRAM_API_KEY',
  ],
  // A voice is one of a certain engine.
  tts: ['PARLEY_TTS_ENGINE', 'PARLEY_TTS_MODEL_DIR', 'PARLEY_TTS_BASE_URL', 'PARLEY_TTS_API_KEY', 'PARLEY_TTS_VOICE'],
  turn: ['PARLEY_TURN_MODEL_DIR'],
};

/** Which models `PARLEY_MODELS` asks for, one for each purpose, without those whose place is taken by other settings. */
export function wantedModels(settings: Readonly<Record<string, string | undefined>>): WantedModels {
  const asked = settings.PARLEY_MODELS;
  const byName = new Set((asked ?? '').split(',').map((name) => name.trim()));
  const models: WantedModel[] = [];
  const remarks: string[] = [];
  const taken = new Map<string, string>();
  for (const name of chosenModels(asked)) {
    const model = findModel(name);
    if (model === undefined) {
      remarks.push(`PARLEY_MODELS names ${name}, which is not a model: see npm run models -- list`);
      continue;
    }
    const purpose = stageOf(model);
    if (purpose === 'part') {
      remarks.push(`PARLEY_MODELS names ${name}, which is only part of another model and comes with that`);
      continue;
    }
    const setting = CHOSEN_BY[purpose].find((variable) => isSet(settings[variable]));
    const before = setting ?? taken.get(purpose);
    if (before !== undefined) {
      if (byName.has(name)) remarks.push(`${name} of PARLEY_MODELS is not used: its place is taken by ${before}`);
      continue;
    }
    taken.set(purpose, name);
    models.push({ model, stage: purpose === 'tts' ? 'tts' : 'stt' });
  }
  return { models, remarks };
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== '' && value !== 'auto';
}

import { VoiceError } from '@parley/protocol';
import { SmartTurn, type SmartTurnOptions } from './smart-turn.ts';
import type { SoundJudge } from './sound-judge.ts';

const HOW_TO_GET_IT =
  'For ends of turns told by their sound too: npm run models -- get smart-turn-v3, and set PARLEY_TURN_MODEL_DIR.';

export interface LoadedSoundJudge {
  /** Undefined where turns end by text and habit alone. */
  readonly judge: SoundJudge | undefined;
  /** What would bring a better judgement; empty where there is nothing to add. */
  readonly hint: string;
}

/** Loads the end-of-turn model where a folder is set. A worker hears without it too, and says so. */
export async function loadSoundJudge(
  modelDir: string | undefined,
  parts: Omit<SmartTurnOptions, 'modelDir'>,
): Promise<LoadedSoundJudge> {
  if (modelDir === undefined) return { judge: undefined, hint: HOW_TO_GET_IT };
  try {
    return { judge: await SmartTurn.load({ ...parts, modelDir }), hint: '' };
  } catch (reason) {
    const error = VoiceError.from(reason, 'engine_failed');
    parts.logger.warn({ err: error, code: error.code }, 'the end-of-turn model cannot be loaded');
    return { judge: undefined, hint: 'Check the end-of-turn model in PARLEY_TURN_MODEL_DIR: smart-turn-….onnx.' };
  }
}

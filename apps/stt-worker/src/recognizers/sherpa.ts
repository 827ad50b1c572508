import { VoiceError } from '@parley/protocol';
import type { Recognizer, RecognizerOptions } from '../recognizer.ts';
import { EngineThreads } from './engine-threads.ts';
import { detectSherpaModel } from './sherpa-model.ts';
import type { SherpaThreadData } from './sherpa-thread.ts';

/** Small models decode far more; the bound is for those that do not. */
const DEFAULT_SLOTS = 32;

/** Any streaming model of sherpa-onnx, in one thread that decodes all sessions as one batch. */
export async function createRecognizer(options: RecognizerOptions): Promise<Recognizer> {
  if (options.modelDir === undefined) {
    throw new VoiceError('engine_missing', 'sherpa needs a model: set PARLEY_STT_MODEL_DIR to its folder');
  }
  const model = detectSherpaModel(options.modelDir);
  return EngineThreads.start({
    name: 'sherpa',
    languages: [],
    slots: options.slots === 0 ? DEFAULT_SLOTS : options.slots,
    // Two threads on two busy cores do no more than one: the batch is what makes it fast.
    threads: 1,
    entry: new URL('./sherpa-thread.ts', import.meta.url),
    workerData: { model } satisfies SherpaThreadData,
    stallTimeoutMs: options.stallTimeoutMs,
    onTrouble: options.onTrouble,
  });
}

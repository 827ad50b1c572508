import { accessSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { VoiceError } from '@parley/protocol';
import type { Recognizer, RecognizerOptions } from '../recognizer.ts';
import { EngineThreads } from './engine-threads.ts';
import type { PocketSphinxThreadData } from './pocketsphinx-thread.ts';

/** Where Debian's `pocketsphinx-en-us` puts its model. */
export const POCKETSPHINX_MODEL_DIR = '/usr/share/pocketsphinx/model/en-us';
/** What brings engine and model. */
export const POCKETSPHINX_INSTALL = 'apt-get install libpocketsphinx3 pocketsphinx-en-us';

/** A core decodes about ten voices in real time, and those who listen are silent for half of it. */
const SESSIONS_PER_THREAD = 6;
const MAX_THREADS = 8;

/** PocketSphinx with the distribution's English model: works offline, on any machine, for clear speech. */
export async function createRecognizer(options: RecognizerOptions): Promise<Recognizer> {
  const modelDir = options.modelDir ?? POCKETSPHINX_MODEL_DIR;
  for (const file of ['en-us/mdef', 'en-us.lm.bin', 'cmudict-en-us.dict']) {
    try {
      accessSync(join(modelDir, file));
    } catch (cause) {
      throw new VoiceError('engine_missing', `${join(modelDir, file)} is missing: ${POCKETSPHINX_INSTALL}`, { cause });
    }
  }
  const cores = Math.min(MAX_THREADS, Math.max(1, availableParallelism() - 1));
  const threads = options.slots === 0 ? cores : Math.min(cores, options.slots);
  return EngineThreads.start({
    name: 'pocketsphinx',
    languages: ['en'],
    slots: options.slots === 0 ? threads * SESSIONS_PER_THREAD : options.slots,
    cancels: 'at_once',
    threads,
    entry: new URL('./pocketsphinx-thread.ts', import.meta.url),
    workerData: { modelDir } satisfies PocketSphinxThreadData,
    stallTimeoutMs: options.stallTimeoutMs,
    onTrouble: options.onTrouble,
  });
}

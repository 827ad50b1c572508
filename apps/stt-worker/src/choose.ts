import { pathToFileURL } from 'node:url';
import { VoiceError } from '@parley/protocol';
import { ConfigError } from '@parley/runtime';
import type { SttConfig } from './config.ts';
import type { CreateRecognizer, Recognizer } from './recognizer.ts';

/** Which engine hears, and how to tell. */
export interface EngineChoice {
  /** `pocketsphinx`, `sherpa` or `module:<path>`. */
  readonly engine: string;
  /** Why it was chosen. */
  readonly reason: string;
  /** What would bring a better one. */
  readonly hint: string;
}

const MODULE_PREFIX = 'module:';
const INSTALL_POCKETSPHINX = 'apt-get install libpocketsphinx3 pocketsphinx-en-us';
const BETTER_ENGINE =
  'For everyday speech and other languages set PARLEY_STT_MODEL_DIR to a streaming model of sherpa-onnx.';

/** Chooses by configuration alone; nothing is loaded. `auto` is what is configured, else what works offline. */
export function chooseEngine({ engine, modelDir }: Pick<SttConfig, 'engine' | 'modelDir'>): EngineChoice {
  if (engine !== 'auto') return { engine, reason: 'set by PARLEY_STT_ENGINE', hint: '' };
  if (modelDir !== undefined) return { engine: 'sherpa', reason: 'PARLEY_STT_MODEL_DIR is set', hint: '' };
  return { engine: 'pocketsphinx', reason: 'offline default', hint: BETTER_ENGINE };
}

/** What to do about an engine that cannot be loaded. */
export function hintFor({ engine, hint }: EngineChoice, failure: VoiceError): string {
  if (engine === 'pocketsphinx') return failure.code === 'engine_missing' ? INSTALL_POCKETSPHINX : hint;
  if (engine === 'sherpa') return 'Check the model in PARLEY_STT_MODEL_DIR: .onnx files and tokens.txt of one model.';
  return 'Check the module that PARLEY_STT_ENGINE names.';
}

/**
 * Loads the engine that was chosen, and no other. Throws `engine_missing` where something is not there that can be
 * brought, and a `ConfigError` where the configuration cannot work.
 */
export async function loadRecognizer(
  { engine }: EngineChoice,
  config: Pick<SttConfig, 'modelDir' | 'slots' | 'stallTimeoutMs'>,
  onTrouble: (error: Error) => void,
): Promise<Recognizer> {
  if (engine === 'sherpa' && config.modelDir === undefined) {
    throw new ConfigError(['PARLEY_STT_ENGINE=sherpa needs PARLEY_STT_MODEL_DIR']);
  }
  const createRecognizer = await importEngine(engine);
  return createRecognizer({ ...config, onTrouble });
}

async function importEngine(engine: string): Promise<CreateRecognizer> {
  if (engine.startsWith(MODULE_PREFIX)) return importModule(engine.slice(MODULE_PREFIX.length));
  const module =
    engine === 'sherpa' ? await import('./recognizers/sherpa.ts') : await import('./recognizers/pocketsphinx.ts');
  return module.createRecognizer;
}

async function importModule(path: string): Promise<CreateRecognizer> {
  let module: { readonly createRecognizer?: unknown };
  try {
    module = await import(pathToFileURL(path).href);
  } catch (cause) {
    throw new VoiceError('engine_missing', `the engine module ${path} cannot be loaded`, { cause });
  }
  if (typeof module.createRecognizer !== 'function') {
    throw new ConfigError([`PARLEY_STT_ENGINE: ${path} does not export createRecognizer`]);
  }
  return module.createRecognizer as CreateRecognizer;
}

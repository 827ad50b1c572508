import { pathToFileURL } from 'node:url';
import { VoiceError } from '@parley/protocol';
import { ConfigError } from '@parley/runtime';
import { type FallbackOptions, startFallback } from './fallback.ts';
import type { CreateRecognizer, Recognizer, RecognizerOptions } from './recognizer.ts';

/** Which engine hears, and how to tell. */
export interface EngineChoice {
  /** `pocketsphinx`, `sherpa`, `openai`, `deepgram` or `module:<path>`; several, with commas between, in their order. */
  readonly engine: string;
  /** Why it was chosen. */
  readonly reason: string;
  /** What would bring a better one. */
  readonly hint: string;
}

const MODULE_PREFIX = 'module:';
const INSTALL_POCKETSPHINX = 'apt-get install libpocketsphinx3 pocketsphinx-en-us';
const BETTER_ENGINE =
  'For everyday speech and other languages set PARLEY_STT_MODEL_DIR to a model of sherpa-onnx (npm run models -- list).';

/** The settings by which an engine is chosen and made. */
export type EngineConfig = Omit<RecognizerOptions, 'onTrouble'>;

/** What is done while engines are made and used. */
export type EngineHooks = Pick<RecognizerOptions, 'onTrouble'> &
  Pick<FallbackOptions, 'clock' | 'onFailed' | 'onFallback'>;

/** Chooses by configuration alone; nothing is loaded. `auto` is what is configured, else what works offline. */
export function chooseEngine({ engine, ...config }: { readonly engine: string } & Partial<EngineConfig>): EngineChoice {
  const { baseUrl, apiKey, deepgramUrl, deepgramApiKey, modelDir } = config;
  if (engine !== 'auto') return { engine, reason: 'set by PARLEY_STT_ENGINE', hint: '' };
  if (baseUrl !== undefined) return { engine: 'openai', reason: 'PARLEY_STT_BASE_URL is set', hint: '' };
  if (apiKey !== undefined) return { engine: 'openai', reason: 'PARLEY_STT_API_KEY is set', hint: '' };
  if (deepgramUrl !== undefined) return { engine: 'deepgram', reason: 'PARLEY_STT_DEEPGRAM_URL is set', hint: '' };
  if (deepgramApiKey !== undefined) {
    return { engine: 'deepgram', reason: 'PARLEY_STT_DEEPGRAM_API_KEY is set', hint: '' };
  }
  if (modelDir !== undefined) return { engine: 'sherpa', reason: 'PARLEY_STT_MODEL_DIR is set', hint: '' };
  return { engine: 'pocketsphinx', reason: 'offline default', hint: BETTER_ENGINE };
}

/** What to do about an engine that cannot be loaded. */
export function hintFor({ engine, hint }: EngineChoice, failure: VoiceError): string {
  const [first = ''] = engine.split(',');
  switch (first) {
    case 'pocketsphinx':
      return failure.code === 'engine_missing' ? INSTALL_POCKETSPHINX : hint;
    case 'sherpa':
      return 'Check the model in PARLEY_STT_MODEL_DIR: .onnx files and tokens.txt of one model.';
    case 'openai':
      return 'Check PARLEY_STT_BASE_URL, PARLEY_STT_MODEL and PARLEY_STT_API_KEY, and that server.';
    case 'deepgram':
      return 'Check PARLEY_STT_DEEPGRAM_API_KEY, PARLEY_STT_DEEPGRAM_MODEL and PARLEY_STT_DEEPGRAM_URL, and that server.';
    default:
      return 'Check the module that PARLEY_STT_ENGINE names.';
  }
}

/** What an engine cannot do without: one of these settings. */
const NEEDS: Readonly<Record<string, readonly [names: string, ...settings: (keyof EngineConfig)[]]>> = {
  sherpa: ['PARLEY_STT_MODEL_DIR', 'modelDir'],
  openai: ['PARLEY_STT_BASE_URL or PARLEY_STT_API_KEY', 'baseUrl', 'apiKey'],
  deepgram: ['PARLEY_STT_DEEPGRAM_API_KEY or PARLEY_STT_DEEPGRAM_URL', 'deepgramApiKey', 'deepgramUrl'],
};

/**
 * Loads the engine that was chosen, and no other; of several the first that works, the others meanwhile. Throws
 * `engine_missing` where something is not there that can be brought, and a `ConfigError` where the configuration cannot
 * work.
 */
export async function loadRecognizer(
  { engine }: EngineChoice,
  config: EngineConfig & { readonly fallbackAfterMs: number },
  { onTrouble, ...hooks }: EngineHooks,
): Promise<Recognizer> {
  const names = engine.split(',');
  const faults = names.flatMap((name) => {
    const [needs, ...settings] = NEEDS[name] ?? [];
    const isMissing = needs !== undefined && settings.every((setting) => config[setting] === undefined);
    return isMissing ? [`PARLEY_STT_ENGINE=${name} needs ${needs}`] : [];
  });
  if (faults.length > 0) throw new ConfigError(faults);
  // The model folder is that of one engine; PocketSphinx knows where its own is.
  const modelDirFor = (name: string) =>
    name === 'pocketsphinx' && names.includes('sherpa') ? undefined : config.modelDir;
  const sources = names.map((name) => ({
    name,
    async load(): Promise<Recognizer> {
      const createRecognizer = await importEngine(name);
      return createRecognizer({ ...config, modelDir: modelDirFor(name), onTrouble });
    },
  }));
  const [only, ...others] = sources;
  if (only !== undefined && others.length === 0) return only.load();
  return startFallback(sources, { ...hooks, patienceMs: config.fallbackAfterMs });
}

async function importEngine(engine: string): Promise<CreateRecognizer> {
  if (engine.startsWith(MODULE_PREFIX)) return importModule(engine.slice(MODULE_PREFIX.length));
  switch (engine) {
    case 'sherpa':
      return (await import('./recognizers/sherpa.ts')).createRecognizer;
    case 'openai':
      return (await import('./recognizers/openai.ts')).createRecognizer;
    case 'deepgram':
      return (await import('./recognizers/deepgram.ts')).createRecognizer;
    default:
      return (await import('./recognizers/pocketsphinx.ts')).createRecognizer;
  }
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

import { pathToFileURL } from 'node:url';
import type { VoiceError } from '@parley/protocol';
import { ConfigError } from '@parley/runtime';
import type { TtsConfig } from './config.ts';
import type { Synthesizer } from './synthesizer.ts';

/** Which engine speaks, and how to tell. */
export interface EngineChoice {
  /** `flite`, `openai`, `sherpa` or `module:<path>`; several, with commas between, are tried in order. */
  readonly engine: string;
  /** Why it was chosen. */
  readonly reason: string;
  /** What would bring a better one, or make this one work. */
  readonly hint: string;
}

const MODULE_PREFIX = 'module:';
const INSTALL_FLITE = 'apt-get install flite';
const BETTER_VOICE =
  'For a natural voice set PARLEY_TTS_BASE_URL to an OpenAI-compatible speech server, or PARLEY_TTS_MODEL_DIR to a ' +
  'model (npm run models -- list).';

/** Chooses by configuration alone; nothing is loaded. `auto` is what is configured, else what works offline. */
export function chooseEngine(config: TtsConfig): EngineChoice {
  const { engine, baseUrl, apiKey, modelDir } = config;
  if (engine !== 'auto') return { engine, reason: 'set by PARLEY_TTS_ENGINE', hint: '' };
  if (baseUrl !== undefined) return { engine: 'openai', reason: 'PARLEY_TTS_BASE_URL is set', hint: '' };
  if (apiKey !== undefined) return { engine: 'openai', reason: 'PARLEY_TTS_API_KEY is set', hint: '' };
  if (modelDir !== undefined) return { engine: 'sherpa', reason: 'PARLEY_TTS_MODEL_DIR is set', hint: '' };
  return { engine: 'flite', reason: 'offline default', hint: BETTER_VOICE };
}

/** What to do about an engine that cannot warm up. */
export function hintFor({ engine, hint }: EngineChoice, failure: VoiceError): string {
  const [first = ''] = engine.split(',');
  if (first === 'flite') return failure.code === 'engine_missing' ? INSTALL_FLITE : hint;
  if (first === 'openai') return 'Check PARLEY_TTS_BASE_URL, PARLEY_TTS_MODEL and PARLEY_TTS_API_KEY, and that server.';
  if (first === 'sherpa') return 'Check PARLEY_TTS_MODEL_DIR; npm run models -- list shows what can be fetched.';
  return 'Check the module that PARLEY_TTS_ENGINE names.';
}

/**
 * Loads the engines that were chosen, in their order, and no others. Throws a `ConfigError` where the configuration cannot
 * make one.
 */
export async function loadEngines({ engine }: EngineChoice, config: TtsConfig): Promise<Synthesizer[]> {
  const engines: Synthesizer[] = [];
  // The voice set is that of the first: another engine has others.
  let { voice } = config;
  for (const name of engine.split(',')) {
    engines.push(await loadEngine(name, { ...config, voice }));
    voice = undefined;
  }
  return engines;
}

async function loadEngine(name: string, config: TtsConfig): Promise<Synthesizer> {
  if (name.startsWith(MODULE_PREFIX)) return loadModule(name.slice(MODULE_PREFIX.length), config);
  if (name === 'openai') {
    if (config.baseUrl === undefined && config.apiKey === undefined) {
      throw new ConfigError(['PARLEY_TTS_ENGINE=openai needs PARLEY_TTS_BASE_URL or PARLEY_TTS_API_KEY']);
    }
    const { createOpenAiSynthesizer } = await import('./synthesizers/openai.ts');
    return createOpenAiSynthesizer(config);
  }
  if (name === 'sherpa') {
    if (config.modelDir === undefined) throw new ConfigError(['PARLEY_TTS_ENGINE=sherpa needs PARLEY_TTS_MODEL_DIR']);
    const { createSherpa } = await import('./synthesizers/sherpa.ts');
    return createSherpa({ ...config, kind: config.modelKind });
  }
  const { createFlite } = await import('./synthesizers/flite.ts');
  const flite = createFlite(config);
  if (config.voice !== undefined && !flite.voices.includes(config.voice)) {
    throw new ConfigError([`PARLEY_TTS_VOICE=${config.voice} is no voice of flite: it has ${flite.voices.join(', ')}`]);
  }
  return flite;
}

/** What a module need not say of its engine. */
const UNDECLARED = {
  deterministic: false,
  repeatable: false,
  cancels: 'after_sentence',
  sampleRateHz: undefined,
  voices: [],
  languages: [],
} as const satisfies Partial<Synthesizer>;

async function loadModule(path: string, config: TtsConfig): Promise<Synthesizer> {
  const loaded: { readonly createSynthesizer?: unknown } = await import(pathToFileURL(path).href).catch((cause) => {
    throw new ConfigError([`the module ${path} of PARLEY_TTS_ENGINE cannot be loaded: ${String(cause)}`]);
  });
  if (typeof loaded.createSynthesizer !== 'function') {
    throw new ConfigError([`the module ${path} of PARLEY_TTS_ENGINE does not export createSynthesizer`]);
  }
  const engine: Synthesizer = await loaded.createSynthesizer(config);
  const missing = Object.entries(UNDECLARED).filter(([property]) => !(property in engine));
  return Object.assign(engine, Object.fromEntries(missing));
}

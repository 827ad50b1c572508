import { pathToFileURL } from 'node:url';
import { VoiceError } from '@parley/protocol';
import { ConfigError } from '@parley/runtime';
import type { Config } from './config.ts';
import type { CreateLanguageModel, LanguageModel, LanguageModelParts } from './language-model.ts';
import { probeOllama } from './language-models/ollama/server.ts';

/** Which engines serve, why, and what would bring better ones. */
export interface EngineChoice {
  /** In the order in which they are tried; the later ones are fallbacks. */
  readonly engines: readonly string[];
  readonly reason: string;
  readonly hint: string;
}

const MODULE = 'module:';
const BETTER_ENGINE =
  'for a language model install Ollama (ollama.com) and run ollama pull llama3.2, or set PARLEY_LLM_BASE_URL to any OpenAI-compatible server, or PARLEY_LLM_API_KEY and PARLEY_LLM_MODEL for OpenAI';
const PULL_MODEL = 'Ollama has no model yet: ollama pull llama3.2';

/** Chooses the engines: those asked for; else what is configured; else Ollama if it is there; else the demo. */
export async function chooseEngines(config: Config, probe = probeOllama): Promise<EngineChoice> {
  const { engines, baseUrls, apiKey } = config;
  if (!engines.includes('auto')) return asked(config);
  if (baseUrls !== undefined || apiKey !== undefined) {
    checkOpenAi(config);
    const by = baseUrls === undefined ? 'PARLEY_LLM_API_KEY' : 'PARLEY_LLM_BASE_URL';
    return { engines: ['openai'], reason: `set by ${by}`, hint: '' };
  }
  const found = await probe(config);
  if (found === 'ready') return { engines: ['ollama'], reason: 'Ollama answers on this machine', hint: '' };
  const hint = found === 'no model' ? PULL_MODEL : BETTER_ENGINE;
  return { engines: ['demo'], reason: 'offline default: no language model is configured', hint };
}

function asked(config: Config): EngineChoice {
  const { engines } = config;
  if (engines.includes('openai')) checkOpenAi(config);
  const hint = engines[0] === 'demo' ? BETTER_ENGINE : '';
  return { engines, reason: 'set by PARLEY_LLM_ENGINE', hint };
}

function checkOpenAi({ baseUrls, apiKey, model }: Config): void {
  if (baseUrls === undefined && apiKey === undefined) {
    throw new ConfigError(['PARLEY_LLM_ENGINE=openai needs PARLEY_LLM_BASE_URL or PARLEY_LLM_API_KEY']);
  }
  if (baseUrls === undefined && model === undefined) {
    throw new ConfigError(['PARLEY_LLM_MODEL must be set to use OpenAI with PARLEY_LLM_API_KEY alone']);
  }
}

/** Loads the chosen engines, and no others. */
export async function loadLanguageModel({ engines }: EngineChoice, parts: LanguageModelParts): Promise<LanguageModel> {
  const models: LanguageModel[] = [];
  for (const engine of engines) {
    const create = await importEngine(engine);
    models.push(await create(parts));
  }
  const [only, ...others] = models;
  if (only !== undefined && others.length === 0) return only;
  const { createFallbackModel } = await import('./language-models/fallback.ts');
  return createFallbackModel(models, parts);
}

async function importEngine(engine: string): Promise<CreateLanguageModel> {
  if (engine === 'demo') return (await import('./language-models/demo.ts')).createLanguageModel;
  if (engine === 'openai') return (await import('./language-models/openai.ts')).createLanguageModel;
  if (engine === 'ollama') return (await import('./language-models/ollama.ts')).createLanguageModel;
  const path = engine.slice(MODULE.length);
  let loaded: { createLanguageModel?: unknown };
  try {
    loaded = await import(pathToFileURL(path).href);
  } catch (cause) {
    throw new VoiceError('engine_missing', `the engine module ${path} cannot be loaded`, { cause });
  }
  if (typeof loaded.createLanguageModel !== 'function') {
    throw new VoiceError('engine_missing', `the engine module ${path} does not export createLanguageModel`);
  }
  return loaded.createLanguageModel as CreateLanguageModel;
}

import { pathToFileURL } from 'node:url';
import { VoiceError } from '@parley/protocol';
import { ConfigError } from '@parley/runtime';
import type { Config } from './config.ts';
import type { CreateLanguageModel, LanguageModel, LanguageModelParts } from './language-model.ts';

/** Which engine serves, why, and what would bring a better one. */
export interface EngineChoice {
  readonly engine: string;
  readonly reason: string;
  readonly hint: string;
}

const MODULE = 'module:';
const BETTER_ENGINE =
  'for a language model set PARLEY_LLM_BASE_URL to any OpenAI-compatible server, for example http://127.0.0.1:11434/v1 of Ollama, or PARLEY_LLM_API_KEY and PARLEY_LLM_MODEL for OpenAI';

/** Chooses the engine: the one asked for; else what is configured; else the one that needs nothing. */
export function chooseEngine(config: Config): EngineChoice {
  const { engine, baseUrl, apiKey, model } = config;
  if (engine.startsWith(MODULE)) return { engine, reason: 'set by PARLEY_LLM_ENGINE', hint: '' };
  const isConfigured = baseUrl !== undefined || apiKey !== undefined;
  if (engine === 'demo' || (engine === 'auto' && !isConfigured)) {
    const reason = engine === 'demo' ? 'set by PARLEY_LLM_ENGINE' : 'offline default: no language model is configured';
    return { engine: 'demo', reason, hint: BETTER_ENGINE };
  }
  if (!isConfigured) {
    throw new ConfigError(['PARLEY_LLM_ENGINE=openai needs PARLEY_LLM_BASE_URL or PARLEY_LLM_API_KEY']);
  }
  if (baseUrl === undefined && model === undefined) {
    throw new ConfigError(['PARLEY_LLM_MODEL must be set to use OpenAI with PARLEY_LLM_API_KEY alone']);
  }
  const by =
    engine === 'openai' ? 'PARLEY_LLM_ENGINE' : baseUrl === undefined ? 'PARLEY_LLM_API_KEY' : 'PARLEY_LLM_BASE_URL';
  return { engine: 'openai', reason: `set by ${by}`, hint: '' };
}

/** Loads the chosen engine, and no other. */
export async function loadLanguageModel({ engine }: EngineChoice, parts: LanguageModelParts): Promise<LanguageModel> {
  const create = await importEngine(engine);
  return await create(parts);
}

async function importEngine(engine: string): Promise<CreateLanguageModel> {
  if (engine === 'demo') return (await import('./language-models/demo.ts')).createLanguageModel;
  if (engine === 'openai') return (await import('./language-models/openai.ts')).createLanguageModel;
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

import type { Config } from '../../config.ts';

/** Where Ollama listens unless it is told otherwise. */
const OLLAMA_URL = 'http://127.0.0.1:11434';
/** A server of this machine answers at once; start-up does not wait for anything else. */
const PROBE_LIMIT_MS = 500;

/** The address of the Ollama server, its OpenAI-compatible side's `/v1` taken off. */
export function ollamaUrl({ ollamaUrl, baseUrls, engines }: Config): string {
  const own = engines.includes('openai') ? undefined : baseUrls?.[0];
  return (ollamaUrl ?? own ?? OLLAMA_URL).replace(/\/+(v1\/*)?$/, '');
}

/** The model to ask Ollama for, if one is set. */
export const ollamaModel = ({ ollamaModel, model, engines }: Config): string | undefined =>
  ollamaModel ?? (engines.includes('openai') ? undefined : model);

/** Whether an Ollama server answers there that has a model, by its short word on it. */
export async function probeOllama(config: Config): Promise<'ready' | 'no model' | 'absent'> {
  try {
    const signal = AbortSignal.timeout(PROBE_LIMIT_MS);
    const response = await fetch(`${ollamaUrl(config)}/api/tags`, { signal });
    if (!response.ok) return 'absent';
    const { models } = (await response.json()) as { models?: unknown };
    if (!Array.isArray(models)) return 'absent';
    return models.length > 0 ? 'ready' : 'no model';
  } catch {
    return 'absent';
  }
}

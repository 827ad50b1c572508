import type { Ollama, ShowResponse } from 'ollama';

/** Models asked for what they can do, at most. */
const MAX_MODELS_ASKED = 16;

/** What the server knows of a model. */
export interface ModelFacts {
  /** Greatest size of its context, where the server tells. */
  readonly contextTokens: number | undefined;
  readonly canTalk: boolean;
  /** The server refuses requests with tools for other models. */
  readonly canCallTools: boolean;
}

/** The first of the installed models that can hold a conversation; models for embeddings cannot. */
export async function firstChatModel(client: Ollama): Promise<string | undefined> {
  const { models } = await client.list();
  for (const { model } of models.slice(0, MAX_MODELS_ASKED)) {
    if ((await describeModel(client, model)).canTalk) return model;
  }
  return undefined;
}

/** Asks what a model can do; servers that do not tell are taken to be able to. */
export async function describeModel(client: Ollama, model: string): Promise<ModelFacts> {
  const { capabilities, model_info: info } = (await client.show({ model })) as Partial<ShowResponse>;
  const most = Object.entries(info ?? {}).find(([key]) => key.endsWith('.context_length'))?.[1];
  return {
    contextTokens: typeof most === 'number' && most > 0 ? most : undefined,
    canTalk: capabilities?.includes('completion') ?? true,
    canCallTools: capabilities?.includes('tools') ?? true,
  };
}

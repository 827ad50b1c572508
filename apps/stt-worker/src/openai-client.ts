import OpenAI from 'openai';

const OPENAI_BASE_URL = 'https://api.openai.com/v1';

/** A client of any server with OpenAI's interface; OpenAI's own where only a key is given. It repeats nothing by itself. */
export const openAiClient = (baseUrl: string | undefined, apiKey: string | undefined): OpenAI =>
  new OpenAI({
    baseURL: baseUrl || OPENAI_BASE_URL,
    // Local servers want none, the SDK wants some. Nothing is left to be read from the environment behind our back.
    apiKey: apiKey || 'none',
    adminAPIKey: null,
    organization: null,
    project: null,
    maxRetries: 0,
    logLevel: 'off',
  });

import { redisUrlSetting } from '@parley/bus';
import type { ConfigSpec, ServiceConfig } from '@parley/runtime';
import { z } from 'zod';

const ENGINE = '(openai|ollama|demo|module:[^,]+)';
const ENGINES = new RegExp(`^(auto|${ENGINE}(,${ENGINE})*)$`);

const milliseconds = (fallback: number) => z.coerce.number().int().min(1).max(600_000).default(fallback);

/** Settings of the llm-worker. */
export const config = {
  redisUrl: redisUrlSetting,
  engines: {
    env: 'PARLEY_LLM_ENGINE',
    schema: z
      .string()
      .regex(ENGINES, 'must be auto, openai, ollama, demo or module:/path/to/engine.ts, or several of the latter four')
      .default('auto')
      .transform((list): readonly string[] => [...new Set(list.split(','))]),
    describe:
      'Engine that answers: openai (any compatible server), ollama, demo (offline, rule-based), module:/path.ts (exports createLanguageModel); several, separated by commas, are tried in this order within a turn. auto: openai where a base URL or key is set, else Ollama where it answers on its usual port, else demo.',
  },
  baseUrls: {
    env: 'PARLEY_LLM_BASE_URL',
    schema: z
      .string()
      .transform((list) => list.split(',').map((url) => url.trim()))
      .pipe(z.array(z.url({ protocol: /^https?$/ })).max(64))
      .optional(),
    describe:
      'Base URL of an OpenAI-compatible server, with its /v1; several, separated by commas, are servers of the same model that share the sessions. Unset with a key, OpenAI itself.',
  },
  model: {
    env: 'PARLEY_LLM_MODEL',
    schema: z.string().max(200).optional(),
    describe: 'Model to ask for; unset, the first one that the server lists.',
  },
  apiKey: {
    env: 'PARLEY_LLM_API_KEY',
    schema: z.string().optional(),
    describe: 'Key of the server; a local one often needs none.',
    secret: true,
  },
  ollamaUrl: {
    env: 'PARLEY_LLM_OLLAMA_URL',
    schema: z.url({ protocol: /^https?$/ }).optional(),
    describe:
      "Address of Ollama; unset, PARLEY_LLM_BASE_URL where the engine openai does not use that, else this machine's port 11434.",
  },
  ollamaModel: {
    env: 'PARLEY_LLM_OLLAMA_MODEL',
    schema: z.string().max(200).optional(),
    describe:
      'Model to ask Ollama for; unset, PARLEY_LLM_MODEL where the engine openai does not use that, else the first one installed that can talk.',
  },
  keepAlive: {
    env: 'PARLEY_LLM_KEEP_ALIVE',
    schema: z
      .string()
      .regex(/^-?\d+(ms|s|m|h)?$/, 'must be a duration such as 30m, seconds, or -1 for good')
      .default('30m'),
    describe: 'How long Ollama keeps the model loaded after a reply: 30m, 3600 (seconds), -1 for good.',
  },
  slots: {
    env: 'PARLEY_LLM_SLOTS',
    schema: z.coerce.number().int().min(1).max(1_000).default(32),
    describe: 'Replies that this worker streams at a time.',
  },
  contextTokens: {
    env: 'PARLEY_LLM_CONTEXT_TOKENS',
    schema: z.coerce.number().int().min(256).max(10_000_000).default(4_096),
    describe: 'Tokens that prompt and reply may have together; older turns are left out beyond it.',
  },
  maxReplyTokens: {
    env: 'PARLEY_LLM_MAX_REPLY_TOKENS',
    schema: z.coerce.number().int().min(16).max(100_000).default(800),
    describe: 'Greatest length of a reply in tokens.',
  },
  temperature: {
    env: 'PARLEY_LLM_TEMPERATURE',
    schema: z.coerce.number().min(0).max(2).optional(),
    describe: 'Sampling temperature, 0 to 2; unset, the server decides.',
  },
  prefill: {
    env: 'PARLEY_LLM_PREFILL',
    schema: z.stringbool().default(false),
    describe:
      'The server continues a reply whose beginning it is given (vLLM, SGLang, llama.cpp and, with most models, Ollama do; OpenAI does not): a reply interrupted by the loss of a worker goes on in mid-sentence.',
  },
  firstTokenTimeoutMs: {
    env: 'PARLEY_LLM_FIRST_TOKEN_TIMEOUT_MS',
    schema: milliseconds(10_000),
    describe: 'Milliseconds without a first token after which the engine counts as hung.',
  },
  stallTimeoutMs: {
    env: 'PARLEY_LLM_STALL_TIMEOUT_MS',
    schema: milliseconds(10_000),
    describe: 'Milliseconds without a further token after which the engine counts as hung.',
  },
  toolsFile: {
    env: 'PARLEY_TOOLS_FILE',
    schema: z.string().optional(),
    describe: 'JSON file of the HTTP endpoints that replies may call as functions; see docs/engines.md.',
  },
  clientToolTimeoutMs: {
    env: 'PARLEY_LLM_CLIENT_TOOL_TIMEOUT_MS',
    schema: milliseconds(30_000),
    describe: "Milliseconds for which a reply waits for a client's result of a call.",
  },
  timeZone: {
    env: 'PARLEY_TIME_ZONE',
    schema: z.string().refine(isTimeZone, 'must be an IANA time zone such as Europe/Berlin').optional(),
    describe: "IANA time zone of the date and time that the model is told; unset, the machine's.",
  },
} as const satisfies ConfigSpec;

/** Names of other services' settings that may stand in a shared configuration file. */
export const FOREIGN_NAMES = /^PARLEY_(?!LLM_)/;

export type Config = ServiceConfig<typeof config>;

function isTimeZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}

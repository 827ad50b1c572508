import { redisUrlSetting } from '@parley/bus';
import type { ConfigSpec, ConfigValues } from '@parley/runtime';
import { z } from 'zod';
import { SHERPA_KINDS } from './synthesizers/sherpa-model.ts';

/** Settings of a tts-worker. */
export const ttsConfig = {
  redisUrl: redisUrlSetting,
  engine: {
    env: 'PARLEY_TTS_ENGINE',
    schema: z
      .string()
      .regex(
        /^(auto|(flite|openai|sherpa|module:[^,]+)(,(flite|openai|sherpa|module:[^,]+))*)$/,
        'expected auto, or flite, openai, sherpa or module:/path/to/engine.ts, or several of these with commas between',
      )
      .default('auto'),
    describe:
      'What speaks: flite (offline), sherpa (a model from disk), openai (any server with /v1/audio/speech), module:' +
      '<absolute path of a module that exports createSynthesizer(config)>; several with commas between are tried in ' +
      'order within the same clause. auto: openai if a base URL or a key is set, sherpa if a model folder is, else flite.',
  },
  baseUrl: {
    env: 'PARLEY_TTS_BASE_URL',
    schema: z.url({ protocol: /^https?$/ }).optional(),
    describe: "Base URL of an OpenAI-compatible speech server, up to and with /v1; OpenAI's own if only a key is set.",
  },
  model: {
    env: 'PARLEY_TTS_MODEL',
    schema: z.string().optional(),
    describe: 'Model to ask that server for; tts-1 if unset.',
  },
  apiKey: {
    env: 'PARLEY_TTS_API_KEY',
    schema: z.string().optional(),
    describe: 'Key for that server, if it wants one.',
    secret: true,
  },
  modelDir: {
    env: 'PARLEY_TTS_MODEL_DIR',
    schema: z.string().optional(),
    describe:
      'Folder of a voice for sherpa: VITS or Piper, Kokoro, Kitten or Matcha, as `npm run models` fetches them.',
  },
  modelKind: {
    env: 'PARLEY_TTS_MODEL_KIND',
    schema: z.enum(SHERPA_KINDS).optional(),
    describe: 'What that folder holds, where its files do not tell.',
  },
  vocoderDir: {
    env: 'PARLEY_TTS_VOCODER_DIR',
    schema: z.string().optional(),
    describe: 'Folder of the vocoder of a Matcha voice; looked for beside the voice if unset.',
  },
  provider: {
    env: 'PARLEY_TTS_PROVIDER',
    schema: z.enum(['cpu', 'cuda']).default('cpu'),
    describe: 'Where sherpa computes.',
  },
  threads: {
    env: 'PARLEY_TTS_THREADS',
    schema: z.coerce.number().int().min(0).max(256).default(0),
    describe: 'Threads with which sherpa computes one clause; 0 for half of the cores.',
  },
  voice: {
    env: 'PARLEY_TTS_VOICE',
    schema: z.string().max(100).optional(),
    describe:
      'Voice of sessions that name none, for the first engine; flite has slt (default), rms, awb and kal, openai starts ' +
      "with alloy, sherpa with the model's first.",
  },
  slots: {
    env: 'PARLEY_TTS_SLOTS',
    schema: z.coerce.number().int().min(1).max(1_000).default(4),
    describe: 'Clauses spoken at a time by one worker.',
  },
  firstAudioTimeoutMs: {
    env: 'PARLEY_TTS_FIRST_AUDIO_TIMEOUT_MS',
    schema: z.coerce.number().int().min(100).max(600_000).default(10_000),
    describe: 'Milliseconds without a first sample after which the engine is given up.',
  },
  stallTimeoutMs: {
    env: 'PARLEY_TTS_STALL_TIMEOUT_MS',
    schema: z.coerce.number().int().min(100).max(600_000).default(10_000),
    describe: 'Milliseconds without a further sample after which the engine is given up.',
  },
  fallbackAfterMs: {
    env: 'PARLEY_TTS_FALLBACK_AFTER_MS',
    schema: z.coerce.number().int().min(100).max(600_000).default(2_500),
    describe:
      'Milliseconds without a first sample, or twice as many without a further one, after which the next engine of ' +
      'PARLEY_TTS_ENGINE takes over.',
  },
  cacheMegabytes: {
    env: 'PARLEY_TTS_CACHE_MB',
    schema: z.coerce.number().int().min(0).max(10_000).default(32),
    describe: 'Megabytes of speech kept for phrases that are said again, beginning with the newest; 0 for none.',
  },
} as const satisfies ConfigSpec;

export type TtsConfig = ConfigValues<typeof ttsConfig>;

import type { ConfigSpec, ConfigValues } from '@parley/runtime';
import { z } from 'zod';

/** Settings of a tts-worker. */
export const ttsConfig = {
  redisUrl: {
    env: 'REDIS_URL',
    schema: z
      .string()
      .regex(/^(rediss?|unix):\/\//, 'must begin with redis://, rediss:// or unix://')
      .default('redis://127.0.0.1:6379'),
    describe: 'Redis of this cell: redis://, rediss:// or unix:///path.',
  },
  engine: {
    env: 'PARLEY_TTS_ENGINE',
    schema: z
      .string()
      .regex(/^(auto|flite|openai|module:.+)$/, 'expected auto, flite, openai or module:/path/to/engine.ts')
      .default('auto'),
    describe:
      'What speaks: flite (offline), openai (any server with /v1/audio/speech), module:<absolute path of a module that ' +
      'exports createSynthesizer(config)>, or auto: openai if a base URL or a key is set, else flite.',
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
  voice: {
    env: 'PARLEY_TTS_VOICE',
    schema: z.string().max(100).optional(),
    describe: 'Voice of sessions that name none; flite has slt (default), rms, awb and kal, openai starts with alloy.',
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
} as const satisfies ConfigSpec;

export type TtsConfig = ConfigValues<typeof ttsConfig>;

import type { ConfigSpec, ConfigValues } from '@parley/runtime';
import { z } from 'zod';

/** Settings of an stt-worker. */
export const sttConfig = {
  redisUrl: {
    env: 'REDIS_URL',
    schema: z
      .string()
      .regex(/^(rediss?|unix):\/\//, 'must begin with redis://, rediss:// or unix://')
      .default('redis://127.0.0.1:6379'),
    describe: 'Redis of this cell: redis://, rediss:// or unix:///path.',
  },
  engine: {
    env: 'PARLEY_STT_ENGINE',
    schema: z
      .string()
      .regex(
        /^(auto|pocketsphinx|sherpa|module:.+)$/,
        'expected auto, pocketsphinx, sherpa or module:/path/to/engine.ts',
      )
      .default('auto'),
    describe:
      'What hears: pocketsphinx (offline), sherpa (a streaming model of sherpa-onnx), module:<absolute path of a module ' +
      'that exports createRecognizer(options)>, or auto: sherpa if a model folder is set, else pocketsphinx.',
  },
  modelDir: {
    env: 'PARLEY_STT_MODEL_DIR',
    schema: z.string().optional(),
    describe: 'Folder of the model: .onnx files and tokens.txt for sherpa.',
  },
  slots: {
    env: 'PARLEY_STT_SLOTS',
    schema: z.coerce.number().int().min(0).max(10_000).default(0),
    describe: "Sessions heard at a time by one worker; 0 for the engine's own choice.",
  },
  vad: {
    env: 'PARLEY_VAD',
    schema: z.enum(['silero', 'energy']).default('silero'),
    describe: 'What tells speech from noise: the Silero model, or loudness alone.',
  },
  onProbability: {
    env: 'PARLEY_VAD_ON',
    schema: z.coerce.number().min(0.05).max(0.95).default(0.5),
    describe: 'Probability from which a frame of 32 ms begins speech.',
  },
  offProbability: {
    env: 'PARLEY_VAD_OFF',
    schema: z.coerce.number().min(0.05).max(0.95).default(0.35),
    describe: 'Probability below which a frame begins a silence.',
  },
  gateDbfs: {
    env: 'PARLEY_VAD_GATE_DBFS',
    schema: z.coerce.number().min(-100).max(-30).default(-66),
    describe: 'Level in dBFS below which a frame is silence without a look at it.',
  },
  pauseMs: {
    env: 'PARLEY_STT_PAUSE_MS',
    schema: z.coerce.number().int().min(100).max(1_000).default(160),
    describe: 'Milliseconds of silence at which what was said is settled.',
  },
  stallTimeoutMs: {
    env: 'PARLEY_STT_STALL_TIMEOUT_MS',
    schema: z.coerce.number().int().min(100).max(600_000).default(10_000),
    describe: 'Milliseconds without a sign of life after which the engine is given up.',
  },
} as const satisfies ConfigSpec;

export type SttConfig = ConfigValues<typeof sttConfig>;

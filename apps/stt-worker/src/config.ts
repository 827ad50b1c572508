import { redisUrlSetting } from '@parley/bus';
import type { ConfigSpec } from '@parley/runtime';
import { z } from 'zod';
import { SHERPA_KINDS } from './recognizers/sherpa-model.ts';

/** Settings of an stt-worker. */
export const sttConfig = {
  redisUrl: redisUrlSetting,
  engine: {
    env: 'PARLEY_STT_ENGINE',
    schema: z
      .string()
      .regex(
        /^(auto|(pocketsphinx|sherpa|openai|deepgram|module:[^,]+)(,(pocketsphinx|sherpa|openai|deepgram|module:[^,]+))*)$/,
        'expected auto, or pocketsphinx, sherpa, openai, deepgram or module:/path/to/engine.ts, or several of these with ' +
          'commas between',
      )
      .default('auto'),
    describe:
      'What hears: pocketsphinx (offline), sherpa (a model of sherpa-onnx from disk), openai (any server with ' +
      '/v1/audio/transcriptions), deepgram, module:<absolute path of a module that exports createRecognizer(options)>; ' +
      'several with commas between are tried in order within the same turn. auto: openai if its base URL or key is set, ' +
      'deepgram if its are, sherpa if a model folder is, else pocketsphinx.',
  },
  modelDir: {
    env: 'PARLEY_STT_MODEL_DIR',
    schema: z.string().optional(),
    describe: 'Folder of a model for sherpa, as `npm run models` fetches them: .onnx files and tokens.txt.',
  },
  modelKind: {
    env: 'PARLEY_STT_MODEL_KIND',
    schema: z.enum(SHERPA_KINDS).optional(),
    describe: 'What that folder holds, where its files do not tell.',
  },
  provider: {
    env: 'PARLEY_STT_PROVIDER',
    schema: z.enum(['cpu', 'cuda']).default('cpu'),
    describe: 'Where sherpa computes; with cuda one worker for each GPU.',
  },
  threads: {
    env: 'PARLEY_STT_THREADS',
    schema: z.coerce.number().int().min(0).max(256).default(0),
    describe: 'Threads with which sherpa computes; 0 for one, or half of the cores if the model hears whole segments.',
  },
  language: {
    env: 'PARLEY_STT_LANGUAGE',
    schema: z
      .string()
      .regex(/^[A-Za-z]{2,5}(-[A-Za-z0-9]{2,8})*$/)
      .optional(),
    describe:
      'Language that is spoken (BCP 47), for engines that know several: sherpa (Whisper, SenseVoice), openai, deepgram.',
  },
  hotwords: {
    env: 'PARLEY_STT_HOTWORDS',
    schema: z.string().max(4_000).optional(),
    describe:
      'Words and names to listen for, with commas between: sherpa (transducers with bpe.vocab), openai, deepgram.',
  },
  partialMs: {
    env: 'PARLEY_STT_PARTIAL_MS',
    schema: z.coerce.number().int().min(0).max(60_000).default(0),
    describe:
      'Milliseconds of speech between two looks at a segment that goes on, for engines that hear it as a whole; 0 for ' +
      "the engine's own choice: sherpa 400, openai none, and never less than 1000.",
  },
  baseUrl: {
    env: 'PARLEY_STT_BASE_URL',
    schema: z.url({ protocol: /^https?$/ }).optional(),
    describe: "Base URL of an OpenAI-compatible server, up to and with /v1; OpenAI's own if only a key is set.",
  },
  model: {
    env: 'PARLEY_STT_MODEL',
    schema: z.string().optional(),
    describe: 'Model to ask that server for; whisper-1 if unset.',
  },
  apiKey: {
    env: 'PARLEY_STT_API_KEY',
    schema: z.string().optional(),
    describe: 'Key for that server, if it wants one.',
    secret: true,
  },
  deepgramUrl: {
    env: 'PARLEY_STT_DEEPGRAM_URL',
    schema: z.url({ protocol: /^(https?|wss?)$/ }).optional(),
    describe: "Base URL of a server with Deepgram's protocol; Deepgram's own if only a key is set.",
  },
  deepgramModel: {
    env: 'PARLEY_STT_DEEPGRAM_MODEL',
    schema: z.string().optional(),
    describe: 'Model to ask Deepgram for; nova-3 if unset.',
  },
  deepgramApiKey: {
    env: 'PARLEY_STT_DEEPGRAM_API_KEY',
    schema: z.string().optional(),
    describe: 'Key for Deepgram.',
    secret: true,
  },
  fallbackAfterMs: {
    env: 'PARLEY_STT_FALLBACK_AFTER_MS',
    schema: z.coerce.number().int().min(100).max(600_000).default(2_500),
    describe: 'Milliseconds without the text of a segment after which the next engine of PARLEY_STT_ENGINE hears it.',
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
  turnModelDir: {
    env: 'PARLEY_TURN_MODEL_DIR',
    schema: z.string().optional(),
    describe: 'Folder of the end-of-turn model: smart-turn-v3….onnx. Without it turns end by text and habit alone.',
  },
  turnModelLimitMs: {
    env: 'PARLEY_TURN_MODEL_LIMIT_MS',
    // With the default pause the shortest wait of a turn (250 ms, noticed after 256) is over 96 ms after the question. A model
    // that answers in 30 to 60 ms is always heard so, and no turn ends noticeably later for one that takes 250.
    schema: z.coerce.number().int().min(10).max(10_000).default(100),
    describe:
      'Milliseconds for which a turn that would end by its words waits for the end-of-turn model; a later answer counts ' +
      'as long as the pause lasts.',
  },
  turnTextWeight: {
    env: 'PARLEY_TURN_TEXT_WEIGHT',
    schema: z.coerce.number().min(0).max(2).default(1),
    describe: 'How much the words of a turn count for whether it is over, 0 for not at all.',
  },
  turnSoundWeight: {
    env: 'PARLEY_TURN_SOUND_WEIGHT',
    schema: z.coerce.number().min(0).max(2).default(0.4),
    describe:
      'How much the end-of-turn model counts beside the words at first, 0 for never; up to twice that where it proves right.',
  },
  turnHabitWeight: {
    env: 'PARLEY_TURN_HABIT_WEIGHT',
    schema: z.coerce.number().min(0).max(1).default(0.2),
    describe: "How far the speaker's own pauses replace those of people in general: 0 for not at all, 1 wholly.",
  },
  turnLlmModel: {
    env: 'PARLEY_TURN_LLM_MODEL',
    schema: z.string().optional(),
    describe:
      'Language model that is asked at each pause whether the turn is over, by name: what was said is sent to its server. ' +
      'None if unset.',
  },
  turnLlmBaseUrl: {
    env: 'PARLEY_TURN_LLM_BASE_URL',
    schema: z.url({ protocol: /^https?$/ }).optional(),
    describe: "Its server: anything with OpenAI's /chat/completions, up to and with /v1; OpenAI's own if unset.",
  },
  turnLlmApiKey: {
    env: 'PARLEY_TURN_LLM_API_KEY',
    schema: z.string().optional(),
    describe: 'Key for that server, if it wants one.',
    secret: true,
  },
  turnLlmLimitMs: {
    env: 'PARLEY_TURN_LLM_LIMIT_MS',
    schema: z.coerce.number().int().min(10).max(10_000).default(1_500),
    describe: 'Milliseconds after which its answer is given up. No turn waits for it: it counts when it comes.',
  },
  turnLlmWeight: {
    env: 'PARLEY_TURN_LLM_WEIGHT',
    schema: z.coerce.number().min(0).max(1).default(0.5),
    describe: 'Its share in what the words say once it has answered: 0 for none, 1 for all of it.',
  },
} as const satisfies ConfigSpec;

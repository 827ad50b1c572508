import { z } from 'zod';

/** Rates at which reply audio can be sent, in Hz. */
export const OUTPUT_RATES_HZ = [8_000, 16_000, 22_050, 24_000, 44_100, 48_000] as const;

/** Most characters that the tools of a session have together, as JSON. */
const MAX_TOOLS_CHARS = 32_000;

/** A function of the client that a reply may call. */
const ToolSchema = z.object({
  name: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
  /** What it does and when to call it, for the model. */
  description: z.string().max(1_000).default(''),
  /** JSON schema of its arguments, an object. */
  parameters: z.record(z.string(), z.unknown()).default({ type: 'object', properties: {} }),
});

/** What a client may set for its session; every field has a default and can be updated while the session lives. */
export const SettingsSchema = z.object({
  /** BCP 47 tag of the language spoken. */
  language: z
    .string()
    .regex(/^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$/)
    .default('en'),
  /** Voice of the synthesiser; empty is the engine's default. */
  voice: z.string().max(100).default(''),
  /** Speaking rate of the reply, 1 is the voice's own. */
  speed: z.number().min(0.5).max(2).default(1),
  /** System prompt in place of the default one. */
  instructions: z.string().max(16_000).default(''),
  /** What ends a turn: a fixed silence, a silence that depends on what was said, or `input.commit` alone. */
  turnDetection: z.enum(['static', 'dynamic', 'manual']).default('dynamic'),
  /** Static: silence that ends a turn. */
  silenceMs: z.number().int().min(100).max(5_000).default(700),
  /** Dynamic: how long to let the user think, from 0 to 100. */
  patience: z.number().min(0).max(100).default(50),
  /** Dynamic: shortest silence that ends a turn. */
  minWaitMs: z.number().int().min(100).max(5_000).default(250),
  /** Dynamic: silence that ends any turn, unless `minWaitMs` is longer. */
  maxWaitMs: z.number().int().min(100).max(10_000).default(1_800),
  /** Probability of an end from which `turn.eager` says so. */
  eagerProbability: z.number().min(0).max(1).default(0.5),
  /** A turn that has lasted so long is ended at its next pause, or within five seconds. */
  maxTurnMs: z.number().int().min(1_000).max(3_600_000).default(60_000),
  /** Speech that confirms an interruption, counted from its onset. */
  confirmMs: z.number().int().min(40).max(2_000).default(200),
  /** Functions of the client that replies may call: `tool.call` asks for one, `input.tool_result` answers. */
  tools: z
    .array(ToolSchema)
    .max(32)
    .refine((tools) => new Set(tools.map(({ name }) => name)).size === tools.length, 'names must differ')
    .refine((tools) => JSON.stringify(tools).length <= MAX_TOOLS_CHARS, `at most ${MAX_TOOLS_CHARS} characters in all`)
    .default([]),
  /** What confirms an interruption: enough speech, or a recognised word. */
  interruptBy: z.enum(['speech', 'word']).default('speech'),
  /** Prepares the reply while the end of the turn is still being decided. */
  speculation: z.boolean().default(true),
  /** Said when the session begins; empty for nothing. */
  greeting: z.string().max(1_000).default(''),
  /** Said when nobody has spoken for `idlePromptMs`; empty for nothing. */
  idlePrompt: z.string().max(1_000).default(''),
  idlePromptMs: z.number().int().min(1_000).max(3_600_000).default(30_000),
  /** Replies are written only, not spoken. */
  textOnly: z.boolean().default(false),
  /** Sample rate of reply audio; fixed once the session has started. */
  outputRateHz: z.union(OUTPUT_RATES_HZ.map((rate) => z.literal(rate))).default(24_000),
});

export type Settings = z.infer<typeof SettingsSchema>;

/** A change of settings while the session lives. */
export const SettingsPatchSchema = z.strictObject({
  language: SettingsSchema.shape.language.unwrap().optional(),
  voice: SettingsSchema.shape.voice.unwrap().optional(),
  speed: SettingsSchema.shape.speed.unwrap().optional(),
  instructions: SettingsSchema.shape.instructions.unwrap().optional(),
  turnDetection: SettingsSchema.shape.turnDetection.unwrap().optional(),
  silenceMs: SettingsSchema.shape.silenceMs.unwrap().optional(),
  patience: SettingsSchema.shape.patience.unwrap().optional(),
  minWaitMs: SettingsSchema.shape.minWaitMs.unwrap().optional(),
  maxWaitMs: SettingsSchema.shape.maxWaitMs.unwrap().optional(),
  eagerProbability: SettingsSchema.shape.eagerProbability.unwrap().optional(),
  maxTurnMs: SettingsSchema.shape.maxTurnMs.unwrap().optional(),
  confirmMs: SettingsSchema.shape.confirmMs.unwrap().optional(),
  interruptBy: SettingsSchema.shape.interruptBy.unwrap().optional(),
  speculation: SettingsSchema.shape.speculation.unwrap().optional(),
  idlePrompt: SettingsSchema.shape.idlePrompt.unwrap().optional(),
  idlePromptMs: SettingsSchema.shape.idlePromptMs.unwrap().optional(),
  textOnly: SettingsSchema.shape.textOnly.unwrap().optional(),
  tools: SettingsSchema.shape.tools.unwrap().optional(),
});

export type SettingsPatch = z.infer<typeof SettingsPatchSchema>;

export const DEFAULT_SETTINGS: Settings = SettingsSchema.parse({});

/** Sample rate of user audio inside the system, and on the native protocol's uplink. */
export const INPUT_RATE_HZ = 16_000;

/** The language alone, in small letters, of a BCP 47 tag: what tables of words and phrases are kept by. */
export const primaryLanguage = (tag: string): string => tag.split('-')[0]?.toLowerCase() ?? '';

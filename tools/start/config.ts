import { resolve } from 'node:path';
import { loadModelPlaces, type ModelPlaces } from '@parley/models';
import {
  ConfigError,
  type ConfigSpec,
  type ConfigValues,
  loadConfig,
  readConfigFile,
  serviceSettings,
} from '@parley/runtime';
import { z } from 'zod';

/** What the supervisor itself reads; everything else in the environment is the services'. */
export const startSettings = {
  port: {
    env: 'PORT',
    schema: z.coerce.number().int().min(1).max(65_535).default(8080),
    describe: 'Port of the first gateway; further ones take the next.',
  },
  host: {
    env: 'PARLEY_HOST',
    schema: z.string().default('127.0.0.1'),
    describe: 'Address that the gateways listen on; 0.0.0.0 for all.',
  },
  redisUrl: {
    env: 'REDIS_URL',
    schema: z.string().optional(),
    describe: 'Redis to use (redis://, rediss:// or unix://) instead of one of its own.',
    secret: true,
  },
  dataDir: {
    env: 'PARLEY_DATA_DIR',
    schema: z
      .string()
      .default('.parley')
      .transform((path) => resolve(path)),
    describe: 'Folder for everything that is written.',
  },
  models: {
    env: 'PARLEY_MODELS',
    schema: z.string().default('recommended'),
    describe: 'Models to fetch and use: names with commas between (npm run models -- list), recommended, or none.',
  },
  drainTimeoutMs: serviceSettings.drainTimeoutMs,
  configFile: serviceSettings.configFile,
} as const satisfies ConfigSpec;

export type StartSettings = ConfigValues<typeof startSettings> & {
  readonly modelPlaces: ModelPlaces;
  /** Everything that is set by environment or configuration file, as the services will see it. */
  readonly given: Readonly<Record<string, string | undefined>>;
};

/** Reads the settings, or says what is wrong with them and ends the process. */
export function settingsOrExit(): StartSettings {
  try {
    const path = process.env[startSettings.configFile.env];
    const file = path ? readConfigFile(path) : {};
    // The file serves all processes, and each of them checks its own names.
    const own = loadConfig(startSettings, process.env, file, { foreignNames: /^PARLEY_/ });
    return { ...own, modelPlaces: loadModelPlaces(process.env), given: givenBy(file, process.env) };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`parley cannot start with this configuration:\n`);
    for (const fault of error.faults) process.stderr.write(`  ${fault}\n`);
    process.exit(78);
  }
}

function givenBy(
  file: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string | undefined> {
  const ofFile = Object.entries(file).map(([name, value]) => [name, String(value)] as const);
  // An empty variable does not hide what the file says.
  const ofEnvironment = Object.entries(env).filter(([, value]) => value !== '');
  return Object.fromEntries([...ofFile, ...ofEnvironment]);
}

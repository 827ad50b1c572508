import { join, resolve } from 'node:path';
import { ConfigError, type ConfigSpec, type Environment, loadConfig, readConfigFile } from '@parley/runtime';
import { z } from 'zod';
import type { ModelSource } from './model-source.ts';

/** What the models read from the environment, for `--help` of whoever fetches them. */
export const modelSettings = {
  modelsDir: {
    env: 'PARLEY_MODELS_DIR',
    schema: z.string().optional(),
    describe: 'Folder that holds the models; unset, the folder models in PARLEY_DATA_DIR.',
  },
  dataDir: {
    env: 'PARLEY_DATA_DIR',
    schema: z.string().default('.parley'),
    describe: 'Folder for everything that Parley keeps.',
  },
  mirror: {
    env: 'PARLEY_MODELS_MIRROR',
    schema: z.url({ protocol: /^https?$/ }).optional(),
    describe: 'Base URL that takes the place of the hosts from which models come; their paths stay the same.',
  },
  offlineDir: {
    env: 'PARLEY_MODELS_OFFLINE_DIR',
    schema: z.string().optional(),
    describe: 'Folder with the files as published (NAME.tar.bz2); with it, nothing is fetched over the network.',
  },
} as const satisfies ConfigSpec;

export interface ModelPlaces {
  /** Where models are kept. */
  readonly dir: string;
  /** Where they come from. */
  readonly source: ModelSource;
}

/** Reads where models are kept and where they come from; all faults come in one `ConfigError`. */
export function loadModelPlaces(env: Environment): ModelPlaces {
  const file = env.PARLEY_CONFIG_FILE ? readConfigFile(env.PARLEY_CONFIG_FILE) : {};
  const values = loadConfig(modelSettings, env, file, { foreignNames: /^PARLEY_/ });
  if (values.mirror !== undefined && values.offlineDir !== undefined) {
    throw new ConfigError(['PARLEY_MODELS_MIRROR and PARLEY_MODELS_OFFLINE_DIR exclude each other']);
  }
  return {
    dir: resolve(values.modelsDir ?? join(values.dataDir, 'models')),
    source:
      values.offlineDir !== undefined
        ? { kind: 'folder', dir: resolve(values.offlineDir) }
        : values.mirror !== undefined
          ? { kind: 'mirror', baseUrl: values.mirror }
          : { kind: 'origin' },
  };
}

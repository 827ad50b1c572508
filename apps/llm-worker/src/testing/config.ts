import { type Environment, loadServiceConfig } from '@parley/runtime';
import { type Config, config } from '../config.ts';

/** Settings as a process would read them from this environment, and from no other. */
export const testConfig = (env: Environment = {}): Config => loadServiceConfig(config, env);

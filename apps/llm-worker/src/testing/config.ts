import { createLogger, createMetrics, type Environment, loadServiceConfig, systemClock } from '@parley/runtime';
import { type Config, config } from '../config.ts';
import type { LanguageModelParts } from '../language-model.ts';
import { llmMetrics } from '../metrics.ts';

/** Settings as a process would read them from this environment, and from no other. */
export const testConfig = (env: Environment = {}): Config => loadServiceConfig(config, env);

/** What an engine is made with under these settings. */
export const testParts = (env: Environment = {}): LanguageModelParts => ({
  config: testConfig(env),
  clock: systemClock,
  logger: createLogger({ name: 'test', level: 'silent' }),
  metrics: llmMetrics(createMetrics({ processMetrics: false })),
});

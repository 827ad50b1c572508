import { z } from 'zod';
import { type ConfigSpec, type ConfigValues, type Environment, loadConfig, readConfigFile } from './config.ts';
import { LOG_LEVELS } from './logger.ts';

/** What every service reads, whatever it does. */
export const serviceSettings = {
  logLevel: {
    env: 'PARLEY_LOG_LEVEL',
    schema: z.enum(LOG_LEVELS).default('info'),
    describe: 'Least severe log level that is written.',
  },
  logPretty: {
    env: 'PARLEY_LOG_PRETTY',
    schema: z.stringbool().default(false),
    describe: 'Readable log lines instead of JSON.',
  },
  logPii: {
    env: 'PARLEY_LOG_PII',
    schema: z.stringbool().default(false),
    describe: 'Shows in the logs what people said. For debugging only.',
  },
  healthHost: {
    env: 'PARLEY_HEALTH_HOST',
    schema: z.string().default('127.0.0.1'),
    describe: 'Address on which a worker serves /healthz, /readyz and /metrics.',
  },
  healthPort: {
    env: 'PARLEY_HEALTH_PORT',
    schema: z.coerce.number().int().min(0).max(65_535).default(0),
    describe: 'Port for them; 0 takes a free one and logs it.',
  },
  drainTimeoutMs: {
    env: 'PARLEY_DRAIN_TIMEOUT_MS',
    schema: z.coerce.number().int().min(0).max(600_000).default(10_000),
    describe: 'Milliseconds a process may take to hand over its work when told to leave.',
  },
  otlpEndpoint: {
    env: 'OTEL_EXPORTER_OTLP_ENDPOINT',
    schema: z.url({ protocol: /^https?$/ }).optional(),
    describe: 'Base URL of an OpenTelemetry collector (OTLP over HTTP); unset, no traces are sent.',
  },
  configFile: {
    env: 'PARLEY_CONFIG_FILE',
    schema: z.string().optional(),
    describe: 'A JSON object, or NAME=value lines, with the names of this table. The environment wins over it.',
  },
  supervised: {
    env: 'PARLEY_SUPERVISED',
    schema: z.stringbool().default(false),
    describe: 'Set by the supervisor: leave when standard input ends.',
  },
} as const satisfies ConfigSpec;

/** The values of `serviceSettings` beside those of a service's own settings. */
export type ServiceConfig<Spec extends ConfigSpec> = ConfigValues<Spec> & ConfigValues<typeof serviceSettings>;

/** Reads a service's own and the shared settings from environment and configuration file, with all faults at once. */
export function loadServiceConfig<const Spec extends ConfigSpec>(
  spec: Spec,
  env: Environment,
  foreignNames?: RegExp,
): ServiceConfig<Spec> {
  const path = env[serviceSettings.configFile.env];
  const fileValues = path ? readConfigFile(path) : {};
  return loadConfig({ ...serviceSettings, ...spec }, env, fileValues, foreignNames ? { foreignNames } : {});
}

import { fileURLToPath } from 'node:url';
import type { ChildSpec } from './child.ts';
import type { StartOptions } from './command-line.ts';

/** What every service is told, whatever it does. */
export interface ServiceEnvironment {
  readonly redisUrl: string;
  readonly dataDir: string;
}

export const WORKER_STAGES = ['stt', 'llm', 'tts'] as const;
export type WorkerStage = (typeof WORKER_STAGES)[number];

export interface WorkerSpecsOptions extends ServiceEnvironment {
  readonly stage: WorkerStage;
  readonly count: number;
  /** Number of the first one. */
  readonly from: number;
  /** Settings over those of this process. */
  readonly env: Readonly<Record<string, string>>;
}

/** The gateways, on ports that follow each other. */
export function gatewaySpecs({ gateways, port }: StartOptions, environment: ServiceEnvironment): ChildSpec[] {
  return Array.from({ length: gateways }, (_, index) =>
    serviceSpec('gateway', index + 1, environment, { PORT: String(port + index) }),
  );
}

/** Workers of one stage. */
export function workerSpecs({ stage, count, from, env, ...environment }: WorkerSpecsOptions): ChildSpec[] {
  return Array.from({ length: count }, (_, index) => serviceSpec(`${stage}-worker`, from + index, environment, env));
}

function serviceSpec(
  app: string,
  number: number,
  { redisUrl, dataDir }: ServiceEnvironment,
  env: Readonly<Record<string, string>>,
): ChildSpec {
  return {
    name: `${app}-${number}`,
    program: process.execPath,
    args: [fileURLToPath(new URL(`../../apps/${app}/src/main.ts`, import.meta.url))],
    env: {
      ...process.env,
      REDIS_URL: redisUrl,
      PARLEY_DATA_DIR: dataDir,
      PARLEY_LOG_PRETTY: process.env.PARLEY_LOG_PRETTY ?? '1',
      PARLEY_HEALTH_PORT: '0',
      ...env,
    },
  };
}

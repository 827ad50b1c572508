import { fileURLToPath } from 'node:url';
import type { ChildSpec } from './child.ts';
import type { StartOptions } from './command-line.ts';

/** What every service is told, whatever it does. */
export interface ServiceEnvironment {
  readonly redisUrl: string;
  readonly dataDir: string;
}

/** The processes of the system, gateways first. */
export function serviceSpecs(options: StartOptions, { redisUrl, dataDir }: ServiceEnvironment): ChildSpec[] {
  const shared = {
    ...process.env,
    REDIS_URL: redisUrl,
    PARLEY_DATA_DIR: dataDir,
    PARLEY_LOG_PRETTY: process.env.PARLEY_LOG_PRETTY ?? '1',
    PARLEY_HEALTH_PORT: '0',
  };
  const service = (app: string, index: number, env: Record<string, string> = {}): ChildSpec => ({
    name: `${app}-${index + 1}`,
    program: process.execPath,
    args: [fileURLToPath(new URL(`../../apps/${app}/src/main.ts`, import.meta.url))],
    env: { ...shared, ...env },
  });
  const pool = (app: string, count: number): ChildSpec[] =>
    Array.from({ length: count }, (_, index) => service(app, index));
  return [
    ...Array.from({ length: options.gateways }, (_, index) =>
      service('gateway', index, { PORT: String(options.port + index) }),
    ),
    ...pool('stt-worker', options.stt),
    ...pool('llm-worker', options.llm),
    ...pool('tts-worker', options.tts),
  ];
}

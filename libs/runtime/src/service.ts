import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { type Clock, systemClock } from './clock.ts';
import { Closer } from './closer.ts';
import { ConfigError, type ConfigSpec, type Environment, processEnvironment, redactConfig } from './config.ts';
import { checkReadiness, type ReadinessCheck, startHealthServer } from './health.ts';
import { helpText } from './help.ts';
import { createLogger, droppedLogLines, flushLogger, type Logger } from './logger.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { loadServiceConfig, type ServiceConfig, serviceSettings } from './service-settings.ts';
import { type Shutdown, watchShutdown } from './shutdown.ts';
import { startTracing } from './tracing.ts';

/** How a process ended, in the manner of sysexits.h. */
export const EXIT_CODES = { done: 0, forced: 1, crashed: 70, misconfigured: 78 } as const;

export interface ServiceOptions<Spec extends ConfigSpec> {
  /** For example `tts-worker`. */
  readonly name: string;
  /** The service's own settings. */
  readonly config: Spec;
  /** Names in a shared configuration file that belong to other services. */
  readonly foreignNames?: RegExp;
  /** False for a service that serves health, readiness and metrics on a server of its own. */
  readonly healthServer?: boolean;
  readonly env?: Environment;
}

export interface ServiceHealth {
  /** Says how readiness is found out. Until then the process is not ready, and once it drains never again. */
  setReadiness(check: ReadinessCheck): void;
  /** The readiness that `/readyz` shows. */
  readonly readiness: ReadinessCheck;
  /** The port of the health server, if it runs. */
  readonly port: number | undefined;
}

export interface ServiceContext<Spec extends ConfigSpec> {
  readonly config: ServiceConfig<Spec>;
  /** This process, as others may name it; the id is unique to it. */
  readonly process: { readonly id: string; readonly host: string; readonly pid: number };
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Closed after the body has returned. */
  readonly closer: Closer;
  /** Aborts when the process should drain. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly health: ServiceHealth;
  /** Drains as SIGTERM would: for a part that finds out that the process cannot go on. */
  readonly shutdown: (why: string) => void;
}

/**
 * Runs a process from its configuration to its exit code. The body returns when its work is done, normally because the
 * signal aborted; then everything deferred is released and the process exits, whatever handles are left.
 */
export async function runService<const Spec extends ConfigSpec>(
  options: ServiceOptions<Spec>,
  body: (context: ServiceContext<Spec>) => Promise<void>,
): Promise<never> {
  const { name } = options;
  const help = helpText(name, { ...serviceSettings, ...options.config }, process.argv.slice(2));
  if (help !== undefined) {
    process.stdout.write(help, () => process.exit(EXIT_CODES.done));
    return new Promise<never>(() => {});
  }
  const config = configOrExit(options);
  const logger = createLogger({
    name,
    level: config.logLevel,
    pretty: config.logPretty,
    showPii: config.logPii,
  });
  logger.info({ config: redactConfig({ ...serviceSettings, ...options.config }, config) }, 'starting');

  const exit = async (code: number): Promise<never> => {
    await Promise.race([flushLogger(logger), systemClock.sleep(FLUSH_LIMIT_MS)]);
    process.exit(code);
  };
  const shutdown = watchShutdown({
    clock: systemClock,
    drainTimeoutMs: config.drainTimeoutMs,
    lifeline: config.supervised ? process.stdin : undefined,
    onForce: (why) => {
      logger.error({ why }, 'leaving before everything is released');
      void exit(EXIT_CODES.forced);
    },
  });
  shutdown.signal.addEventListener('abort', () => logger.info({ why: whyOf(shutdown.signal) }, 'draining'));

  // From here on there is one closer, and one way out through it.
  const closer = new Closer();
  let code: number = EXIT_CODES.done;
  const crashed = new Promise<void>((resolve) => {
    const onCrash = (err: unknown): void => {
      logger.fatal({ err }, 'crashed');
      code = EXIT_CODES.crashed;
      shutdown.request('crashed');
      resolve();
    };
    process.on('uncaughtException', onCrash);
    process.on('unhandledRejection', onCrash);
  });

  try {
    const context = await buildContext(options, config, { logger, closer, shutdown });
    // A crash leaves the body in an unknown state: what it acquired is released without waiting for it.
    await Promise.race([body(context), crashed]);
  } catch (error) {
    if (error instanceof ConfigError) {
      code = EXIT_CODES.misconfigured;
      reportFaults(name, error);
    } else if (!(shutdown.signal.aborted && error === shutdown.signal.reason)) {
      code = EXIT_CODES.crashed;
      logger.fatal({ err: error }, 'failed');
    }
  }
  // Arms the drain timeout for a body that returned by itself.
  shutdown.request('finished');
  try {
    await closer.close();
  } catch (err) {
    logger.error({ err }, 'closing failed');
    if (code === EXIT_CODES.done) code = EXIT_CODES.crashed;
  }
  shutdown.release();
  logger.info({ exitCode: code }, 'stopped');
  return exit(code);
}

/** A stalled reader of standard output must not hold up the end. */
const FLUSH_LIMIT_MS = 500;

interface Parts {
  readonly logger: Logger;
  readonly closer: Closer;
  readonly shutdown: Shutdown;
}

async function buildContext<Spec extends ConfigSpec>(
  { name, healthServer = true }: ServiceOptions<Spec>,
  config: ServiceConfig<Spec>,
  { logger, closer, shutdown }: Parts,
): Promise<ServiceContext<Spec>> {
  const instance = `${name}-${randomUUID()}`;
  const metrics = createMetrics();
  metrics.gauge({
    name: 'parley_log_lines_dropped',
    help: 'Log lines lost because nobody read standard output fast enough.',
    collect: droppedLogLines,
  });
  const tracing = startTracing({ service: name, instance, endpoint: config.otlpEndpoint });
  closer.defer('tracing', () => tracing.shutdown());

  let check: ReadinessCheck = async () => ({ ready: false, reasons: ['starting'] });
  const readiness: ReadinessCheck = () =>
    shutdown.signal.aborted ? Promise.resolve({ ready: false, reasons: ['draining'] }) : checkReadiness(check);
  let port: number | undefined;
  if (healthServer) {
    const server = await startHealthServer({ host: config.healthHost, port: config.healthPort, metrics, readiness });
    closer.defer('health server', () => server.close());
    port = server.port;
    logger.info({ port }, 'health listening');
  }
  return {
    config,
    process: { id: instance, host: hostname(), pid: process.pid },
    logger,
    metrics,
    closer,
    signal: shutdown.signal,
    clock: systemClock,
    health: {
      setReadiness: (next) => {
        check = next;
      },
      readiness,
      port,
    },
    shutdown: shutdown.request,
  };
}

function configOrExit<Spec extends ConfigSpec>(options: ServiceOptions<Spec>): ServiceConfig<Spec> {
  try {
    return loadServiceConfig(options.config, options.env ?? processEnvironment(), options.foreignNames);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    reportFaults(options.name, error);
    process.exit(EXIT_CODES.misconfigured);
  }
}

/** In plain words on standard error: there may be no logger yet, and a person has to act. */
function reportFaults(name: string, error: ConfigError): void {
  const lines = error.faults.map((fault) => `  ${fault}\n`).join('');
  process.stderr.write(`${name} cannot start with this configuration:\n${lines}`);
}

function whyOf(signal: AbortSignal): string {
  return signal.reason instanceof Error ? signal.reason.message : String(signal.reason);
}

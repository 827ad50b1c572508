export { type Clock, FakeClock, systemClock } from './clock.ts';
export { Closer } from './closer.ts';
export {
  ConfigError,
  type ConfigSpec,
  type ConfigValues,
  describeConfig,
  type Environment,
  type LoadOptions,
  loadConfig,
  readConfigFile,
  redactConfig,
  type Setting,
  type SettingDescription,
} from './config.ts';
export {
  checkReadiness,
  type HealthServer,
  type HealthServerOptions,
  type Readiness,
  type ReadinessCheck,
  startHealthServer,
} from './health.ts';
export { createKeepAliveFetch, createLeanFetch, type KeepAliveFetch } from './keep-alive-fetch.ts';
export { createLogger, flushLogger, LOG_LEVELS, type Logger, type LoggerOptions, type LogLevel } from './logger.ts';
export {
  type Counter,
  createMetrics,
  type Gauge,
  type Histogram,
  LATENCY_BUCKETS_SECONDS,
  type LabelledValues,
  type Metrics,
} from './metrics.ts';
export { type Backoff, type BackoffOptions, backoff, type RetryOptions, retry } from './retry.ts';
export { EXIT_CODES, runService, type ServiceContext, type ServiceHealth, type ServiceOptions } from './service.ts';
export { loadServiceConfig, type ServiceConfig, serviceSettings } from './service-settings.ts';
export { type Shutdown, type ShutdownOptions, ShutdownReason, watchShutdown } from './shutdown.ts';
export { DeadlineError, deadlineSignal, type LinkedSignal, linkSignals, untilAborted } from './signals.ts';
export {
  type Attributes,
  extract,
  inject,
  newTrace,
  recordSpan,
  type SpanOptions,
  startSpan,
  startTracing,
  TraceSpan,
  type Tracing,
  type TracingOptions,
  withSpan,
} from './tracing.ts';

import { Closer, systemClock, untilAborted, watchShutdown } from '@parley/runtime';
import type { StartOptions } from './command-line.ts';
import type { StartSettings } from './config.ts';
import { lockDataDir } from './data-dir-lock.ts';
import { fetchModels } from './fetch-models.ts';
import { ModelStock } from './model-stock.ts';
import { createOutput, type Output } from './output.ts';
import { prepareOwnRedis, redisServes } from './own-redis.ts';
import { findUsedPort } from './ports.ts';
import { untilReady } from './readiness.ts';
import { pingRedis } from './redis-probe.ts';
import { Services } from './services.ts';
import { StartError } from './start-error.ts';
import { Supervisor } from './supervisor.ts';
import { startUpTable } from './table.ts';
import { wantedModels } from './wanted-models.ts';

/** Everything is gone within 4 s: services may take 3 of them, and Redis what is left. */
const SERVICES_GRACE_MS = 3000;
const REDIS_GRACE_MS = 700;

/** Runs the whole system until it is told to leave, and answers with the exit code. Leaves nothing behind. */
export async function runSystem(options: StartOptions, settings: StartSettings): Promise<number> {
  const output = createOutput({
    write: (text) => process.stdout.write(text),
    colour: process.stdout.isTTY === true && process.env.NO_COLOR === undefined,
    nameWidth: 'stt-worker-1'.length,
    columns: () => (process.stdout.isTTY ? process.stdout.columns : undefined),
  });
  const closer = new Closer();
  let forced = false;
  const shutdown = watchShutdown({
    clock: systemClock,
    drainTimeoutMs: SERVICES_GRACE_MS + REDIS_GRACE_MS,
    onForce: () => {
      forced = true;
      for (const supervisor of supervisors) supervisor.kill();
    },
  });
  const supervisors: Supervisor[] = [];
  // Whoever reads our output or waits for our end has gone away.
  process.stdout.on('error', () => shutdown.request('the terminal is gone'));
  process.on('disconnect', () => shutdown.request('the command is gone'));

  let failure: StartError | undefined;
  const fail = (error: StartError): void => {
    failure ??= error;
    shutdown.request(error.message);
  };
  const supervise = (onFatal: (error: StartError) => void): Supervisor => {
    const supervisor = new Supervisor({ clock: systemClock, output, onFatal });
    supervisors.push(supervisor);
    return supervisor;
  };
  try {
    await start({ options, settings, output, closer, supervise, onFatal: fail, signal: shutdown.signal });
    await untilAborted(shutdown.signal);
  } catch (error) {
    if (error instanceof StartError) fail(error);
    else if (!shutdown.signal.aborted) throw error;
  } finally {
    if (failure) process.stderr.write(`\n${failure.message}\n`);
    else output.say('Leaving …');
    shutdown.request('finished');
    await closer.close();
    shutdown.release();
  }
  return failure || forced ? 1 : 0;
}

interface StartContext {
  readonly options: StartOptions;
  readonly settings: StartSettings;
  readonly output: Output;
  readonly closer: Closer;
  readonly supervise: (onFatal: (error: StartError) => void) => Supervisor;
  readonly onFatal: (error: StartError) => void;
  readonly signal: AbortSignal;
}

async function start({ options, settings, output, closer, supervise, onFatal, signal }: StartContext): Promise<void> {
  const startedMs = systemClock.nowMs();
  await refuseUsedPorts(options, settings.host);
  const unlock = await lockDataDir(settings.dataDir);
  closer.defer('data folder', unlock);

  const redisUrl = settings.redisUrl ?? (await startOwnRedis());
  await refuseUnreachableRedis(redisUrl);
  signal.throwIfAborted();

  const host = isWildcard(settings.host) ? '127.0.0.1' : settings.host;
  const urls = Array.from({ length: options.gateways }, (_, index) => `http://${host}:${options.port + index}`);
  const services = new Services({ options, settings, redisUrl, urls, output, supervise, onFatal, signal });
  let fetching: Promise<void> = Promise.resolve();
  // After the services: workers that are being replaced leave with the others.
  closer.defer('models', () => fetching);
  closer.defer('services', () => services.stop(SERVICES_GRACE_MS));
  const { models, remarks } = wantedModels(settings.given);
  const stock = await ModelStock.take(models, settings.modelPlaces);
  services.start(stock);

  const { stages } = await untilReady(urls, {
    clock: systemClock,
    signal,
    onWaiting: (reasons) => output.say(`Not ready yet: ${reasons.join('; ')}`),
  });
  const { isTTY = false } = process.stdout;
  const redis = settings.redisUrl === undefined ? `its own, ${redisUrl}` : hidePassword(redisUrl);
  const { offline } = options;
  const facts = { urls, redis, dataDir: settings.dataDir, stages, models: stock, offline, colour: isTTY };
  output.show(startUpTable(facts));
  output.say(`Ready in ${((systemClock.nowMs() - startedMs) / 1000).toFixed(1)} s. Ctrl-C ends it.`);
  for (const remark of remarks) output.say(remark);
  if (offline) return;
  fetching = fetchModels(stock, {
    places: settings.modelPlaces,
    clock: systemClock,
    output,
    hasStatus: isTTY,
    signal,
    onArrived: (stage) => services.useModels(stage, stock),
  }).catch((error: unknown) => {
    if (!signal.aborted) output.say(`Models are not fetched any more: ${String(error)}`);
  });

  async function startOwnRedis(): Promise<string> {
    const redis = await prepareOwnRedis(settings.dataDir, systemClock);
    closer.defer('socket', () => redis.cleanUp());
    const keeper = supervise(onFatal);
    closer.defer('redis', () => keeper.stop(REDIS_GRACE_MS));
    keeper.add(redis.child);
    await redisServes(redis.url, systemClock, signal);
    return redis.url;
  }
}

async function refuseUsedPorts({ port, gateways }: StartOptions, host: string): Promise<void> {
  if (port + gateways - 1 > 65_535) throw new StartError(`There are no ${gateways} ports from ${port} on.`);
  const used = await findUsedPort(host, port, gateways).catch((cause: Error) => {
    throw new StartError(`Parley cannot listen on ${host}: ${cause.message}`, { cause });
  });
  if (used === undefined) return;
  throw new StartError(
    `Port ${used} is already in use: by another Parley, perhaps.\n` +
      `Stop that, or choose another port: npm start -- --port ${used + gateways}`,
  );
}

async function refuseUnreachableRedis(url: string): Promise<void> {
  await pingRedis(url).catch((cause: Error) => {
    throw new StartError(`The Redis at ${hidePassword(url)} (REDIS_URL) cannot be reached: ${cause.message}`, {
      cause,
    });
  });
}

function hidePassword(url: string): string {
  return url.replace(/(\/\/[^/@:]*:)[^/@]+@/, '$1***@');
}

function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

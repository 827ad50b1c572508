import { systemClock } from '@parley/runtime';
import type { StartOptions } from './command-line.ts';
import type { StartSettings } from './config.ts';
import type { ModelStock } from './model-stock.ts';
import type { Output } from './output.ts';
import { untilServing } from './readiness.ts';
import { gatewaySpecs, WORKER_STAGES, type WorkerStage, workerSpecs } from './service-specs.ts';
import type { StartError } from './start-error.ts';
import type { Supervisor } from './supervisor.ts';
import { MODELLED_STAGES, type ModelledStage } from './wanted-models.ts';
import { WorkerPool } from './worker-pool.ts';

/** A large model takes its time to be read from a slow disk. */
const SERVING_WITHIN_MS = 90_000;
/** What a worker may take beyond the time in which it promises to leave. */
const HAND_OVER_MARGIN_MS = 2000;

export interface ServicesOptions {
  readonly options: StartOptions;
  readonly settings: StartSettings;
  readonly redisUrl: string;
  /** Where the gateways answer. */
  readonly urls: readonly string[];
  readonly output: Output;
  readonly supervise: (onFatal: (error: StartError) => void) => Supervisor;
  /** Told when a process cannot be helped by a restart. */
  readonly onFatal: (error: StartError) => void;
  readonly signal: AbortSignal;
}

/** The gateways and the pools of workers. */
export class Services {
  readonly #options: ServicesOptions;
  readonly #gateways: Supervisor;
  readonly #pools: Readonly<Record<WorkerStage, WorkerPool>>;

  constructor(options: ServicesOptions) {
    this.#options = options;
    this.#gateways = options.supervise(options.onFatal);
    this.#pools = { stt: this.#pool('stt'), llm: this.#pool('llm'), tts: this.#pool('tts') };
  }

  /** Starts everything, workers with the models that are there for them. */
  start(stock: ModelStock): void {
    const { options, settings, redisUrl } = this.#options;
    for (const spec of gatewaySpecs(options, { redisUrl, dataDir: settings.dataDir })) this.#gateways.add(spec);
    for (const stage of WORKER_STAGES) {
      const modelled = MODELLED_STAGES.find((one) => one === stage);
      if (modelled === undefined || stock.namesFor(modelled).length === 0) this.#pools[stage].start();
      else void this.#startWithModels(modelled, stock);
    }
  }

  /** Lets workers that use the models that are there now take the place of a stage's workers. */
  async useModels(stage: ModelledStage, stock: ModelStock): Promise<void> {
    const { output, signal } = this.#options;
    const names = stock.namesFor(stage).join(' and ');
    try {
      await this.#pools[stage].replace(stock.environment(stage), signal);
      output.say(`${stage}: ${names} in use; the workers before have handed over.`);
    } catch (error) {
      if (!signal.aborted) output.say(`${stage}: ${names} not in use, what served goes on: ${reasonOf(error)}`);
    }
  }

  async stop(graceMs: number): Promise<void> {
    const pools = Object.values(this.#pools);
    await Promise.all([this.#gateways.stop(graceMs), ...pools.map((pool) => pool.stop(graceMs))]);
  }

  /** A model that is whole and yet cannot be loaded must not keep the stage from being served. */
  async #startWithModels(stage: ModelledStage, stock: ModelStock): Promise<void> {
    const { output, signal } = this.#options;
    try {
      await this.#pools[stage].replace(stock.environment(stage), signal);
    } catch (error) {
      if (signal.aborted) return;
      output.say(`${stage}: starting without ${stock.namesFor(stage).join(' and ')}: ${reasonOf(error)}`);
      this.#pools[stage].start();
    }
  }

  #pool(stage: WorkerStage): WorkerPool {
    const { options, settings, redisUrl, urls, supervise, onFatal } = this.#options;
    const shared = { redisUrl, dataDir: settings.dataDir, stage, count: options[stage] };
    return new WorkerPool({
      specs: (env, from) => workerSpecs({ ...shared, env, from }),
      supervise,
      onFatal,
      untilServing: (pids, signal) =>
        untilServing(urls, pids, { clock: systemClock, signal, limitMs: SERVING_WITHIN_MS }),
      handOverMs: settings.drainTimeoutMs + HAND_OVER_MARGIN_MS,
    });
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

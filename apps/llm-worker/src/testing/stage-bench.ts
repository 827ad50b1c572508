import { type Bus, connectBus } from '@parley/bus';
import { createLogger, createMetrics, type Environment, type Metrics, systemClock } from '@parley/runtime';
import { runStage } from '@parley/stage';
import { loadLanguageModel } from '../choose.ts';
import type { LanguageModel } from '../language-model.ts';
import { llmMetrics } from '../metrics.ts';
import { replyStage } from '../stage.ts';
import { loadServerTools } from '../tools/server-tools.ts';
import { testConfig } from './config.ts';

const logger = createLogger({ name: 'test', level: 'silent' });

export interface TestWorker {
  readonly metrics: Metrics;
  /** Leaves without a word, as if it were killed: nothing of its own is written after this. */
  vanish(): Promise<void>;
  drain(): Promise<void>;
}

export interface WorkerOptions {
  readonly env?: Environment;
  readonly engine?: string;
  readonly wrap?: (model: LanguageModel) => LanguageModel;
}

/** Workers of one test, and connections of others, on one Redis; all that it made goes with it. */
export class StageBench {
  readonly #redisUrl: string;
  readonly #closers: (() => Promise<unknown>)[] = [];
  #workers = 0;

  constructor(redis: { readonly url: string }) {
    this.#redisUrl = redis.url;
  }

  async connect(id: string): Promise<Bus> {
    const metrics = createMetrics({ processMetrics: false });
    const process = { id, host: 'here', pid: 1 };
    const bus = await connectBus({ url: this.#redisUrl, process, logger, metrics });
    this.#closers.push(() => bus.close());
    return bus;
  }

  async startWorker({ env = {}, engine = 'openai', wrap = (model) => model }: WorkerOptions = {}): Promise<TestWorker> {
    this.#workers += 1;
    const bus = await this.connect(`llm-${this.#workers}`);
    const metrics = createMetrics({ processMetrics: false });
    const config = testConfig(env);
    const parts = { config, clock: systemClock, logger, metrics: llmMetrics(metrics) };
    const loaded = await loadLanguageModel({ engines: [engine], reason: '', hint: '' }, parts);
    this.#closers.push(() => loaded.close());
    const serverTools = await loadServerTools(config.toolsFile);
    const stage = replyStage({ ...parts, model: wrap(loaded), bus, serverTools, toolFetch: fetch });
    const drained = new AbortController();
    const finished = runStage(stage, {
      ...{ bus, logger, metrics, clock: systemClock, signal: drained.signal, drainGraceMs: 0 },
      heartbeat: () => ({ engine, engineReason: '', engineHint: '', ready: true }),
    });
    const drain = (): Promise<void> => {
      drained.abort(new Error('drain'));
      return finished;
    };
    this.#closers.push(drain);
    return { metrics, drain, vanish: () => bus.close() };
  }

  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close();
  }
}

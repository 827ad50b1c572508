import { fileURLToPath } from 'node:url';
import { type AppName, freePort, System, type SystemProcess, startRedis, type TestRedis } from '@parley/testkit';
import { Child } from './child.ts';
import type { EngineCommand, EngineLog, EngineReply, EngineScript } from './engines/script.ts';
import { readMetrics } from './prometheus.ts';
import type { TalkPlan } from './talkers/plan.ts';
import { connectTalkers, type Talkers } from './talkers/talkers.ts';

const RECOGNIZER = fileURLToPath(new URL('./engines/scripted-recognizer.ts', import.meta.url));
const APPS: readonly AppName[] = ['gateway', 'stt-worker', 'llm-worker', 'tts-worker'];

/** What one process of the system has used since it started, or holds now. */
interface ProcessUsage {
  readonly name: string;
  readonly cpuSeconds: number;
  readonly rssBytes: number;
  /** Of the JavaScript heap and what hangs on it; of Redis, its data. */
  readonly heapBytes: number;
}

/** What the system has used since it started. */
export interface Usage {
  readonly atMs: number;
  readonly processes: readonly ProcessUsage[];
  readonly redisCommands: number;
  readonly redisBytesIn: number;
  readonly redisBytesOut: number;
  /** Calls and microseconds by command. */
  readonly byCommand: ReadonlyMap<string, { readonly calls: number; readonly usec: number }>;
}

export interface LabOptions {
  readonly script: EngineScript;
  /** Profiles of the processes are written there when they end. */
  readonly profileDir?: string | undefined;
  readonly env?: Readonly<Record<string, string>>;
}

/** A whole system as in production, a process of each kind, on scripted engines that are processes of their own. */
export class Lab {
  readonly redis: TestRedis;
  readonly system: System;
  readonly #engines: Child<EngineCommand, EngineReply>;
  readonly #metricsUrls: ReadonlyMap<SystemProcess, string>;

  private constructor(
    redis: TestRedis,
    system: System,
    engines: Child<EngineCommand, EngineReply>,
    metricsUrls: ReadonlyMap<SystemProcess, string>,
  ) {
    this.redis = redis;
    this.system = system;
    this.#engines = engines;
    this.#metricsUrls = metricsUrls;
  }

  static async open({ script, profileDir, env = {} }: LabOptions): Promise<Lab> {
    const redis = await startRedis();
    const engines = new Child<EngineCommand, EngineReply>('./engines/main.ts');
    const { url } = await engines.next('listening');
    await engines.ask({ do: 'script', script }, 'scripted');
    const system = new System({
      redisUrl: redis.url,
      env: {
        PARLEY_STT_ENGINE: `module:${RECOGNIZER}`,
        PARLEY_LLM_ENGINE: 'openai',
        PARLEY_LLM_BASE_URL: url,
        PARLEY_LLM_MODEL: 'scripted',
        PARLEY_LLM_SLOTS: '1000',
        PARLEY_TTS_ENGINE: 'openai',
        PARLEY_TTS_BASE_URL: url,
        PARLEY_TTS_SLOTS: '1000',
        PARLEY_MAX_SESSIONS: '100000',
        ...(profileDir === undefined ? {} : { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profileDir}` }),
        ...env,
      },
    });
    const metricsUrls = new Map<SystemProcess, string>();
    try {
      for (const app of APPS) {
        const port = await freePort();
        const started = await system.add(app, { PARLEY_HEALTH_PORT: String(port) });
        metricsUrls.set(started, `${started.url ?? `http://127.0.0.1:${port}`}/metrics`);
      }
      await system.ready();
    } catch (error) {
      await Promise.all([system.stop(), engines.stop()]);
      await redis.stop();
      throw error;
    }
    return new Lab(redis, system, engines, metricsUrls);
  }

  /** Lets people talk to the system. They are to be closed before the system. */
  talk(plan: Omit<TalkPlan, 'urls'>): Promise<Talkers> {
    return connectTalkers({ ...plan, urls: this.system.urls });
  }

  async setScript(script: EngineScript): Promise<void> {
    await this.#engines.ask({ do: 'script', script }, 'scripted');
  }

  async engineLog(): Promise<EngineLog> {
    return (await this.#engines.ask({ do: 'log' }, 'log')).log;
  }

  async usage(): Promise<Usage> {
    const [info, ...processes] = await Promise.all([
      this.redis.client.info('everything'),
      ...[...this.#metricsUrls].map(([{ app }, url]) => processUsage(app, url)),
    ]);
    const number = (name: string): number => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1] ?? 0);
    const byCommand = new Map<string, { calls: number; usec: number }>();
    for (const [, name = '', calls, usec] of info.matchAll(/^cmdstat_([^:]+):calls=(\d+),usec=(\d+)/gm)) {
      byCommand.set(name, { calls: Number(calls), usec: Number(usec) });
    }
    const redis: ProcessUsage = {
      name: 'redis',
      cpuSeconds: number('used_cpu_sys') + number('used_cpu_user'),
      rssBytes: number('used_memory_rss'),
      heapBytes: number('used_memory'),
    };
    return {
      atMs: performance.now(),
      processes: [...processes, redis],
      redisCommands: number('total_commands_processed'),
      redisBytesIn: number('total_net_input_bytes'),
      redisBytesOut: number('total_net_output_bytes'),
      byCommand,
    };
  }

  /** One process's metrics, by name and labels. */
  async metrics(app: AppName): Promise<ReadonlyMap<string, number>> {
    const [, url] = [...this.#metricsUrls].find(([started]) => started.app === app) ?? [];
    return readMetrics(url ?? '');
  }

  async close(): Promise<void> {
    await this.system.stop();
    await this.#engines.stop();
    await this.redis.stop();
  }
}

async function processUsage(name: string, url: string): Promise<ProcessUsage> {
  const metrics = await readMetrics(url);
  const value = (metric: string): number => metrics.get(metric) ?? 0;
  return {
    name,
    cpuSeconds: value('process_cpu_seconds_total'),
    rssBytes: value('process_resident_memory_bytes'),
    heapBytes: value('nodejs_heap_size_used_bytes') + value('nodejs_external_memory_bytes'),
  };
}

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const READY_TIMEOUT_MS = 60_000;
const POLL_MS = 50;
const MAX_OUTPUT_CHARS = 200_000;
const STOP_TIMEOUT_MS = 5_000;

export type AppName = 'gateway' | 'stt-worker' | 'llm-worker' | 'tts-worker';
type Environment = Readonly<Record<string, string>>;

export interface SystemOptions {
  readonly redisUrl: string;
  readonly gateways?: number;
  readonly stt?: number;
  readonly llm?: number;
  readonly tts?: number;
  /** Settings of all processes. */
  readonly env?: Environment;
}

/** One process of a running system. */
export class SystemProcess {
  readonly app: AppName;
  readonly url: string | undefined;
  /** Where it shows its metrics. */
  readonly metricsUrl: string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<number | null>;
  #output = '';
  #killed = false;

  constructor(app: AppName, env: Environment, url?: string) {
    this.app = app;
    this.url = url;
    this.metricsUrl = `${url ?? `http://127.0.0.1:${env.PARLEY_HEALTH_PORT}`}/metrics`;
    const main = `${ROOT}apps/${app}/src/main.ts`;
    this.#child = spawn(process.execPath, [main], { cwd: ROOT, env: { ...inherited(), ...env }, stdio: 'pipe' });
    const collect = (chunk: Buffer): void => {
      this.#output = (this.#output + chunk.toString()).slice(-MAX_OUTPUT_CHARS);
    };
    this.#child.stdout?.on('data', collect);
    this.#child.stderr?.on('data', collect);
    this.#exited = once(this.#child, 'exit').then(([code]) => code as number | null);
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${this.app} did not start`);
    return this.#child.pid;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** What it wrote, the latest part. */
  get output(): string {
    return this.#output;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Kills it on purpose: `ready` does not mind that it is gone. */
  async kill(): Promise<void> {
    this.#killed = true;
    this.signal('SIGKILL');
    await this.#exited;
  }

  /** Tells it to leave, as a deploy would. */
  leave(): void {
    this.#killed = true;
    this.signal('SIGTERM');
  }

  /** It has gone, or will go, on purpose. */
  get killed(): boolean {
    return this.#killed;
  }

  /** Resolves with its exit code, null after a signal. */
  exited(): Promise<number | null> {
    return this.#exited;
  }

  /** Ends it whatever state it is in, a frozen one too. */
  async stop(): Promise<void> {
    if (!this.running) return;
    this.signal('SIGCONT');
    this.signal('SIGTERM');
    const force = setTimeout(() => this.signal('SIGKILL'), STOP_TIMEOUT_MS);
    await this.#exited;
    clearTimeout(force);
  }
}

/** Parley's own processes on a given Redis, each started from its source as in production. */
export class System {
  readonly #options: SystemOptions;
  #processes: SystemProcess[] = [];

  constructor(options: SystemOptions) {
    this.#options = options;
  }

  get processes(): readonly SystemProcess[] {
    return this.#processes;
  }

  /** URLs at which the running gateways take sessions, in the order in which they were started. */
  get urls(): string[] {
    return this.httpUrls.map((url) => `${url.replace('http', 'ws')}/v1/session`);
  }

  get httpUrls(): string[] {
    return this.#processes.flatMap(({ url, running }) => (url !== undefined && running ? [url] : []));
  }

  /** Starts one more process of an app. */
  async add(app: AppName, env: Environment = {}): Promise<SystemProcess> {
    const base: Environment = {
      REDIS_URL: this.#options.redisUrl,
      PARLEY_LOG_LEVEL: 'warn',
      UV_THREADPOOL_SIZE: '8',
      ...this.#options.env,
      ...env,
    };
    const port = await freePort();
    const process_ =
      app === 'gateway'
        ? new SystemProcess(app, { ...base, PORT: String(port) }, `http://127.0.0.1:${port}`)
        : new SystemProcess(app, { PARLEY_HEALTH_PORT: String(port), ...base });
    this.#processes.push(process_);
    return process_;
  }

  /** The process with this pid. */
  byPid(pid: number): SystemProcess {
    const found = this.#processes.find((candidate) => candidate.pid === pid);
    if (!found) throw new Error(`no process of this system has pid ${pid}`);
    return found;
  }

  /** Waits until every gateway is ready and sees as many ready workers as were started. */
  async ready(): Promise<void> {
    const wanted = (app: AppName) =>
      this.#processes.filter((one) => one.app === app && one.running && !one.killed).length;
    await waitUntil(async () => {
      for (const one of this.#processes) {
        if (!one.running && !one.killed) throw new Error(`${one.app} ended while starting:\n${one.output}`);
      }
      for (const url of this.httpUrls) {
        const response = await fetch(`${url}/readyz`).catch(() => undefined);
        if (response?.status !== 200) return false;
        const { stages } = (await response.json()) as { stages: Record<string, { ready: boolean }[]> };
        for (const stage of ['stt', 'llm', 'tts'] as const) {
          if ((stages[stage]?.filter(({ ready }) => ready).length ?? 0) < wanted(`${stage}-worker`)) return false;
        }
      }
      return true;
    }, READY_TIMEOUT_MS);
  }

  /** Warmed-up workers of a stage, as a gateway sees them. */
  async readyWorkers(stage: 'stt' | 'llm' | 'tts'): Promise<number> {
    const [url] = this.httpUrls;
    const response = await fetch(`${url}/readyz`);
    const { stages } = (await response.json()) as { stages: Record<string, { ready: boolean }[]> };
    return stages[stage]?.filter(({ ready }) => ready).length ?? 0;
  }

  /** What `/debug/sessions/{id}` of a gateway that answers says. */
  async debug(session: string): Promise<SessionDebug> {
    for (const url of this.httpUrls) {
      const response = await fetch(`${url}/debug/sessions/${session}`, { signal: AbortSignal.timeout(1_000) }).catch(
        () => undefined,
      );
      if (response?.status === 200) return (await response.json()) as SessionDebug;
    }
    throw new Error(`no gateway knows session ${session}`);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#processes.map((one) => one.stop()));
    this.#processes = [];
  }
}

interface Holder {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
}

/** Answer of `/debug/sessions/{id}`. */
export interface SessionDebug {
  readonly session: string;
  readonly epoch: number;
  readonly owner: Holder;
  readonly listener: (Holder & { readonly fence: string }) | null;
  readonly claims: readonly (Holder & {
    readonly stage: 'reply' | 'speak';
    readonly reply: { readonly turn: number; readonly attempt: number };
    readonly clause: number | null;
    readonly try: number;
    readonly fence: string;
  })[];
  readonly cursors: { readonly event: string; readonly audio: number; readonly input: number };
}

/** Starts a whole system and waits until it is ready. */
export async function startSystem(options: SystemOptions): Promise<System> {
  const system = new System(options);
  const { gateways = 1, stt = 1, llm = 1, tts = 1 } = options;
  const counts = { gateway: gateways, 'stt-worker': stt, 'llm-worker': llm, 'tts-worker': tts } as const;
  try {
    for (const [app, count] of Object.entries(counts)) {
      for (let i = 0; i < count; i += 1) await system.add(app as AppName);
    }
    await system.ready();
    return system;
  } catch (error) {
    await system.stop();
    throw error;
  }
}

/** Polls until the condition holds. Rejects with `why` after the time-out, or with what the condition throws. */
export async function waitUntil(
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
  why = 'the condition did not come to hold in time',
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(why);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** The environment without Parley's own settings, so that a developer's do not reach into a test. */
function inherited(): Environment {
  const clean: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && !/^(PARLEY_|OTEL_|REDIS_URL$|PORT$)/.test(name)) clean[name] = value;
  }
  return clean;
}

/** A port nobody listens on at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (typeof address !== 'object' || address === null) throw new Error('no free port');
  return address.port;
}

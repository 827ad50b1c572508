import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { freePort, waitUntil } from '@parley/testkit';

const MAIN = fileURLToPath(new URL('../tools/start/main.ts', import.meta.url));
const LEAVES_WITHIN_MS = 8_000;

interface Worker {
  readonly engine: string;
  readonly ready: boolean;
}

/** Everything that `npm start` starts, on a free port. */
export class StartedSystem {
  readonly #child: ChildProcess;
  readonly #port: number;
  #output = '';

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.#port = port;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text;
      });
    }
  }

  static async launch(
    dataDir: string,
    env: Record<string, string>,
    args: readonly string[] = [],
  ): Promise<StartedSystem> {
    const port = await freePort();
    const clean = Object.entries(process.env).filter(([name]) => !/^(PARLEY_|OTEL_|REDIS_URL$|PORT$)/.test(name));
    const child = spawn(process.execPath, [MAIN, '--port', String(port), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...Object.fromEntries(clean), PARLEY_DATA_DIR: dataDir, PARLEY_LOG_LEVEL: 'warn', ...env },
    });
    return new StartedSystem(child, port);
  }

  /** What it has printed so far. */
  get output(): string {
    return this.#output;
  }

  get urls(): string[] {
    return [`ws://127.0.0.1:${this.#port}/v1/session`];
  }

  async printed(what: RegExp, timeoutMs = 60_000): Promise<void> {
    await waitUntil(() => what.test(this.#output) || this.#child.exitCode !== null, timeoutMs).catch(() => undefined);
    if (!what.test(this.#output)) throw new Error(`${what} was not printed:\n${this.#output}`);
  }

  /** Waits until the workers of a stage that are ready, as `/readyz` sees them, have these engines. */
  async servedBy(stage: string, engines: readonly string[]): Promise<void> {
    let seen: string[] = [];
    await waitUntil(async () => {
      const response = await fetch(`http://127.0.0.1:${this.#port}/readyz`);
      const { stages } = (await response.json()) as { stages: Record<string, Worker[]> };
      seen = (stages[stage] ?? []).filter(({ ready }) => ready).map(({ engine }) => engine);
      return seen.join() === engines.join();
    }).catch(() => {
      throw new Error(`${stage} is served by ${seen.join() || 'nobody'}, not by ${engines.join()}:\n${this.#output}`);
    });
  }

  /** Ends it as Ctrl-C would. Resolves with the exit code. */
  async stop(): Promise<number | null> {
    const { exitCode } = this.#child;
    const ended = exitCode === null ? once(this.#child, 'close') : Promise.resolve([exitCode]);
    this.#child.kill('SIGINT');
    const force = setTimeout(() => this.#child.kill('SIGKILL'), LEAVES_WITHIN_MS);
    const [code] = await ended;
    clearTimeout(force);
    return code;
  }
}

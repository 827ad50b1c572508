import { type ChildProcess, spawn } from 'node:child_process';
import { type Backoff, backoff, type Clock } from '@parley/runtime';
import { LineSplitter } from './line-splitter.ts';

/** What to run, and under which name. */
export interface ChildSpec {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface ChildOptions {
  readonly clock: Clock;
  readonly onLine: (line: string) => void;
  /** Told of every exit that nobody asked for. True restarts the child after a wait. */
  readonly onExit: (exit: ChildExit) => boolean;
  readonly restart?: { readonly initialMs: number; readonly maxMs: number };
}

export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly livedMs: number;
  /** The wait before the restart. */
  readonly restartMs: number;
}

/** A child that lived this long is taken for sound, and its next restart does not wait long. */
const SOUND_AFTER_MS = 10_000;

/**
 * One process that is kept running.
 *
 * States: stopped → running → waiting → running …; running, waiting → stopping → stopped. `start` leads to running, an
 * exit to waiting (or, if it shall not be restarted, to stopped), the end of the wait to running, `stop` to stopping, and
 * the exit after that to stopped.
 *
 * It runs in a process group of its own, so that Ctrl-C in a terminal does not reach it before the supervisor decides,
 * and its standard input is a pipe whose end tells it that the supervisor is gone.
 */
export class Child {
  readonly name: string;
  readonly #spec: ChildSpec;
  readonly #options: ChildOptions;
  readonly #waits: Backoff;
  #state: 'stopped' | 'running' | 'waiting' | 'stopping' = 'stopped';
  #process: ChildProcess | undefined;
  #startedMs = 0;
  #cancelWait = (): void => {};
  #onStopped = (): void => {};

  constructor(spec: ChildSpec, options: ChildOptions) {
    this.name = spec.name;
    this.#spec = spec;
    this.#options = options;
    this.#waits = backoff(options.restart ?? { initialMs: 250, maxMs: 10_000 });
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  start(): void {
    if (this.#state === 'running' || this.#state === 'stopping') return;
    this.#state = 'running';
    this.#startedMs = this.#options.clock.nowMs();
    const { program, args, env } = this.#spec;
    const child = spawn(program, args, {
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...env, PARLEY_SUPERVISED: '1' },
    });
    this.#process = child;
    // A pipe to a child that is gone is no news.
    child.stdin.on('error', () => {});
    for (const stream of [child.stdout, child.stderr]) {
      const splitter = new LineSplitter();
      stream.setEncoding('utf8');
      stream.on('data', (text: string) => {
        for (const line of splitter.push(text)) this.#options.onLine(line);
      });
      stream.on('end', () => {
        for (const line of splitter.end()) this.#options.onLine(line);
      });
    }
    child.once('error', (error) => {
      // Without an id it never began, and no exit will follow.
      if (child.pid !== undefined) return;
      this.#options.onLine(`cannot be started: ${error.message}`);
      this.#ended(127, null);
    });
    child.once('exit', (code, signal) => this.#ended(code, signal));
  }

  /** Asks the child to leave, and makes it leave when `graceMs` have passed. Resolves when it is gone. */
  async stop(graceMs: number): Promise<void> {
    if (this.#state === 'waiting') {
      this.#cancelWait();
      this.#state = 'stopped';
    }
    if (this.#state === 'stopped') return;
    const stopped = new Promise<void>((resolve) => {
      const previous = this.#onStopped;
      this.#onStopped = () => {
        previous();
        resolve();
      };
    });
    this.#state = 'stopping';
    this.#process?.kill('SIGTERM');
    const cancel = this.#options.clock.setTimeout(() => this.kill(), graceMs);
    await stopped;
    cancel();
  }

  /** Ends the child and everything it started, at once. */
  kill(): void {
    this.#killGroup();
  }

  #ended(code: number | null, signal: NodeJS.Signals | null): void {
    // What the child started itself must not outlive it.
    this.#killGroup();
    this.#process = undefined;
    if (this.#state === 'stopping') {
      this.#state = 'stopped';
      this.#onStopped();
      return;
    }
    const { clock, onExit } = this.#options;
    const livedMs = clock.nowMs() - this.#startedMs;
    if (livedMs >= SOUND_AFTER_MS) this.#waits.reset();
    const restartMs = this.#waits.next();
    this.#state = 'waiting';
    this.#cancelWait = clock.setTimeout(() => this.start(), restartMs);
    if (onExit({ code, signal, livedMs, restartMs })) return;
    this.#cancelWait();
    this.#state = 'stopped';
  }

  #killGroup(): void {
    const pid = this.#process?.pid;
    if (pid === undefined) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // Nobody is left in the group.
    }
  }
}

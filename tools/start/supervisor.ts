import { type Clock, EXIT_CODES } from '@parley/runtime';
import { Child, type ChildExit, type ChildSpec } from './child.ts';
import type { Output } from './output.ts';
import { StartError } from './start-error.ts';

export interface SupervisorOptions {
  readonly clock: Clock;
  readonly output: Output;
  /** Told when a child cannot be helped by a restart. */
  readonly onFatal: (error: StartError) => void;
  readonly restart?: { readonly initialMs: number; readonly maxMs: number };
}

/** Keeps a group of processes running, and ends them together. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #children: Child[] = [];
  #stopping = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** The ids of its processes at this moment; undefined for one that waits for its restart. */
  get pids(): (number | undefined)[] {
    return this.#children.map((child) => child.pid);
  }

  /** Starts a process and keeps it running. */
  add(spec: ChildSpec): Child {
    const { clock, output, restart } = this.#options;
    const child = new Child(spec, {
      clock,
      onLine: (line) => output.line(spec.name, line),
      onExit: (exit) => this.#onExit(spec.name, exit),
      ...(restart ? { restart } : {}),
    });
    this.#children.push(child);
    if (!this.#stopping) child.start();
    return child;
  }

  /** Asks all to leave at once, and makes them leave when `graceMs` have passed. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#children.map((child) => child.stop(graceMs)));
  }

  /** Ends all without asking. */
  kill(): void {
    this.#stopping = true;
    for (const child of this.#children) child.kill();
  }

  #onExit(name: string, { code, signal, livedMs, restartMs }: ChildExit): boolean {
    if (this.#stopping) return false;
    if (code === EXIT_CODES.misconfigured) {
      this.#options.onFatal(new StartError(`${name} cannot run with this configuration; see its messages above.`));
      return false;
    }
    const how = signal === null ? `exited with code ${code}` : `was ended by ${signal}`;
    this.#options.output.say(
      `${name} ${how} after ${seconds(livedMs)} s; starting it again in ${seconds(restartMs)} s`,
    );
    return true;
  }
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}

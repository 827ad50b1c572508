import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

/** A helper of the benchmark in a process of its own, and the messages to and from it. It ends with its parent. */
export class Child<Command extends object, Message extends { readonly type: string }> {
  readonly #process: ChildProcess;
  readonly #handlers = new Set<(message: Message) => void>();

  constructor(module: string, options: { readonly nodeOptions?: string | undefined } = {}) {
    const env = { ...process.env, NODE_OPTIONS: options.nodeOptions ?? '' };
    this.#process = fork(new URL(module, import.meta.url), { env, serialization: 'advanced' });
    this.#process.on('message', (message: Message) => {
      for (const handler of this.#handlers) handler(message);
    });
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  send(command: Command): void {
    if (this.#process.connected) this.#process.send(command);
  }

  /** Calls the handler for every message until the returned function is called. */
  onMessage(handler: (message: Message) => void): () => void {
    this.#handlers.add(handler);
    return () => void this.#handlers.delete(handler);
  }

  /** The next message of a type. Rejects when the process ends before it. */
  next<T extends Message['type']>(type: T): Promise<Extract<Message, { type: T }>> {
    return new Promise((resolve, reject) => {
      const ended = (): void => reject(new Error(`a helper of the benchmark ended before it told "${type}"`));
      const off = this.onMessage((message) => {
        if (message.type !== type) return;
        off();
        this.#process.off('exit', ended);
        resolve(message as Extract<Message, { type: T }>);
      });
      this.#process.once('exit', ended);
    });
  }

  /** Sends a command and waits for the message that answers it. */
  ask<T extends Message['type']>(command: Command, type: T): Promise<Extract<Message, { type: T }>> {
    const answer = this.next(type);
    this.send(command);
    return answer;
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, 'exit');
    this.#process.disconnect();
    await exited;
  }
}

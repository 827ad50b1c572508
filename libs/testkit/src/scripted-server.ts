import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Listens on a free port of loopback; answers with the base URL. */
export async function listenOnFreePort(server: Server): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** The JSON body of a request, as the caller knows it to be. */
export async function readJson<T>(request: IncomingMessage): Promise<T> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as T;
}

export function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

/** Waits that all end when the server closes. */
export class TimerSet {
  readonly #waits = new Map<NodeJS.Timeout, () => void>();

  /** Resolves after `ms`, or when the set is cleared; at once for nothing or less. */
  sleep(ms: number): Promise<void> {
    if (ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#waits.delete(timer);
        resolve();
      }, ms);
      this.#waits.set(timer, resolve);
    });
  }

  clear(): void {
    for (const [timer, resolve] of this.#waits) {
      clearTimeout(timer);
      resolve();
    }
    this.#waits.clear();
  }
}

/** An HTTP server whose behaviour tests can change, and that knows who has hung up on it. */
export abstract class ScriptedServer<Behaviour extends object> {
  readonly abortedAtMs: number[] = [];
  active = 0;
  url = '';
  protected behaviour: Behaviour;
  protected readonly timers = new TimerSet();
  protected readonly server: Server;

  constructor(behaviour: Behaviour) {
    this.behaviour = behaviour;
    this.server = createServer((request, response) => {
      this.answer(request, response).catch(() => response.destroy());
    });
  }

  protected abstract answer(request: IncomingMessage, response: ServerResponse): Promise<void>;

  /** Listens on a free port; `path` is what belongs to the URL behind it. */
  async listen(path = ''): Promise<void> {
    this.url = `${await listenOnFreePort(this.server)}${path}`;
  }

  setBehaviour(change: Behaviour): void {
    this.behaviour = { ...this.behaviour, ...change };
  }

  async close(): Promise<void> {
    this.timers.clear();
    this.server.closeAllConnections();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }
}

/** What a server counts of the answers that it is giving. */
export interface AnswerCount {
  active: number;
  readonly abortedAtMs: number[];
}

/** Counts an answer until its end; a client that hangs up before `isOver` is set has aborted it. */
export function countAnswer(count: AnswerCount, response: ServerResponse): { isOver: boolean } {
  const answer = { isOver: false };
  count.active += 1;
  response.on('close', () => {
    count.active -= 1;
    if (!answer.isOver) count.abortedAtMs.push(performance.now());
    answer.isOver = true;
  });
  return answer;
}

import { createServer, type ServerResponse } from 'node:http';
import type { Metrics } from './metrics.ts';

/** Whether a process can do its work, and if not, why. */
export interface Readiness {
  readonly ready: boolean;
  readonly reasons: readonly string[];
}

export type ReadinessCheck = () => Promise<Readiness>;

export interface HealthServerOptions {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  readonly metrics: Metrics;
  readonly readiness: ReadinessCheck;
}

export interface HealthServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Runs a check; one that throws makes the process not ready. */
export async function checkReadiness(check: ReadinessCheck): Promise<Readiness> {
  try {
    return await check();
  } catch (error) {
    return { ready: false, reasons: [error instanceof Error ? error.message : String(error)] };
  }
}

/** Serves `/healthz` (alive), `/readyz` (200, or 503 with reasons) and `/metrics`. Rejects when it cannot listen. */
export async function startHealthServer(options: HealthServerOptions): Promise<HealthServer> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?', 1)[0];
    if (request.method !== 'GET' && request.method !== 'HEAD') return sendJson(response, 405, { error: 'GET only' });
    answer(path ?? '/', response, options).catch((error: unknown) => {
      // A collector that throws must not take the process with it.
      if (!response.headersSent) sendJson(response, 500, { error: String(error) });
      else response.destroy();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: options.host, port: options.port, exclusive: true }, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : options.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(path: string, response: ServerResponse, options: HealthServerOptions): Promise<void> {
  switch (path) {
    case '/healthz':
      return sendJson(response, 200, { alive: true });
    case '/readyz': {
      const readiness = await checkReadiness(options.readiness);
      return sendJson(response, readiness.ready ? 200 : 503, readiness);
    }
    case '/metrics': {
      const text = await options.metrics.render();
      response.writeHead(200, { 'content-type': options.metrics.contentType }).end(text);
      return;
    }
    default:
      return sendJson(response, 404, { error: 'not found' });
  }
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}

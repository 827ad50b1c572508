import { createServer } from 'node:net';

/**
 * The first of `count` ports from `base` that is in use, if any. Asked by binding, for the gateway itself could not tell:
 * its server shares ports, so that a second one on the same port would start and steal connections.
 */
export async function findUsedPort(host: string, base: number, count: number): Promise<number | undefined> {
  for (let port = base; port < base + count; port += 1) {
    if (!(await canBind(host, port))) return port;
  }
  return undefined;
}

function canBind(host: string, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false);
      else reject(error);
    });
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

import type { RedisHost } from './redis-host.ts';
import { freePort } from './system.ts';

const IMAGE = 'redis:7-alpine';
const REDIS_PORT = 6379;

/** Redis in a container, on a port of this machine that stays the same over restarts. */
export async function startRedisContainer(): Promise<RedisHost> {
  // Only where it is needed: the package is large, and most machines have a redis-server.
  const { GenericContainer, getContainerRuntimeClient } = await import('testcontainers');
  const port = await freePort();
  const started = await new GenericContainer(IMAGE)
    .withCommand(['redis-server', '--save', '', '--appendonly', 'yes'])
    .withExposedPorts({ container: REDIS_PORT, host: port })
    .start();
  const container = (await getContainerRuntimeClient()).container.getById(started.getId());
  return {
    url: `redis://${started.getHost()}:${port}`,
    async start() {
      await container.start();
    },
    async kill() {
      const { State } = await container.inspect();
      if (State.Running) await container.kill({ signal: 'SIGKILL' });
    },
    async freeze() {
      await container.pause();
    },
    async thaw() {
      await container.unpause();
    },
    async dispose() {
      await started.stop();
    },
  };
}

import { connectBus } from '@parley/bus';
import { runService, untilAborted } from '@parley/runtime';
import { gatewaySettings } from './config.ts';
import { NativeConnection } from './dialects/native/native-connection.ts';
import { authenticate } from './handshake.ts';
import { answerHttp } from './http.ts';
import { gatewayMetrics } from './metrics.ts';
import { OwnerRegistry } from './owner-registry.ts';
import { measurePools } from './pool-metrics.ts';
import { startServer } from './server.ts';
import { sweep } from './sweeper.ts';

/** Names in a shared configuration file that the workers read. */
const FOREIGN_NAMES = /^PARLEY_(STT|LLM|TTS|VAD)_|^PARLEY_DATA_DIR$/;

await runService(
  { name: 'gateway', config: gatewaySettings, foreignNames: FOREIGN_NAMES, healthServer: false },
  async ({ config, process, logger, metrics, closer, signal, clock }) => {
    const bus = await connectBus({ url: config.redisUrl, process, logger, metrics, clock });
    closer.defer('bus', () => bus.close());

    const counts = gatewayMetrics(metrics);
    const registry = new OwnerRegistry({ bus, clock, logger, metrics: counts, limits: config });
    closer.defer('sessions', () => registry.close());
    await registry.open();
    measurePools(metrics, bus, registry);

    const server = await startServer({
      ...config,
      admit: (request) => authenticate(request, config.apiKeys),
      connect: (socket, admission) =>
        new NativeConnection(socket, admission, {
          registry,
          clock,
          logger,
          metrics: counts,
          helloTimeoutMs: config.helloTimeoutMs,
        }),
      http: (request) =>
        answerHttp(request, {
          bus,
          registry,
          metrics,
          operatorKeys: config.operatorKeys,
          draining: () => signal.aborted,
        }),
      onConnections: (open) => counts.connections.set(open),
      onDropped: () => counts.slowConsumers.inc(),
    });
    closer.defer('server', () => server.close());
    logger.info({ host: config.host, port: server.port }, 'gateway listening');

    const sweeping = sweep({ bus, clock, logger, metrics: counts }, signal);
    await untilAborted(signal);
    server.stopListening();
    await registry.drain();
    await sweeping;
  },
);

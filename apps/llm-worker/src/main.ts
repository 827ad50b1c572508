import { connectBus } from '@parley/bus';
import { createKeepAliveFetch, runService } from '@parley/runtime';
import { runStage } from '@parley/stage';
import { config, FOREIGN_NAMES } from './config.ts';
import { startEngine } from './engine.ts';
import { llmMetrics } from './metrics.ts';
import { replyStage } from './stage.ts';
import { loadServerTools } from './tools/server-tools.ts';

await runService({ name: 'llm-worker', config, foreignNames: FOREIGN_NAMES }, async (service) => {
  const { config, clock, closer, health, logger, metrics, process, signal } = service;
  const bus = await connectBus({ url: config.redisUrl, process, logger, metrics, clock });
  closer.defer('bus', () => bus.close());
  const ownMetrics = llmMetrics(metrics);
  const engine = await startEngine({ config, clock, logger, metrics: ownMetrics });
  closer.defer('engine', () => engine.close());
  health.setReadiness(async () => readinessOf(bus.connected, engine.status.ready));
  const serverTools = await loadServerTools(config.toolsFile);
  const tools = createKeepAliveFetch();
  closer.defer('tools', () => tools.close());
  const stage = replyStage({
    ...{ model: engine.model, bus, config, clock, metrics: ownMetrics },
    ...{ serverTools, toolFetch: tools.fetch },
  });
  const heartbeat = () => engine.status;
  await runStage(stage, { bus, logger, metrics, clock, signal, heartbeat, warmedUp: engine.warmedUp });
});

function readinessOf(connected: boolean, warm: boolean) {
  const reasons = [...(connected ? [] : ['Redis cannot be reached']), ...(warm ? [] : ['the engine is not ready'])];
  return { ready: reasons.length === 0, reasons };
}

import { connectBus } from '@parley/bus';
import { runService } from '@parley/runtime';
import { runStage } from '@parley/stage';
import { chooseEngine, loadEngines } from './choose.ts';
import { ttsConfig } from './config.ts';
import { speechMetrics } from './metrics.ts';
import { prepareEngines } from './prepare-engines.ts';
import { speakStage } from './stage.ts';
import { startWarmUp } from './warm-up.ts';

/** Names in a shared configuration file that other services read. */
const FOREIGN_NAMES = /^PARLEY_(?!TTS_)/;

await runService(
  { name: 'tts-worker', config: ttsConfig, foreignNames: FOREIGN_NAMES },
  async ({ config, process, logger, metrics, closer, signal, clock, health }) => {
    const choice = chooseEngine(config);
    const engines = await loadEngines(choice, config);
    const speech = speechMetrics(metrics);
    const synthesizer = prepareEngines(engines, { ...config, clock, logger, metrics: speech });
    closer.defer('engine', () => synthesizer.close());

    const bus = await connectBus({ url: config.redisUrl, process, logger, metrics, clock });
    closer.defer('bus', () => bus.close());

    const warmUp = startWarmUp({ choice, synthesizer, clock, logger, signal });
    health.setReadiness(async () => {
      const reasons = [
        ...(bus.connected ? [] : ['Redis cannot be reached']),
        ...(warmUp.status().ready ? [] : ['the engine is not warmed up']),
      ];
      return { ready: reasons.length === 0, reasons };
    });

    const stage = speakStage({ bus, synthesizer, slots: config.slots, metrics: speech });
    const { status: heartbeat, finished: warmedUp } = warmUp;
    await runStage(stage, { bus, logger, metrics, clock, signal, heartbeat, warmedUp });
  },
);

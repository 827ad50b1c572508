import { connectBus } from '@parley/bus';
import { runService } from '@parley/runtime';
import { chooseEngine, loadRecognizer } from './choose.ts';
import { sttConfig } from './config.ts';
import { startEngine } from './engine-status.ts';
import { fallbackMetrics } from './fallback-metrics.ts';
import { runListening } from './listening.ts';
import { loadVoiceDetector } from './load-voice-detector.ts';
import { LanguageModelJudge } from './turn-end/language-model-judge.ts';
import { loadSoundJudge } from './turn-end/load-sound-judge.ts';
import { soundJudgeMetrics } from './turn-end/sound-judge-metrics.ts';
import { wordsJudgeMetrics } from './turn-end/words-judge-metrics.ts';

/** Names in a shared configuration file that other services read. */
const FOREIGN_NAMES = /^PARLEY_(?!STT_|VAD|TURN_)/;

await runService(
  { name: 'stt-worker', config: sttConfig, foreignNames: FOREIGN_NAMES },
  async ({ config, process, logger, metrics, closer, signal, clock, health }) => {
    const bus = await connectBus({ url: config.redisUrl, process, logger, metrics, clock });
    closer.defer('bus', () => bus.close());

    const detector = await loadVoiceDetector(config.vad);
    closer.defer('voice detector', () => detector.close());

    const turnEnd = await loadSoundJudge(config.turnModelDir, {
      ...{ clock, logger, metrics: soundJudgeMetrics(metrics) },
    });
    closer.defer('end-of-turn model', () => turnEnd.judge?.close());

    const wordsJudge =
      config.turnLlmModel === undefined
        ? undefined
        : new LanguageModelJudge({
            ...{ model: config.turnLlmModel, baseUrl: config.turnLlmBaseUrl, apiKey: config.turnLlmApiKey },
            ...{ limitMs: config.turnLlmLimitMs, clock, logger, metrics: wordsJudgeMetrics(metrics) },
          });

    const chosen = chooseEngine(config);
    const choice = { ...chosen, hint: [chosen.hint, turnEnd.hint].filter((hint) => hint !== '').join(' ') };
    const fallback = fallbackMetrics(metrics);
    const load = async () => {
      const recognizer = await loadRecognizer(choice, config, {
        clock,
        onTrouble: (err) => logger.error({ err }, 'engine trouble'),
        onFailed(engine, err) {
          fallback.engineFailures.inc({ engine, code: err.code });
          logger.warn({ err, code: err.code, engine }, 'engine failed');
        },
        onFallback: (from, to) => fallback.fallbacks.inc({ from, to }),
      });
      closer.defer('engine', () => recognizer.close());
      return recognizer;
    };
    const engine = startEngine(choice, load, { clock, logger, signal });

    health.setReadiness(async () => {
      const reasons = [
        ...(bus.connected ? [] : ['Redis cannot be reached']),
        ...(engine.status().ready ? [] : ['the engine is not loaded']),
      ];
      return { ready: reasons.length === 0, reasons };
    });
    await runListening({
      ...{ bus, logger, metrics, clock, signal, engine, detector, config },
      ...{ soundJudge: turnEnd.judge, wordsJudge },
    });
  },
);

import { modelSettings } from '@parley/models';
import { describeConfig } from '@parley/runtime';
import { startSettings } from './config.ts';

/** The services' settings that people reach for first, in the order in which they do. */
const SERVICE_SETTINGS: readonly [name: string, text: string][] = [
  ['PARLEY_STT_ENGINE', 'What hears: auto, pocketsphinx, sherpa, openai (any compatible server) or deepgram.'],
  ['PARLEY_STT_MODEL_DIR', 'Folder of a sherpa model.'],
  ['PARLEY_LLM_ENGINE', 'What thinks: auto, openai (any compatible server), ollama or demo.'],
  ['PARLEY_LLM_BASE_URL', 'Its server; likewise …_MODEL and …_API_KEY.'],
  ['PARLEY_TTS_ENGINE', 'What speaks: auto, openai (any compatible server), sherpa or flite.'],
  ['PARLEY_TTS_BASE_URL', 'Its server; likewise …_MODEL, …_VOICE and …_API_KEY.'],
  ['PARLEY_API_KEYS', 'Keys that clients must show, separated by commas.'],
  ['PARLEY_LOG_LEVEL', 'trace, debug, info, warn, error, fatal or silent.'],
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OpenTelemetry collector to send traces to.'],
  ['PARLEY_NO_INSTALL', '1: only say what is missing on this machine.'],
];

/** The environment variables, a line each, for `--help`. */
export function environmentHelp(): string {
  const { modelsDir, mirror, offlineDir } = modelSettings;
  const own = describeConfig({ ...startSettings, modelsDir, mirror, offlineDir }).map(
    ({ env, describe, default: fallback }): [string, string] => [
      env,
      fallback === undefined ? describe : `${describe} (default: ${fallback})`,
    ],
  );
  const lines = [...own, ...SERVICE_SETTINGS].map(([name, text]) => `  ${name.padEnd(29)}${text}`);
  return `Environment:\n${lines.join('\n')}\n\nThe configuration table in README.md lists all of them.`;
}

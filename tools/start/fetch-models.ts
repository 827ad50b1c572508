import {
  ensureModels,
  type ModelPlaces,
  type ModelProgress,
  type ModelResult,
  progressSentence,
  trustInWords,
} from '@parley/models';
import type { Clock } from '@parley/runtime';
import type { ModelStock } from './model-stock.ts';
import type { Output } from './output.ts';
import { MODELLED_STAGES, type ModelledStage, type WantedModel } from './wanted-models.ts';

/** Lines about one step of one model come this often where there is no terminal. */
const LINE_EVERY_MS = 10_000;

export interface FetchModelsOptions {
  readonly places: ModelPlaces;
  readonly clock: Clock;
  readonly output: Output;
  /** Whether the output shows a status; otherwise progress is told in lines. */
  readonly hasStatus: boolean;
  readonly signal: AbortSignal;
  /** All that can be had for this stage is there now. Must not reject. */
  readonly onArrived: (stage: ModelledStage) => Promise<void>;
}

/**
 * Fetches what is missing, stage by stage, and says how that goes. What fails is said in a line and no more; only an abort
 * is thrown.
 */
export async function fetchModels(stock: ModelStock, options: FetchModelsOptions): Promise<void> {
  const { output, signal, onArrived } = options;
  const waiting = stock.missing();
  for (const stage of MODELLED_STAGES) {
    const before = stock.namesFor(stage).length;
    for (const wanted of waiting.filter((one) => one.stage === stage)) {
      waiting.splice(waiting.indexOf(wanted), 1);
      const failure = await fetchModel(wanted, options);
      signal.throwIfAborted();
      if (failure === undefined) stock.add(wanted);
      else if (failure.isNetwork) {
        const names = [wanted, ...waiting.splice(0)].map(({ model }) => model.name).join(', ');
        output.say(`Not fetched: ${names}: ${failure.text}`);
      } else output.say(`Not fetched: ${wanted.model.name}: ${failure.text}`);
    }
    if (stock.namesFor(stage).length > before) await onArrived(stage);
    signal.throwIfAborted();
  }
}

interface Failure {
  readonly text: string;
  /** There is no network, so that others need not be tried. */
  readonly isNetwork: boolean;
}

async function fetchModel({ model }: WantedModel, options: FetchModelsOptions): Promise<Failure | undefined> {
  const { places, output, signal } = options;
  const { name } = model;
  const onProgress = progressTeller(options);
  let results: ModelResult[];
  try {
    results = await ensureModels([name], { ...places, signal, onProgress });
  } catch (error) {
    signal.throwIfAborted();
    return { text: error instanceof Error ? error.message : String(error), isNetwork: false };
  } finally {
    output.status(undefined);
  }
  for (const result of results) {
    if (result.outcome !== 'failed') continue;
    const { message, advice = '', code } = result.error;
    return { text: `${message}. ${advice}`.trimEnd(), isNetwork: code === 'unreachable' };
  }
  const own = results.find((result) => result.name === name);
  if (own?.outcome === 'installed') output.say(`${name} is here: ${trustInWords(own.trust)}.`);
  return undefined;
}

function progressTeller({ clock, output, hasStatus }: FetchModelsOptions): (progress: ModelProgress) => void {
  let step = '';
  let nextMs = 0;
  return (progress) => {
    const text = `${progress.name}: ${progressSentence(progress)}`;
    if (hasStatus) return output.status(`${bar(progress)}${text}`);
    const now = `${progress.name} ${progress.phase}`;
    if (now === step && clock.nowMs() < nextMs) return;
    step = now;
    nextMs = clock.nowMs() + LINE_EVERY_MS;
    output.say(text);
  };
}

const BAR_CELLS = 20;

function bar(progress: ModelProgress): string {
  if (progress.phase !== 'downloading' && progress.phase !== 'unpacking') return '';
  const { doneBytes, totalBytes = 0 } = progress;
  const cells = totalBytes > 0 ? Math.min(BAR_CELLS, Math.floor((BAR_CELLS * doneBytes) / totalBytes)) : 0;
  return `[${'='.repeat(cells)}${' '.repeat(BAR_CELLS - cells)}] `;
}

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { VoiceError } from '@parley/protocol';
import type { RecognitionStream, Recognizer, RecognizerOptions } from '../recognizer.ts';
import { EngineThreads } from './engine-threads.ts';
import { parseHotwords } from './hotwords.ts';
import { languagesOfModel } from './sherpa-languages.ts';
import type { SherpaHotwords, SherpaThreadData } from './sherpa-library.ts';
import { detectSherpaModel, isOnline, type SherpaModel, takesHotwords } from './sherpa-model.ts';

/** Small streaming models decode far more; the bound is for those that do not. */
const ONLINE_SLOTS = 32;
/** A model that hears a segment as a whole hears it several times over, for the partials. */
const OFFLINE_SLOTS = 8;
const DEFAULT_PARTIAL_MS = 400;
/** What the library's own examples boost a hotword by. */
const HOTWORDS_SCORE = 1.5;

/**
 * Any recognition model of sherpa-onnx, in one process of its own. A streaming model decodes all sessions as one batch; one that hears
 * segments as a whole takes them one after the other.
 */
export async function createRecognizer(options: RecognizerOptions): Promise<Recognizer> {
  const { modelDir, slots, language, provider = 'cpu', threads = 0, partialMs = 0 } = options;
  if (modelDir === undefined) {
    throw new VoiceError('engine_missing', 'sherpa needs a model: set PARLEY_STT_MODEL_DIR to its folder');
  }
  const model = detectSherpaModel({ ...options, modelDir });
  const hotwords = prepareHotwords(model, options);
  const online = isOnline(model);
  const ownThreads = online ? 1 : Math.max(1, Math.floor(availableParallelism() / 2));
  const engine = await EngineThreads.start({
    name: 'sherpa',
    languages: model.kind === 'offline-whisper' && language ? [language] : languagesOfModel(modelDir, model),
    slots: slots === 0 ? (online ? ONLINE_SLOTS : OFFLINE_SLOTS) : slots,
    cancels: online ? 'at_once' : 'after_segment',
    // Two threads on two busy cores do no more than one: the batch is what makes it fast.
    threads: 1,
    // Where the library meets something unexpected in a model, it ends its process.
    isolated: true,
    entry: new URL(online ? './sherpa-thread.ts' : './sherpa-segment-thread.ts', import.meta.url),
    workerData: {
      ...{ model, provider, hotwords },
      numThreads: threads === 0 ? ownThreads : threads,
      partialMs: partialMs === 0 ? DEFAULT_PARTIAL_MS : partialMs,
    } satisfies SherpaThreadData,
    stallTimeoutMs: options.stallTimeoutMs,
    onTrouble: options.onTrouble,
  }).catch((error) => {
    removeHotwords(hotwords);
    throw error;
  });
  return hotwords === undefined ? engine : closingWith(engine, () => removeHotwords(hotwords));
}

/** Hotwords as the library wants them: a file, spelt with the letters that the model has. */
function prepareHotwords(
  model: SherpaModel,
  { hotwords, onTrouble }: Pick<RecognizerOptions, 'hotwords' | 'onTrouble'>,
): SherpaHotwords | undefined {
  const phrases = parseHotwords(hotwords);
  if (phrases.length === 0) return undefined;
  const areUnspaced = phrases.every((phrase) => /^[\p{Script=Han}\s]+$/u.test(phrase));
  if (!takesHotwords(model) || (model.bpeVocab === undefined && !areUnspaced)) {
    onTrouble(
      new VoiceError(
        'engine_missing',
        'PARLEY_STT_HOTWORDS is left out: it takes a transducer model with a bpe.vocab in its folder',
      ),
    );
    return undefined;
  }
  const tokens = readFileSync(model.config.tokens, 'utf8').replace(/<[^>]*>/g, '');
  const spell = (phrase: string): string => {
    if (!/[a-z]/.test(tokens)) return phrase.toUpperCase();
    return /[A-Z]/.test(tokens) ? phrase : phrase.toLowerCase();
  };
  const file = join(mkdtempSync(join(tmpdir(), 'parley-hotwords-')), 'hotwords.txt');
  writeFileSync(file, `${phrases.map(spell).join('\n')}\n`);
  const units = [/\p{Script=Han}/u.test(tokens) ? 'cjkchar' : '', model.bpeVocab === undefined ? '' : 'bpe'];
  return { file, score: HOTWORDS_SCORE, modelingUnit: units.filter((unit) => unit !== '').join('+') };
}

function removeHotwords(hotwords: SherpaHotwords | undefined): void {
  if (hotwords !== undefined) rmSync(dirname(hotwords.file), { recursive: true, force: true });
}

function closingWith(engine: EngineThreads, release: () => void): Recognizer {
  return {
    name: engine.name,
    languages: engine.languages,
    slots: engine.slots,
    deterministic: engine.deterministic,
    cancels: engine.cancels,
    open: (): Promise<RecognitionStream> => engine.open(),
    close: () => engine.close().finally(release),
  };
}

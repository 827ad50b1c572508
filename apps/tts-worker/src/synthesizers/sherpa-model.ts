import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { VoiceError } from '@parley/protocol';
import { z } from 'zod';

export const SHERPA_KINDS = ['tts-vits', 'tts-kokoro', 'tts-kitten', 'tts-matcha'] as const;
type SherpaKind = (typeof SHERPA_KINDS)[number];

/** A voice model as sherpa-onnx wants it described. */
export interface SherpaModel {
  readonly kind: SherpaKind;
  /** The part of sherpa-onnx's `model` that depends on the kind. */
  readonly model: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Rules for numbers and dates, joined by commas; empty where there are none. */
  readonly ruleFsts: string;
  /** BCP 47 tags, as far as the files tell. */
  readonly languages: readonly string[];
  /** Names of the speakers by their number, where the files tell. */
  readonly speakers: ReadonlyMap<number, string>;
}

export interface SherpaModelOptions {
  readonly modelDir: string;
  /** Told apart by the files where it is not given. */
  readonly kind?: SherpaKind | undefined;
  /** Folder of the vocoder that Matcha models need; else it is looked for in the model's folder and beside it. */
  readonly vocoderDir?: string | undefined;
}

/** Of one speaker in the file of Kokoro's voices; Kitten's are smaller. */
const KOKORO_VOICE_BYTES = 510 * 256 * 4;

/** Finds out what a folder holds, as the models are published. Throws `engine_missing` naming what is not there. */
export function detectSherpaModel({ modelDir, kind, vocoderDir }: SherpaModelOptions): SherpaModel {
  const folder = new ModelFolder(modelDir);
  const found = kind ?? kindOf(folder);
  const tokens = folder.need('tokens.txt', /^([\w.-]+-)?tokens\.txt$/);
  const data = { ...folder.optional('dataDir', /^espeak-ng-data$/), ...folder.optional('dictDir', /^dict$/) };
  const lexicon = folder.all(/^lexicon.*\.txt$/).filter((path) => !path.endsWith('lexicon-gb-en.txt'));
  const words = lexicon.length === 0 ? {} : { lexicon: lexicon.join(',') };
  const facts = {
    kind: found,
    ruleFsts: folder.all(/^(date|number|phone|new_heteronym).*\.fst$/).join(','),
    ...describe(folder),
  };
  switch (found) {
    case 'tts-kokoro': {
      const voices = folder.need('voices.bin', /^voices\.bin$/);
      return { ...facts, model: { kokoro: { model: folder.model(/\.onnx$/), voices, tokens, ...data, ...words } } };
    }
    case 'tts-kitten': {
      const voices = folder.need('voices.bin', /^voices\.bin$/);
      return { ...facts, model: { kitten: { model: folder.model(/\.onnx$/), voices, tokens, ...data } } };
    }
    case 'tts-matcha': {
      const acousticModel = folder.model(/^model-steps-\d+\.onnx$/);
      const vocoder = findVocoder(folder, vocoderDir);
      return { ...facts, model: { matcha: { acousticModel, vocoder, tokens, ...data, ...words } } };
    }
    case 'tts-vits':
      return { ...facts, model: { vits: { model: folder.model(/\.onnx$/), tokens, ...data, ...words } } };
    default:
      return found satisfies never;
  }
}

function kindOf(folder: ModelFolder): SherpaKind {
  if (folder.all(/^model-steps-\d+\.onnx$/).length > 0) return 'tts-matcha';
  const [voices] = folder.all(/^voices\.bin$/);
  if (voices === undefined) return 'tts-vits';
  return statSync(voices).size % KOKORO_VOICE_BYTES === 0 ? 'tts-kokoro' : 'tts-kitten';
}

function findVocoder(folder: ModelFolder, vocoderDir: string | undefined): string {
  const pattern = /^(vocos|hifigan).*\.onnx$/;
  if (vocoderDir !== undefined) return new ModelFolder(vocoderDir).need('the vocoder', /\.onnx$/);
  const beside = dirname(folder.path);
  const places = [folder.path, beside, join(beside, 'vocos-22khz-univ')];
  const [vocoder] = places.flatMap((path) => ModelFolder.tryOpen(path)?.all(pattern) ?? []);
  if (vocoder !== undefined) return vocoder;
  throw new VoiceError('engine_missing', `no vocoder (vocos-*.onnx) lies in ${folder.path} or beside it`);
}

class ModelFolder {
  readonly path: string;
  readonly #names: readonly string[];

  constructor(path: string) {
    this.path = path;
    try {
      this.#names = readdirSync(path).toSorted();
    } catch (cause) {
      throw new VoiceError('engine_missing', `the model folder ${path} cannot be read`, { cause });
    }
  }

  static tryOpen(path: string): ModelFolder | undefined {
    try {
      return new ModelFolder(path);
    } catch {
      return undefined;
    }
  }

  all(pattern: RegExp): string[] {
    return this.#names.filter((name) => pattern.test(name)).map((name) => join(this.path, name));
  }

  need(what: string, pattern: RegExp): string {
    const [path] = this.all(pattern);
    if (path === undefined) throw new VoiceError('engine_missing', `${what} is missing in ${this.path}`);
    return path;
  }

  optional(key: string, pattern: RegExp): Record<string, string> {
    const [path] = this.all(pattern);
    return path === undefined ? {} : { [key]: path };
  }

  /** Of several precisions the smaller `int8` one. */
  model(pattern: RegExp): string {
    const models = this.all(pattern).filter((path) => !/vocos|hifigan/.test(basename(path)));
    const model = models.find((path) => path.includes('int8')) ?? models[0];
    if (model === undefined) throw new VoiceError('engine_missing', `no model (.onnx) is in ${this.path}`);
    return model;
  }
}

/** What Piper's models say of themselves. */
const PiperSchema = z.object({
  language: z.object({ code: z.string() }).optional(),
  speaker_id_map: z.record(z.string(), z.number()).optional(),
});

/** Languages and speakers from the description that comes with Piper's models, else from the folder's name. */
function describe(folder: ModelFolder): Pick<SherpaModel, 'languages' | 'speakers'> {
  const [file] = folder.all(/\.onnx\.json$/);
  const piper = file === undefined ? undefined : PiperSchema.safeParse(readJson(file)).data;
  const named = /(?:^|-)([a-z]{2}(?:_[A-Z]{2})?)(?=-|$)/.exec(basename(folder.path))?.[1];
  const language = (piper?.language?.code ?? named)?.replace('_', '-');
  return {
    languages: language === undefined ? [] : [language],
    speakers: new Map(Object.entries(piper?.speaker_id_map ?? {}).map(([name, number]) => [number, name])),
  };
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

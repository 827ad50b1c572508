import { basename } from 'node:path';
import type { SherpaModel } from './sherpa-model.ts';

const words = (list: string): string[] => list.split(' ');

/** Languages of Whisper's multilingual models. */
export const WHISPER_LANGUAGES: readonly string[] = words(
  'en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr bg lt la mi ml cy ' +
    'sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka be tg sd gu am yi ' +
    'lo uz fo ht ps tk nn mt sa lb my bo tl mg as tt haw ln ha ba jw su yue',
);

/** Languages of NVIDIA's Parakeet v3. */
const EUROPEAN: readonly string[] = words('bg hr cs da nl en et fi fr de el hu it lv lt mt pl pt ro sk sl es sv ru uk');

const NAMED: Readonly<Record<string, string>> = { korean: 'ko', english: 'en', german: 'de', chinese: 'zh' };
const KNOWN: ReadonlySet<string> = new Set(WHISPER_LANGUAGES);
/** Parts of model names that are also tags of languages. */
const NOT_LANGUAGES: ReadonlySet<string> = new Set(['as', 'ba', 'la', 'no', 'so', 'su', 'tt']);

/** The languages of a model as its published name tells them; empty where it does not. */
export function languagesOfModel(modelDir: string, { kind }: Pick<SherpaModel, 'kind'>): readonly string[] {
  const name = basename(modelDir).toLowerCase();
  const parts = name.split(/[-_.]/);
  if (kind === 'offline-whisper') return parts.includes('en') ? ['en'] : WHISPER_LANGUAGES;
  if (/parakeet.*-v3/.test(name)) return EUROPEAN;
  const found = parts.map((part) => NAMED[part] ?? part).filter((part) => KNOWN.has(part) && !NOT_LANGUAGES.has(part));
  if (found.length > 0) return [...new Set(found)];
  if (kind === 'offline-sense-voice') return ['zh', 'en', 'ja', 'ko', 'yue'];
  return /parakeet/.test(name) ? ['en'] : [];
}

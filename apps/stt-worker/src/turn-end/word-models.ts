import { primaryLanguage } from '@parley/protocol';
import { WordModel } from './word-model.ts';

/** Read when the process starts: nobody waits for them in a conversation. */
const MODELS: ReadonlyMap<string, WordModel> = new Map(
  ['de', 'en', 'es', 'fr', 'it', 'nl', 'pt'].map((language) => [
    language,
    WordModel.read(new URL(`word-models/${language}.bin`, import.meta.url)),
  ]),
);

/** What has been learnt of how turns end in a language, by its BCP 47 tag. */
export const wordModelFor = (language: string): WordModel | undefined => MODELS.get(primaryLanguage(language));

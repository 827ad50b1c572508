import { primaryLanguage } from '@parley/protocol';
import type { LanguageHints } from './language-hints.ts';
import { german } from './languages/de.ts';
import { english } from './languages/en.ts';
import { spanish } from './languages/es.ts';
import { french } from './languages/fr.ts';
import { italian } from './languages/it.ts';
import { japanese } from './languages/ja.ts';
import { korean } from './languages/ko.ts';
import { dutch } from './languages/nl.ts';
import { portuguese } from './languages/pt.ts';
import { chinese } from './languages/zh.ts';

const HINTS: ReadonlyMap<string, LanguageHints> = new Map<string, LanguageHints>([
  ['de', german],
  ['en', english],
  ['es', spanish],
  ['fr', french],
  ['it', italian],
  ['ja', japanese],
  ['ko', korean],
  ['nl', dutch],
  ['pt', portuguese],
  ['zh', chinese],
  ['cmn', chinese],
  ['yue', chinese],
]);

/** What is known of how turns end in a language, by its BCP 47 tag. */
export const hintsFor = (language: string): LanguageHints | undefined => HINTS.get(primaryLanguage(language));

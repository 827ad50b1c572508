import { primaryLanguage } from '@parley/protocol';

/** Words by which a listener shows that it follows, without wanting the turn; by primary language subtag. */
const BACKCHANNELS: Readonly<Record<string, readonly string[]>> = {
  de: ['ja', 'jaja', 'aha', 'achso', 'genau', 'okay', 'ok', 'hm', 'mm', 'mhm', 'gut', 'stimmt'],
  en: [
    'yeah',
    'yes',
    'yep',
    'yup',
    'aha',
    'alright',
    'exactly',
    'got it',
    'uh huh',
    'mm hmm',
    'mhm',
    'mm',
    'mmm',
    'hmm',
    'hm',
    'okay',
    'ok',
    'right',
    'sure',
    'i see',
    'uh',
    'um',
    'ah',
    'oh',
  ],
  es: ['sí', 'si', 'ajá', 'vale', 'claro', 'ya', 'mm', 'bueno', 'ok'],
  fr: ['oui', 'ouais', 'mm', 'hum', 'd’accord', "d'accord", 'ok', 'ah', 'bien'],
  it: ['sì', 'si', 'mm', 'ok', 'certo', 'già', 'ah'],
  nl: ['ja', 'jaja', 'oké', 'ok', 'hm', 'mm', 'precies', 'aha'],
  pt: ['sim', 'é', 'tá', 'certo', 'ok', 'mm', 'uhum', 'aham', 'ah'],
  ja: ['はい', 'うん', 'ええ', 'なるほど', 'そう', 'そうですね'],
  zh: ['嗯', '对', '是', '好', '好的', '是的', '哦'],
  ko: ['네', '응', '그래', '아', '음'],
};

/** Words that say nothing alone: recognisers make them of sounds such as "uh-huh". */
const EMPTY_WORDS: Readonly<Record<string, readonly string[]>> = {
  de: ['der', 'die', 'das', 'ein', 'eine', 'und', 'von', 'zu', 'in', 'mit'],
  en: ['the', 'a', 'an', 'of', 'and', 'to', 'in', 'at', 'for', 'with'],
  es: ['el', 'la', 'los', 'las', 'un', 'una', 'de', 'y', 'a', 'en'],
  fr: ['le', 'la', 'les', 'un', 'une', 'des', 'de', 'du', 'et', 'à'],
  it: ['il', 'lo', 'la', 'un', 'una', 'di', 'del', 'e', 'a', 'in'],
  nl: ['de', 'het', 'een', 'en', 'van', 'te', 'in', 'met'],
  pt: ['o', 'a', 'os', 'as', 'um', 'uma', 'de', 'do', 'da', 'e', 'em'],
};

/** What a person says over a reply without wanting to stop it is shorter than this. */
export const MAX_BACKCHANNEL_MS = 1_200;

/** A text as words alone: lower case, without punctuation. Signs that are read aloud, such as + and €, are kept. */
export const plainWords = (text: string): string =>
  text
    .normalize('NFC')
    .toLowerCase()
    .replace(/[\p{P}\p{Sk}\p{So}]+/gu, ' ')
    .replace(/\s+/g, ' ')
    .trim();

/** Whether the words, or the want of any, only show that somebody listens. Long speech never does, whatever its words. */
export function isBackchannel(text: string, language: string, spokenMs: number): boolean {
  return spokenMs <= MAX_BACKCHANNEL_MS && hasNoMoreThan(text, phrasesIn(BACKCHANNELS, language));
}

/** The same of all that was said: words that would have to be followed by others count for none. */
export function isAsideAlone(text: string, language: string, spokenMs: number): boolean {
  const phrases = [...phrasesIn(BACKCHANNELS, language), ...phrasesIn(EMPTY_WORDS, language)];
  return spokenMs <= MAX_BACKCHANNEL_MS && hasNoMoreThan(text, phrases);
}

const phrasesIn = (table: Readonly<Record<string, readonly string[]>>, language: string): readonly string[] =>
  table[primaryLanguage(language)] ?? [];

function hasNoMoreThan(text: string, known: readonly string[]): boolean {
  const words = plainWords(text);
  if (words === '') return true;
  const phrases = known.map(plainWords).sort((a, b) => b.length - a.length);
  let rest = ` ${words} `;
  for (const phrase of phrases) rest = rest.replaceAll(` ${phrase} `, ' ').replaceAll(` ${phrase} `, ' ');
  return rest.trim() === '';
}

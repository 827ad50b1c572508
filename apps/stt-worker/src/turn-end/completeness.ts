import { logOddsOf, probabilityOf } from '../log-odds.ts';
import { hintsFor } from './languages.ts';
import { NEUTRAL, REQUEST, sentenceCompleteness } from './sentence-completeness.ts';
import { modelText } from './word-features.ts';
import { wordModelFor } from './word-models.ts';

const AT_ELLIPSIS = 0.08;
const AT_COMMA = 0.12;
/** A full stop of an engine that writes them: some write one after every piece of sound, so it is not taken for granted. */
const FULL_STOP = 0.96;
const DOUBTFUL_STOP = 0.25;
/** It ends a sentence, and a statement may be followed by another. */
const STATEMENT_STOP = 0.78;
/**
 * The rules count beside what was learnt, with half their log-odds: of sentences of another style than that of the corpus
 * they know more than the model.
 */
const RULES_WEIGHT = 0.5;
/** The engine writes punctuation, and has written none here. */
const MISSING_STOP_FACTOR = 0.7;

const ELLIPSIS = /(\.\.|…|⋯)["'”’»」』)\]\s]*$/u;
const COMMA = /[,;:،、，；：–—-]["'”’»」』)\]\s]*$/u;
const STOP = /[.!?。！？؟।｡]["'”’»」』)\]\s]*$/u;
const ASKING_STOP = /[!?！？؟]["'”’»」』)\]\s]*$/u;
const SENTENCE_BREAK = /(?<=[.!?؟।])\s+(?=\S)|(?<=[。！？｡])(?=\S)/u;
const ANY_STOP = /[.!?。！？؟।｡]/u;

/**
 * How probable it is, by its words alone, that what was said so far is a whole turn: 0 without words, 0.5 where nothing
 * is known. By what was learnt of the language where there is a model, which is told the verdict of the rules, and by the
 * rules alone elsewhere; and by punctuation, where the recogniser writes any.
 */
export function textCompleteness(text: string, language: string): number {
  const trimmed = text.trim().normalize('NFC');
  if (!/[\p{L}\p{N}]/u.test(trimmed)) return 0;
  if (ELLIPSIS.test(trimmed)) return AT_ELLIPSIS;
  if (COMMA.test(trimmed)) return AT_COMMA;
  const hasStop = STOP.test(trimmed);
  if (hintsFor(language) === undefined) return hasStop ? (NEUTRAL + FULL_STOP) / 2 : NEUTRAL;
  const sentence = trimmed.split(SENTENCE_BREAK).at(-1) ?? trimmed;
  const byRules = sentenceCompleteness(sentence, language);
  if (hasStop && byRules < NEUTRAL) return DOUBTFUL_STOP;
  const byWords = byLearning(trimmed, language, byRules);
  if (hasStop) return Math.max(byWords, byRules >= REQUEST || ASKING_STOP.test(trimmed) ? FULL_STOP : STATEMENT_STOP);
  return ANY_STOP.test(trimmed) && byWords > NEUTRAL ? byWords * MISSING_STOP_FACTOR : byWords;
}

/** What was learnt of the language together with the rules, or the rules alone. */
function byLearning(text: string, language: string, byRules: number): number {
  const model = wordModelFor(language);
  const said = modelText(text, language, byRules);
  if (model === undefined || said === undefined) return byRules;
  return probabilityOf(model.logOdds(said) + RULES_WEIGHT * logOddsOf(byRules));
}

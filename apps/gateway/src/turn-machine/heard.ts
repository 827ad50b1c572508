import { plainWords } from './backchannels.ts';
import type { ClauseState, ReplyState } from './state.ts';

/** Spoken characters a second, where nothing better is known; English voices lie between 12 and 17. */
const ASSUMED_CHARS_PER_SECOND = 15;

const NO_SPACE = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}。！？、，]$/u;

/** Joins clauses as they would be written: with spaces, except after scripts that use none. */
export function joinClauses(texts: readonly string[]): string {
  let joined = '';
  for (const text of texts) {
    const trimmed = text.trim();
    if (trimmed === '') continue;
    joined += joined === '' || NO_SPACE.test(joined) ? trimmed : ` ${trimmed}`;
  }
  return joined;
}

/** Divides text. A tag may be well formed and yet unknown to the engine, which then goes by the text alone. */
export function segmenter(language: string, granularity: 'word' | 'sentence'): Intl.Segmenter {
  try {
    return new Intl.Segmenter(language, { granularity });
  } catch {
    return new Intl.Segmenter('und', { granularity });
  }
}

/** The words of `text` spoken entirely within `fraction` of its length, cut at the earlier word. */
export function cutAtWord(text: string, fraction: number, language: string): string {
  if (fraction >= 1) return text;
  const limit = text.length * Math.max(0, fraction);
  let end = 0;
  for (const { segment, index, isWordLike } of segmenter(language, 'word').segment(text)) {
    if (index + segment.length > limit) break;
    if (isWordLike) end = index + segment.length;
  }
  return text.slice(0, end);
}

/** Samples of all clauses as far as they have been published. */
export const knownSamples = (clauses: readonly ClauseState[]): number =>
  clauses.reduce((sum, clause) => sum + clause.samples, 0);

/** Samples that can have been played: clauses are played in order, each once the one before is complete. */
export function playableSamples(clauses: readonly ClauseState[]): number {
  const open = clauses.findIndex(({ status }) => status === 'waiting' || status === 'offered');
  return knownSamples(open < 0 ? clauses : clauses.slice(0, open + 1));
}

/** Spoken, and there was nothing to hear in it. */
const isSilent = ({ status, samples }: ClauseState): boolean => status === 'done' && samples === 0;

/**
 * The clauses of a reply as the next attempt has them, which goes on where this one was cut: what was heard is passed,
 * the clause that was being played goes on at the word that was not heard whole.
 */
export function unheardClauses(reply: ReplyState, rateHz: number, language: string): ClauseState[] {
  let left = reply.played;
  return reply.clauses.map((clause) => {
    const again = { text: clause.text, from: clause.from, try: 1, deaths: 0, samples: 0 } as const;
    if (clause.status === 'passed' || clause.status === 'failed' || isSilent(clause))
      return { ...again, status: 'passed' };
    if (left <= 0) return { ...again, status: 'waiting' };
    const whole = clause.status === 'done' && left >= clause.samples;
    const heard = heardText({ ...reply, clauses: [clause], played: left }, rateHz, language);
    left -= whole ? clause.samples : left;
    const from = clause.from + cutLength(clause.text.slice(clause.from), heard);
    const hasWordsLeft = plainWords(clause.text.slice(from)) !== '';
    return whole || !hasWordsLeft ? { ...again, status: 'passed' } : { ...again, status: 'waiting', from };
  });
}

/** Whether this attempt goes on with what an earlier one began, of which something was heard. */
export const isContinued = ({ clauses }: ReplyState): boolean =>
  clauses.some(({ status, from }) => status === 'passed' || from > 0);

/** Characters of `text` up to the end of `heard`, which was cut from its beginning. */
const cutLength = (text: string, heard: string): number => text.length - text.trimStart().length + heard.length;

/**
 * The text of a reply of which `played` samples were heard. Whole clauses count whole; the one being played is cut in
 * proportion, by its length where known and by a usual speaking rate where not, at the earlier word.
 */
export function heardText(reply: ReplyState, rateHz: number, language: string): string {
  const heard: string[] = [];
  let left = reply.played;
  for (const clause of reply.clauses) {
    if (clause.status === 'failed' || clause.status === 'passed' || isSilent(clause)) continue;
    const text = clause.text.slice(clause.from);
    if (left <= 0) break;
    if (clause.status === 'done' && left >= clause.samples) {
      heard.push(text);
      left -= clause.samples;
      continue;
    }
    const assumed = (text.length / ASSUMED_CHARS_PER_SECOND) * rateHz;
    const length = clause.status === 'done' ? clause.samples : Math.max(assumed, clause.samples);
    heard.push(cutAtWord(text, left / length, language));
    break;
  }
  return joinClauses(heard);
}

import { msToSamples, SPEECH_SAMPLE_RATE_HZ } from '@parley/audio';
import type { SpokenWord } from '../recognizer.ts';

/** What a model of sherpa-onnx says of a segment, token by token. */
export interface TokenTimes {
  readonly text: string;
  readonly tokens: readonly string[];
  /** Seconds from the segment's start; none from models that do not know. */
  readonly timestamps?: readonly number[];
  /** Seconds each token lasts, from models that know. */
  readonly durations?: readonly number[];
  /** Logarithm of each token's probability, from models that know. */
  readonly logProbabilities?: readonly number[];
}

/** A model marks where a token begins, hardly ever where it ends: then a word ends so long after its last token began. */
const LAST_TOKEN_SAMPLES = msToSamples(200, SPEECH_SAMPLE_RATE_HZ);
const UNSPACED = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u;
const STARTS_WORD = /^[\p{L}\p{N}]/u;
/** Tags of a model's own (`<|en|>`), byte tokens and blanks. */
const NO_TEXT = /^<[^>]*>$/;

interface OpenWord {
  word: string;
  readonly startSample: number;
  endSample: number;
  logProbabilities: number[];
}

/** Joins tokens to words and says when each was said; undefined where the model does not know the times. */
export function spokenWords(
  { text, tokens, timestamps = [], durations = [], logProbabilities = [] }: TokenTimes,
  segmentSamples: number,
): SpokenWord[] | undefined {
  if (tokens.length === 0 || timestamps.length !== tokens.length) return undefined;
  const isShouting = text === text.toUpperCase();
  const words: OpenWord[] = [];
  const sampleAt = (seconds: number): number =>
    Math.min(segmentSamples, Math.max(0, Math.round(seconds * SPEECH_SAMPLE_RATE_HZ)));
  // Word pieces mark what begins a word; pieces of a paraformer mark what goes on.
  const marksBeginnings = tokens.some((token) => /^[▁ ]/.test(token));
  let goesOn = false;
  for (const [index, token] of tokens.entries()) {
    if (NO_TEXT.test(token)) continue;
    const startSample = sampleAt(timestamps[index] ?? 0);
    const piece = token.replace(/^[▁ ]+/, '').replace(/@@$/, '');
    const last = words.at(-1);
    const begins =
      last === undefined ||
      /^[▁ ]/.test(token) ||
      (!goesOn && STARTS_WORD.test(piece) && (!marksBeginnings || isUnspaced(piece) || isUnspaced(last.word)));
    goesOn = token.endsWith('@@');
    if (begins) {
      // A word lasts no longer than until the next.
      if (last !== undefined) last.endSample = Math.min(last.endSample, Math.max(last.startSample, startSample));
      words.push({ word: '', startSample, endSample: startSample, logProbabilities: [] });
    }
    const word = words.at(-1);
    if (word === undefined) continue;
    word.word += isShouting ? piece.toLowerCase() : piece;
    const duration = durations[index];
    word.endSample = Math.min(
      segmentSamples,
      startSample + (duration === undefined ? LAST_TOKEN_SAMPLES : sampleAt(duration)),
    );
    const logProbability = logProbabilities[index];
    if (logProbability !== undefined) word.logProbabilities.push(logProbability);
  }
  return words.filter(({ word }) => word !== '').map(finish);
}

function isUnspaced(text: string): boolean {
  return UNSPACED.test(text);
}

function finish({ logProbabilities, ...word }: OpenWord): SpokenWord {
  if (logProbabilities.length === 0) return word;
  const mean = logProbabilities.reduce((sum, value) => sum + value, 0) / logProbabilities.length;
  return { ...word, confidence: Math.round(Math.min(1, Math.exp(mean)) * 1_000) / 1_000 };
}

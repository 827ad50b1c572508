import type { Clock, Logger } from '@parley/runtime';
import type OpenAI from 'openai';
import { z } from 'zod';
import { openAiClient } from '../openai-client.ts';
import type { WordsJudge } from './words-judge.ts';
import type { WordsJudgeMetrics } from './words-judge-metrics.ts';

const INSTRUCTION = `You listen to somebody who talks to a voice assistant and has just paused. Their words come from a speech \
recogniser, mostly without punctuation. Answer with one word. Yes: they have finished their turn and expect an answer now. \
No: they are likely to go on, since a sentence, a number or a list is unfinished, or since what they said only prepares what \
they want.`;
/** What was said before no longer matters. */
const MAX_TEXT_CHARACTERS = 600;
/** Questions at once; further ones get no answer. */
const MAX_RUNNING = 16;
const TOP_TOKENS = 5;
/** An answer of a server that does not tell how sure its model is. */
const PLAIN_YES = 0.85;
const PLAIN_NO = 0.15;
/** Of less than this together yes and no are not what the model wanted to say. */
const LEAST_CLEAR = 0.2;

const AnswerSchema = z.object({
  choices: z.tuple([
    z.object({
      message: z.object({ content: z.string().nullish() }),
      logprobs: z
        .object({
          content: z
            .array(z.object({ top_logprobs: z.array(z.object({ token: z.string(), logprob: z.number() })) }))
            .nullish(),
        })
        .nullish(),
    }),
  ]),
});
type Answer = z.infer<typeof AnswerSchema>;

export interface LanguageModelJudgeOptions {
  /** Base URL of a server with OpenAI's `POST /chat/completions`; OpenAI's own where there is none. */
  readonly baseUrl: string | undefined;
  readonly model: string;
  readonly apiKey: string | undefined;
  /** An answer that takes longer is none. */
  readonly limitMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: WordsJudgeMetrics;
}

/**
 * Asks a language model at each pause whether the turn is over, and takes how probable its first word makes a yes against a
 * no. It is an adviser: when it is slow, overloaded or gone, turns end without it, and a metric counts how often.
 */
export class LanguageModelJudge implements WordsJudge {
  readonly #options: LanguageModelJudgeOptions;
  readonly #client: OpenAI;
  #running = 0;
  #isTroubled = false;

  constructor(options: LanguageModelJudgeOptions) {
    this.#options = options;
    this.#client = openAiClient(options.baseUrl, options.apiKey);
  }

  async score(text: string, language: string, signal: AbortSignal): Promise<number | undefined> {
    const { clock, metrics } = this.#options;
    if (signal.aborted) return undefined;
    if (this.#running >= MAX_RUNNING) return this.#without('refused');
    this.#running += 1;
    const startMs = clock.nowMs();
    try {
      const answer = await this.#ask(text, language, signal);
      metrics.wordsSeconds.observe((clock.nowMs() - startMs) / 1_000);
      const probability = probabilityOfYes(answer);
      this.#recovered();
      if (probability === undefined) return this.#without('unclear');
      metrics.wordsScores.inc({ outcome: 'used' });
      return probability;
    } catch (error) {
      if (signal.aborted) return this.#without('late');
      this.#troubled(error);
      return this.#without('failed');
    } finally {
      this.#running -= 1;
    }
  }

  async #ask(text: string, language: string, signal: AbortSignal): Promise<Answer> {
    const { model, limitMs } = this.#options;
    const answer: unknown = await this.#client.chat.completions.create(
      {
        model,
        messages: [
          { role: 'system', content: INSTRUCTION },
          { role: 'user', content: `[${language}] ${text.slice(-MAX_TEXT_CHARACTERS)}` },
        ],
        ...{ temperature: 0, max_tokens: 1, logprobs: true, top_logprobs: TOP_TOKENS },
      },
      { signal, timeout: limitMs },
    );
    return AnswerSchema.parse(answer);
  }

  #without(outcome: 'late' | 'refused' | 'unclear' | 'failed'): undefined {
    this.#options.metrics.wordsScores.inc({ outcome });
    return undefined;
  }

  /** Said once, not at each pause; its words are left out, since they may quote what was said. */
  #troubled(error: unknown): void {
    if (this.#isTroubled) return;
    this.#isTroubled = true;
    const kind = error instanceof Error ? error.constructor.name : 'unknown';
    this.#options.logger.warn({ kind }, 'the language model for ends of turns does not answer');
  }

  #recovered(): void {
    if (!this.#isTroubled) return;
    this.#isTroubled = false;
    this.#options.logger.info('the language model for ends of turns answers again');
  }
}

function probabilityOfYes({ choices: [{ message, logprobs }] }: Answer): number | undefined {
  const tokens = logprobs?.content?.[0]?.top_logprobs ?? [];
  const share = (beginning: RegExp): number =>
    tokens.reduce((sum, { token, logprob }) => sum + (beginning.test(token) ? Math.exp(logprob) : 0), 0);
  const [yes, no] = [share(/^\s*y(es)?$/i), share(/^\s*no?$/i)];
  if (yes + no >= LEAST_CLEAR) return yes / (yes + no);
  if (tokens.length > 0) return undefined;
  const said = message.content ?? '';
  if (/^\s*yes\b/i.test(said)) return PLAIN_YES;
  return /^\s*no\b/i.test(said) ? PLAIN_NO : undefined;
}

import type { Clock } from '@parley/runtime';
import type { ChatMessage, LanguageModel, LanguageModelParts, ReplyOptions, ReplyPart } from '../language-model.ts';
import { type DemoConversation, demoAnswer } from './demo/answer.ts';

/** Between two words: far faster than speech, yet a stream. */
const WORD_MS = 4;

/** The offline engine: answers by simple rules, in English, and says so. It works with nothing else installed. */
export function createLanguageModel({ config, clock }: LanguageModelParts): LanguageModel {
  return new DemoModel(clock, config.timeZone, config.contextTokens);
}

class DemoModel implements LanguageModel {
  readonly name = 'demo';
  readonly prefill = false;
  /** But for questions about the time. */
  readonly deterministic = true;
  readonly languages = ['en'];
  readonly contextTokens: number;
  readonly #clock: Clock;
  readonly #timeZone: string | undefined;

  constructor(clock: Clock, timeZone: string | undefined, contextTokens: number) {
    this.#clock = clock;
    this.#timeZone = timeZone;
    this.contextTokens = contextTokens;
  }

  async *reply(
    messages: readonly ChatMessage[],
    { maxTokens }: ReplyOptions,
    signal: AbortSignal,
  ): AsyncGenerator<ReplyPart, void, undefined> {
    const words = demoAnswer(this.#conversationOf(messages)).match(/\S+\s*/g) ?? [];
    for (const word of words.slice(0, maxTokens)) {
      await this.#clock.sleep(WORD_MS, signal);
      yield { kind: 'text', text: word };
    }
    yield { kind: 'finish', reason: words.length > maxTokens ? 'length' : 'stop' };
  }

  async warmUp(): Promise<void> {
    // Loads what the first calculation would wait for.
    demoAnswer(this.#conversationOf([{ role: 'user', content: 'what is one plus one' }]));
  }

  async close(): Promise<void> {}

  #conversationOf(messages: readonly ChatMessage[]): DemoConversation {
    const said = messages.filter(({ role }) => role === 'user').map(({ content }) => content);
    return {
      text: said.at(-1) ?? '',
      earlier: said.slice(0, -1),
      lastAnswer: messages.findLast(({ role }) => role === 'assistant')?.content,
      now: new Date(this.#clock.wallMs()),
      timeZone: this.#timeZone,
    };
  }
}

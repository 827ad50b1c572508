import type { Bus } from '@parley/bus';
import { type ReplyInput, ReplyInputSchema, VoiceError } from '@parley/protocol';
import type { Clock } from '@parley/runtime';
import { type Stage, type WorkContext, withProgressDeadline } from '@parley/stage';
import type { Config } from './config.ts';
import { buildConversation, type Conversation } from './conversation.ts';
import type { LanguageModel, ReplyPart } from './language-model.ts';
import { finishLabel, type LlmMetrics } from './metrics.ts';
import { NOTHING_PUBLISHED, type Published, readPublished } from './published.ts';
import { ReplyWriter } from './reply-writer.ts';
import { SpeakableText } from './speakable-text.ts';

/** Longest reply; an engine that ignores its own limit is stopped here. */
const MAX_REPLY_CHARS = 64_000;
/** Tokens of a short message, for the number of messages that can fit at all. */
const MIN_MESSAGE_TOKENS = 5;
const MAX_MESSAGES = 2_000;

export interface ReplyStageParts {
  readonly model: LanguageModel;
  readonly bus: Bus;
  readonly config: Pick<Config, 'slots' | 'maxReplyTokens' | 'firstTokenTimeoutMs' | 'stallTimeoutMs' | 'timeZone'>;
  readonly clock: Clock;
  readonly metrics: LlmMetrics;
}

/** The stage that thinks: what the user said and the history in, text and clauses out. */
export function replyStage(parts: ReplyStageParts): Stage<'reply'> {
  return {
    queue: 'reply',
    name: 'llm',
    slots: parts.config.slots,
    handle: (work) => new ReplyRun(parts, work).run(),
  };
}

/** One try at one reply. */
class ReplyRun {
  readonly #parts: ReplyStageParts;
  readonly #work: WorkContext<'reply'>;
  readonly #startedMs: number;
  #hasClause = false;

  constructor(parts: ReplyStageParts, work: WorkContext<'reply'>) {
    this.#parts = parts;
    this.#work = work;
    this.#startedMs = parts.clock.nowMs();
  }

  async run(): Promise<void> {
    const { bus, clock, model, metrics } = this.#parts;
    const { session, ref, settings, resumeAt } = this.#work;
    const input = decodeInput(this.#work.input);
    const reached = { known: input.published ?? [], shownChars: resumeAt };
    const published = resumeAt === 0 ? NOTHING_PUBLISHED : await readPublished(bus, session, ref, reached);
    const conversation = await this.#conversation(input);
    const { language } = settings;
    const onClauses = (count: number): void => this.#countClauses(count);
    const writer = new ReplyWriter(this.#work, { clock, language, published: published.clauses, onClauses });
    try {
      const finish = await this.#write(writer, conversation, published);
      await writer.finish(finish);
      metrics.replies.inc({ engine: model.name, finish: finishLabel(finish) });
    } finally {
      writer.close();
    }
  }

  async #conversation({ text }: ReplyInput): Promise<Conversation> {
    const { bus, clock, config, metrics, model } = this.#parts;
    const { session, ref, settings } = this.#work;
    const mostMessages = Math.min(MAX_MESSAGES, Math.ceil(model.contextTokens / MIN_MESSAGE_TOKENS));
    const conversation = buildConversation({
      history: await bus.registry.history(session, mostMessages),
      turn: ref.turn,
      text,
      settings,
      contextTokens: model.contextTokens,
      maxReplyTokens: config.maxReplyTokens,
      now: new Date(clock.wallMs()),
      timeZone: config.timeZone,
    });
    metrics.droppedTurns.inc(conversation.droppedTurns);
    if (conversation.isTooLong) metrics.tooLong.inc();
    return conversation;
  }

  /** Writes the reply, from behind what earlier tries have published of it. Answers why it ended. */
  async #write(writer: ReplyWriter, conversation: Conversation, published: Published): Promise<string> {
    const { model, metrics } = this.#parts;
    const said = published.clauses.join('');
    if (said + published.tail === '') return await this.#writeFrom(writer, conversation);
    // An engine that can go on from a given beginning need not say it again, unless that is sure to give the same.
    if (model.deterministic || !model.prefill) {
      const finish = await this.#writeBehind(said, writer, conversation);
      if (finish !== undefined) {
        metrics.resumed.inc({ way: 'repeated' });
        return finish;
      }
    }
    metrics.resumed.inc({ way: model.prefill ? 'prefilled' : 'cut' });
    if (!model.prefill) return 'cut';
    await writer.add(published.tail);
    return await this.#writeFrom(writer, conversation, said + published.tail);
  }

  /** Writes all that the engine says, which goes on from `prefill`. */
  async #writeFrom(writer: ReplyWriter, conversation: Conversation, prefill = ''): Promise<string> {
    const speakable = new SpeakableText({ after: prefill });
    let finish = 'length';
    for await (const part of this.#reply(conversation, prefill.trimEnd())) {
      if (part.kind === 'finish') finish = part.reason;
      else if (part.kind === 'toolCall') await writer.callTool(toolCallOf(part));
      else await writer.add(speakable.push(part.text));
      if (writer.text.length > MAX_REPLY_CHARS) return 'length';
    }
    await writer.add(speakable.flush());
    return finish;
  }

  /**
   * Has the reply made again and writes what comes behind `published`. Answers undefined as soon as the engine says
   * anything else.
   */
  async #writeBehind(published: string, writer: ReplyWriter, conversation: Conversation): Promise<string | undefined> {
    const speakable = new SpeakableText();
    let repeatedChars = 0;
    /** What of `text` is new; undefined where it differs from what was published. */
    const newIn = (text: string): string | undefined => {
      const expected = published.slice(repeatedChars, repeatedChars + text.length);
      if (!text.startsWith(expected)) return undefined;
      repeatedChars += expected.length;
      return text.slice(expected.length);
    };
    let finish = 'length';
    for await (const part of this.#reply(conversation)) {
      if (part.kind === 'finish') finish = part.reason;
      else if (part.kind === 'toolCall') await writer.callTool(toolCallOf(part));
      else {
        const text = newIn(speakable.push(part.text));
        if (text === undefined) return undefined;
        await writer.add(text);
      }
      if (writer.text.length > MAX_REPLY_CHARS) return 'length';
    }
    const rest = newIn(speakable.flush());
    if (rest === undefined || repeatedChars < published.trimEnd().length) return undefined;
    await writer.add(rest);
    return finish;
  }

  async *#reply(conversation: Conversation, prefill = ''): AsyncGenerator<ReplyPart, void, undefined> {
    const { clock, config, metrics, model } = this.#parts;
    const { session, settings, signal } = this.#work;
    const options = {
      maxTokens: conversation.maxReplyTokens,
      language: settings.language,
      session,
      firstPartTimeoutMs: config.firstTokenTimeoutMs,
      ...(prefill === '' ? {} : { prefill }),
    };
    const requestedMs = clock.nowMs();
    let hasToken = false;
    const parts = withProgressDeadline((limited) => model.reply(conversation.messages, options, limited), {
      firstMs: config.firstTokenTimeoutMs,
      stallMs: config.stallTimeoutMs,
      clock,
      signal,
    });
    for await (const part of parts) {
      if (!hasToken && part.kind === 'text' && part.text !== '') {
        metrics.firstToken.observe({ engine: model.name }, (clock.nowMs() - requestedMs) / 1_000);
        hasToken = true;
      }
      if (part.kind === 'finish' && part.usage !== undefined) {
        metrics.tokens.inc({ engine: model.name, kind: 'prompt' }, part.usage.promptTokens);
        metrics.tokens.inc({ engine: model.name, kind: 'completion' }, part.usage.completionTokens);
      }
      yield part;
    }
  }

  #countClauses(count: number): void {
    const { clock, metrics, model } = this.#parts;
    metrics.clauses.inc(count);
    if (this.#hasClause) return;
    this.#hasClause = true;
    metrics.firstClause.observe({ engine: model.name }, (clock.nowMs() - this.#startedMs) / 1_000);
  }
}

function toolCallOf({ call, name, arguments: text }: Extract<ReplyPart, { kind: 'toolCall' }>) {
  return { call, name, arguments: text };
}

function decodeInput(json: string): ReplyInput {
  const parsed = ReplyInputSchema.safeParse(parseJson(json));
  if (parsed.success) return parsed.data;
  throw new VoiceError('internal', 'the input of the reply is not valid');
}

/** Undefined for what is not JSON: a parser's own error would repeat the text. */
function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

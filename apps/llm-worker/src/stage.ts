import type { Bus } from '@parley/bus';
import { type ReplyInput, ReplyInputSchema, VoiceError } from '@parley/protocol';
import type { Clock } from '@parley/runtime';
import { type Stage, type WorkContext, withProgressDeadline } from '@parley/stage';
import type { Config } from './config.ts';
import { buildConversation, type Conversation } from './conversation.ts';
import type { ChatMessage, LanguageModel, ReplyOptions, ReplyPart, ToolCall } from './language-model.ts';
import { finishLabel, type LlmMetrics } from './metrics.ts';
import { NOTHING_PUBLISHED, type Published, readPublished } from './published.ts';
import { ReplyWriter } from './reply-writer.ts';
import { SpeakableText } from './speakable-text.ts';
import { estimateTokens } from './tokens.ts';
import type { ServerTool } from './tools/server-tools.ts';
import { ToolBox } from './tools/tool-box.ts';

/** Longest reply; an engine that ignores its own limit is stopped here. */
const MAX_REPLY_CHARS = 64_000;
/** Tokens of a short message, for the number of messages that can fit at all. */
const MIN_MESSAGE_TOKENS = 5;
const MAX_MESSAGES = 2_000;
/** How often a reply may call tools; after that the model must answer with what it has. */
const MAX_TOOL_ROUNDS = 5;
/** Longest result of a tool, and its greatest share of the context at some four characters a token. */
const MAX_RESULT_CHARS = 16_000;
const RESULT_CONTEXT_SHARE = 0.25;
const CHARS_PER_TOKEN = 4;

export interface ReplyStageParts {
  readonly model: LanguageModel;
  readonly bus: Bus;
  readonly config: Pick<
    Config,
    'slots' | 'maxReplyTokens' | 'firstTokenTimeoutMs' | 'stallTimeoutMs' | 'clientToolTimeoutMs' | 'timeZone'
  >;
  /** Tools of the operator, and the way to them. */
  readonly serverTools: readonly ServerTool[];
  readonly toolFetch: typeof fetch;
  readonly clock: Clock;
  readonly metrics: LlmMetrics;
}

/** The stage that thinks: what the user said and the history in, text and clauses out. */
export function replyStage(parts: ReplyStageParts): Stage<'reply'> {
  return {
    queue: 'reply',
    name: 'llm',
    slots: parts.config.slots,
    historyMessages: Math.min(MAX_MESSAGES, Math.ceil(parts.model.contextTokens / MIN_MESSAGE_TOKENS)),
    handle: (work) => new ReplyRun(parts, work).run(),
  };
}

/** What a reply is made of, in order. */
type Piece =
  | { readonly kind: 'speech'; readonly text: string }
  /** Tools are called: what came before is to be said now. Another try may have said the filler here. */
  | { readonly kind: 'pause'; readonly filler: string }
  /** Said in place of silence. */
  | { readonly kind: 'filler'; readonly text: string };

/** One try at one reply. */
class ReplyRun {
  readonly #parts: ReplyStageParts;
  readonly #work: WorkContext<'reply'>;
  readonly #input: ReplyInput;
  readonly #tools: ToolBox;
  readonly #startedMs: number;
  #hasClause = false;
  #hasFiller = false;

  constructor(parts: ReplyStageParts, work: WorkContext<'reply'>) {
    const { bus, clock, config, metrics, model, serverTools, toolFetch } = parts;
    this.#parts = parts;
    this.#work = work;
    this.#input = decodeInput(work.input);
    this.#startedMs = clock.nowMs();
    this.#tools = new ToolBox({
      ...{ serverTools, work, bus, clock, metrics, fetch: toolFetch, clientTimeoutMs: config.clientToolTimeoutMs },
      origin: this.#input.origin ?? work.ref.attempt,
      maxResultChars: Math.min(MAX_RESULT_CHARS, model.contextTokens * CHARS_PER_TOKEN * RESULT_CONTEXT_SHARE),
    });
  }

  async run(): Promise<void> {
    const { bus, clock, model, metrics } = this.#parts;
    const { session, ref, settings, resumeAt } = this.#work;
    const reached = { known: this.#input.published ?? [], shownChars: resumeAt };
    const published = resumeAt === 0 ? NOTHING_PUBLISHED : await readPublished(bus, session, ref, reached);
    const conversation = this.#conversation();
    const { language } = settings;
    const onClauses = (count: number): void => this.#countClauses(count);
    const writer = new ReplyWriter(this.#work, { clock, language, published: published.clauses, onClauses });
    try {
      const finish = await this.#write(writer, conversation, published);
      await writer.finish(finish);
      metrics.replies.inc({ engine: model.name, finish: finishLabel(finish) });
    } finally {
      writer.close();
      await this.#tools.close();
    }
  }

  #conversation(): Conversation {
    const { clock, config, metrics, model } = this.#parts;
    const { history, ref, settings } = this.#work;
    const { definitions } = this.#tools;
    const conversation = buildConversation({
      history,
      turn: ref.turn,
      text: this.#input.text,
      settings,
      contextTokens: model.contextTokens,
      maxReplyTokens: config.maxReplyTokens,
      toolTokens: definitions.length === 0 ? 0 : estimateTokens(JSON.stringify(definitions)),
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
    // An engine that can go on from a given beginning need not say it again, unless that is sure to give the same. What
    // tools had to do with the beginning only a repetition can tell.
    if (model.deterministic || !model.prefill || this.#tools.definitions.length > 0) {
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
    const pieces = this.#pieces(conversation, prefill);
    for (;;) {
      const { done, value } = await pieces.next();
      if (done) return value;
      if (value.kind === 'pause') await writer.pause();
      else if (value.kind === 'filler') await this.#sayFiller(writer, value.text);
      else await writer.add(value.text);
      if (writer.text.length > MAX_REPLY_CHARS) return await this.#stop(pieces);
    }
  }

  /**
   * Has the reply made again and writes what comes behind `published`. Answers undefined as soon as the engine says
   * anything else.
   */
  async #writeBehind(published: string, writer: ReplyWriter, conversation: Conversation): Promise<string | undefined> {
    let repeatedChars = 0;
    /** What of `text` is new; undefined where it differs from what was published. */
    const newIn = (text: string): string | undefined => {
      const expected = published.slice(repeatedChars, repeatedChars + text.length);
      if (!text.startsWith(expected)) return undefined;
      repeatedChars += expected.length;
      return text.slice(expected.length);
    };
    const isRepeating = (): boolean => repeatedChars < published.trimEnd().length;
    const pieces = this.#pieces(conversation);
    for (;;) {
      const { done, value } = await pieces.next();
      if (done) return isRepeating() ? undefined : value;
      if (value.kind === 'pause') {
        if (published[repeatedChars] === '\n') repeatedChars += 1;
        if (value.filler !== '' && published.startsWith(`${value.filler}\n`, repeatedChars)) {
          repeatedChars += value.filler.length + 1;
          this.#hasFiller = true;
        }
        if (!isRepeating()) await writer.pause();
      } else if (value.kind === 'filler') {
        // The earlier try needed none, and said the answer.
        if (!isRepeating()) await this.#sayFiller(writer, value.text);
      } else {
        const text = newIn(value.text);
        if (text === undefined) {
          await this.#stop(pieces);
          return undefined;
        }
        await writer.add(text);
      }
      if (writer.text.length > MAX_REPLY_CHARS) return await this.#stop(pieces);
    }
  }

  async #sayFiller(writer: ReplyWriter, text: string): Promise<void> {
    this.#parts.metrics.fillers.inc();
    await writer.pause(text);
  }

  async #stop(pieces: AsyncGenerator<Piece, string>): Promise<string> {
    await pieces.return('length');
    return 'length';
  }

  /** What the engine says, round after round while it calls tools. Returns why it ended. */
  async *#pieces(conversation: Conversation, prefill = ''): AsyncGenerator<Piece, string, undefined> {
    const { definitions: tools } = this.#tools;
    const messages = [...conversation.messages];
    let after = prefill;
    for (let round = 0; ; round += 1) {
      const speakable = new SpeakableText({ after });
      const calls: ToolCall[] = [];
      let said = '';
      let finish = 'length';
      const options = {
        maxTokens: conversation.maxReplyTokens,
        ...(round === 0 && prefill !== '' ? { prefill: prefill.trimEnd() } : {}),
        ...(tools.length === 0 ? {} : { tools, noToolCalls: round === MAX_TOOL_ROUNDS }),
      };
      for await (const part of this.#reply(messages, options)) {
        if (part.kind === 'finish') finish = part.reason;
        else if (part.kind === 'toolCall') calls.push(part);
        else {
          said += part.text;
          yield { kind: 'speech', text: speakable.push(part.text) };
        }
      }
      yield { kind: 'speech', text: speakable.flush() };
      if (calls.length === 0 || round === MAX_TOOL_ROUNDS) return finish;
      yield { kind: 'pause', filler: this.#tools.fillerFor(calls).text };
      after = '\n';
      messages.push({ role: 'assistant', content: said, toolCalls: calls });
      messages.push(...(yield* this.#callTools(calls, said.trim() === '')));
    }
  }

  /** Makes the calls of a round; says a filler, once a reply, where they take long and nothing was said before them. */
  async *#callTools(calls: readonly ToolCall[], isSilent: boolean): AsyncGenerator<Piece, ChatMessage[], undefined> {
    const { clock } = this.#parts;
    await this.#tools.released();
    const running = this.#tools.run(calls);
    // Its failure is seen below, or by nobody if the reply is given up before.
    running.catch(() => undefined);
    const { text, afterMs } = this.#tools.fillerFor(calls);
    if (isSilent && !this.#hasFiller && text !== '') {
      const waiting = new AbortController();
      const long = clock.sleep(afterMs, waiting.signal).then(
        () => true,
        () => false,
      );
      const settled = running.then(
        () => false,
        () => false,
      );
      const isLong = await Promise.race([settled, long]);
      waiting.abort();
      if (isLong) {
        this.#hasFiller = true;
        yield { kind: 'filler', text };
      }
    }
    return await running;
  }

  async *#reply(
    messages: readonly ChatMessage[],
    asked: Pick<ReplyOptions, 'maxTokens' | 'prefill' | 'tools' | 'noToolCalls'>,
  ): AsyncGenerator<ReplyPart, void, undefined> {
    const { clock, config, metrics, model } = this.#parts;
    const { session, settings, signal } = this.#work;
    const { language } = settings;
    const options = { ...asked, language, session, firstPartTimeoutMs: config.firstTokenTimeoutMs };
    const requestedMs = clock.nowMs();
    let hasToken = false;
    const parts = withProgressDeadline((limited) => model.reply(messages, options, limited), {
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

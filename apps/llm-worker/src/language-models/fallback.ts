import { VoiceError } from '@parley/protocol';
import { type Clock, linkSignals } from '@parley/runtime';
import { Health } from '../health.ts';
import type { ChatMessage, LanguageModel, LanguageModelParts, ReplyOptions, ReplyPart } from '../language-model.ts';
import { replyInOrder } from '../reply-in-order.ts';

/** A sick engine is probed by a warm-up, which may load a model. */
const PROBE_LIMIT_MS = 60_000;
/** How long the start waits for an engine before it goes on with the next; the engine goes on warming up. */
const WARM_UP_SHARE_MS = 10_000;

interface Candidate {
  readonly model: LanguageModel;
  readonly health: Health;
}

/**
 * Several engines in order: each reply is the first healthy one's, and the next one's where that fails before its first
 * word. One that fails later is left out until it answers again, so that the reply's next try is another engine's.
 */
export function createFallbackModel(models: readonly LanguageModel[], parts: LanguageModelParts): LanguageModel {
  return new FallbackModel(models, parts);
}

class FallbackModel implements LanguageModel {
  readonly name: string;
  readonly prefill: boolean;
  readonly deterministic: boolean;
  readonly #candidates: readonly Candidate[];
  readonly #clock: Clock;
  readonly #metrics: LanguageModelParts['metrics'];

  constructor(models: readonly LanguageModel[], { clock, logger, metrics }: LanguageModelParts) {
    this.name = models.map(({ name }) => name).join(',');
    this.prefill = models.every(({ prefill }) => prefill);
    this.deterministic = models.every(({ deterministic }) => deterministic);
    this.#clock = clock;
    this.#metrics = metrics;
    this.#candidates = models.map((model) => ({
      model,
      health: new Health({
        ...{ clock, probeLimitMs: PROBE_LIMIT_MS },
        probe: (signal) => model.warmUp(signal),
        onChange: (isHealthy) => {
          if (isHealthy) logger.info({ engine: model.name }, 'engine answers again');
          else logger.warn({ engine: model.name }, 'engine is left out');
        },
      }),
    }));
  }

  /** Smallest of all: a conversation must fit whichever engine answers. */
  get contextTokens(): number {
    return Math.min(...this.#candidates.map(({ model }) => model.contextTokens));
  }

  /** What all of them speak. */
  get languages(): readonly string[] | undefined {
    const known = this.#candidates.flatMap(({ model }) => (model.languages === undefined ? [] : [model.languages]));
    const [first, ...others] = known;
    return first?.filter((language) => others.every((languages) => languages.includes(language)));
  }

  get trouble(): string | undefined {
    const troubles = this.#candidates.flatMap(({ model, health }) =>
      health.isHealthy ? (model.trouble ?? []) : `${model.name} does not answer`,
    );
    return troubles.length === 0 ? undefined : troubles.join('; ');
  }

  async *reply(
    messages: readonly ChatMessage[],
    options: ReplyOptions,
    signal: AbortSignal,
  ): AsyncGenerator<ReplyPart, void, undefined> {
    const isHealthy = ({ health }: Candidate): boolean => health.isHealthy;
    const order = [...this.#candidates.filter(isHealthy), ...this.#candidates.filter((one) => !isHealthy(one))];
    yield* replyInOrder(order, {
      open: ({ model }, within) => model.reply(messages, shareOf(options, order.length), within),
      ...{ clock: this.#clock, signal, firstPartTimeoutMs: options.firstPartTimeoutMs },
      onHandedOn: ({ model }, { code }) => this.#metrics.handedOn.inc({ from: model.name, code }),
    });
  }

  /** Ready when one engine is, the first one if it does not take long. */
  async warmUp(signal: AbortSignal): Promise<void> {
    let failure: unknown;
    for (const { model, health } of this.#candidates) {
      const warmedUp = model.warmUp(signal).then(
        () => {
          health.succeeded();
          return true;
        },
        (error) => {
          failure ??= error;
          health.failed();
          return false;
        },
      );
      const waiting = linkSignals(signal);
      const tooLong = this.#clock.sleep(WARM_UP_SHARE_MS, waiting.signal).then(
        () => false,
        () => false,
      );
      const isWarm = await Promise.race([warmedUp, tooLong]);
      waiting.abort(new Error('waited long enough'));
      waiting.release();
      if (isWarm) return;
      signal.throwIfAborted();
      health.failed();
    }
    throw failure ?? new VoiceError('engine_timeout', 'no engine has answered yet');
  }

  async close(): Promise<void> {
    for (const { health } of this.#candidates) health.close();
    await Promise.all(this.#candidates.map(({ model }) => model.close()));
  }
}

/** Engines that have several ways themselves divide no more than their own share. */
function shareOf(options: ReplyOptions, engines: number): ReplyOptions {
  const { firstPartTimeoutMs } = options;
  return firstPartTimeoutMs === undefined
    ? options
    : { ...options, firstPartTimeoutMs: (firstPartTimeoutMs * 0.8) / Math.min(engines, 3) };
}

import { VoiceError } from '@parley/protocol';
import { FakeClock } from '@parley/runtime';
import { describe, expect, it } from 'vitest';
import { withProgressDeadline } from './progress-deadline.ts';

const LIMITS = { firstMs: 1_000, stallMs: 300 };
const never = new AbortController().signal;

/** An engine whose results come when the test says so, and that ignores its signal. */
class Engine {
  readonly #waiting: ((result: IteratorResult<number>) => void)[] = [];
  signal: AbortSignal = never;
  isClosed = false;

  readonly open = (signal: AbortSignal): AsyncIterable<number> => {
    this.signal = signal;
    return {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise((resolve) => this.#waiting.push(resolve)),
        return: async () => {
          this.isClosed = true;
          return { done: true, value: undefined };
        },
      }),
    };
  };

  give(value: number): void {
    this.#waiting.shift()?.({ done: false, value });
  }

  end(): void {
    this.#waiting.shift()?.({ done: true, value: undefined });
  }
}

describe('a progress deadline', () => {
  it('passes results on and ends with the engine, leaving no timer', async () => {
    const clock = new FakeClock();
    const results: number[] = [];
    async function* count(): AsyncGenerator<number> {
      yield* [1, 2, 3];
    }
    for await (const result of withProgressDeadline(count, { ...LIMITS, clock, signal: never })) results.push(result);
    expect(results).toEqual([1, 2, 3]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('gives up an engine without a first result', async () => {
    const clock = new FakeClock();
    const engine = new Engine();
    const next = withProgressDeadline(engine.open, { ...LIMITS, clock, signal: never }).next();
    const outcome = next.catch((error: unknown) => error);
    await clock.advance(999);
    expect(engine.signal.aborted).toBe(false);
    await clock.advance(1);
    const error = await outcome;
    expect(error).toBeInstanceOf(VoiceError);
    expect(error).toMatchObject({ code: 'engine_timeout', retryable: true });
    expect(engine.signal.aborted).toBe(true);
    expect(engine.isClosed).toBe(true);
  });

  it('gives up an engine that stalls between results, but not for the time the consumer takes', async () => {
    const clock = new FakeClock();
    const engine = new Engine();
    const results = withProgressDeadline(engine.open, { ...LIMITS, clock, signal: never });
    const first = results.next();
    await clock.advance(900);
    engine.give(1);
    expect(await first).toEqual({ done: false, value: 1 });
    await clock.advance(60_000); // the consumer is busy
    const second = results.next();
    await clock.advance(299);
    engine.give(2);
    expect(await second).toEqual({ done: false, value: 2 });
    const third = results.next().catch((error: unknown) => error);
    await clock.advance(300);
    expect(await third).toMatchObject({ code: 'engine_timeout' });
  });

  it('throws the reason of its signal at once, although the engine ignores it', async () => {
    const clock = new FakeClock();
    const engine = new Engine();
    const controller = new AbortController();
    const next = withProgressDeadline(engine.open, { ...LIMITS, clock, signal: controller.signal }).next();
    const reason = new Error('cancelled');
    controller.abort(reason);
    await expect(next).rejects.toBe(reason);
    expect(engine.signal.reason).toBe(reason);
    expect(engine.isClosed).toBe(true);
    expect(clock.pendingTimers).toBe(0);
  });

  it('opens nothing when its signal has aborted before', async () => {
    const engine = new Engine();
    const signal = AbortSignal.abort(new Error('too late'));
    const results = withProgressDeadline(engine.open, { ...LIMITS, clock: new FakeClock(), signal });
    await expect(results.next()).rejects.toThrow('too late');
    expect(engine.signal).toBe(never);
  });

  it('tells the engine when its consumer loses interest', async () => {
    const clock = new FakeClock();
    const engine = new Engine();
    const results = withProgressDeadline(engine.open, { ...LIMITS, clock, signal: never });
    const first = results.next();
    engine.give(1);
    await first;
    await results.return();
    expect(engine.signal.aborted).toBe(true);
    expect(engine.isClosed).toBe(true);
  });

  it("passes the engine's own failure on", async () => {
    async function* fail(): AsyncGenerator<number> {
      yield 1;
      throw new VoiceError('engine_rejected');
    }
    const results = withProgressDeadline(fail, { ...LIMITS, clock: new FakeClock(), signal: never });
    await results.next();
    await expect(results.next()).rejects.toMatchObject({ code: 'engine_rejected' });
  });
});

import { VoiceError } from '@parley/protocol';
import { FakeClock } from '@parley/runtime';
import { expect, onTestFinished, test } from 'vitest';
import { type EngineSource, startFallback } from './fallback.ts';
import type { OnWords, RecognitionStream, Recognizer } from './recognizer.ts';

const PATIENCE_MS = 2_500;

/** An engine that understands a segment as its name, its number of samples and their sum. */
class Scripted implements Recognizer {
  readonly name: string;
  readonly languages: readonly string[];
  readonly slots = 3;
  /** What becomes of settles from now on, and of opening. */
  fault: 'none' | 'failing' | 'slow' | 'unopenable' = 'none';
  opened = 0;
  closed = 0;
  readonly partials = new Set<(text: string) => void>();
  readonly failures = new Set<(error: Error) => void>();

  constructor(name: string, languages: readonly string[] = ['en']) {
    this.name = name;
    this.languages = languages;
  }

  async open(): Promise<RecognitionStream> {
    if (this.fault === 'unopenable') throw new VoiceError('engine_failed');
    this.opened += 1;
    let heard: number[] = [];
    const scripted = this;
    const hidden = { partial: (_: string): void => undefined, failure: (_: Error): void => undefined };
    return {
      backlogMs: 0,
      accept(samples) {
        heard.push(...samples);
        // As an engine in a thread does: the samples are gone.
        samples.fill(-1);
        hidden.partial(`${scripted.name} ${heard.length}`);
      },
      onPartial(handler) {
        hidden.partial = handler;
      },
      onFailure(handler) {
        scripted.failures.delete(hidden.failure);
        hidden.failure = handler;
        scripted.failures.add(handler);
      },
      async settle(onWords?: OnWords) {
        const text = `${scripted.name} ${heard.length} ${heard.reduce((sum, sample) => sum + sample, 0)}`;
        heard = [];
        if (scripted.fault === 'failing') throw new VoiceError('engine_failed', 'scripted');
        if (scripted.fault === 'slow') return new Promise<never>(() => undefined);
        onWords?.([{ word: text, startSample: 0, endSample: 1 }]);
        return text;
      },
      abandon() {
        heard = [];
      },
      close: () => {
        scripted.closed += 1;
      },
    };
  }

  breakDown(): void {
    for (const fail of [...this.failures]) fail(new VoiceError('engine_failed', 'scripted'));
  }

  async close(): Promise<void> {
    this.closed += 1;
  }

  get source(): EngineSource {
    return { name: this.name, load: async () => this };
  }
}

async function start(...sources: readonly EngineSource[]) {
  const clock = new FakeClock();
  const log: string[] = [];
  const recognizer = await startFallback(sources, {
    clock,
    patienceMs: PATIENCE_MS,
    onFailed: (engine, { code }) => log.push(`${engine}: ${code}`),
    onFallback: (from, to) => log.push(`${from} to ${to}`),
  });
  onTestFinished(() => recognizer.close());
  return { recognizer, clock, log };
}

const samples = (count: number, value = 1): Int16Array => new Int16Array(count).fill(value);

test('the first engine hears, and the second nothing', async () => {
  const [first, second] = [new Scripted('first'), new Scripted('second')];
  const { recognizer } = await start(first.source, second.source);
  const stream = await recognizer.open();
  const partials: string[] = [];
  stream.onPartial((text) => partials.push(text));
  stream.accept(samples(10));
  stream.accept(samples(5));
  const words: unknown[] = [];
  expect(await stream.settle((told) => words.push(...told))).toBe('first 15 15');
  expect(words).toHaveLength(1);
  expect(partials).toEqual(['first 10', 'first 15']);
  expect(second.opened).toBe(0);
});

test('a segment whose settle fails is heard again by the next engine, with all that came after it', async () => {
  const [first, second] = [new Scripted('first'), new Scripted('second')];
  const { recognizer, log } = await start(first.source, second.source);
  const stream = await recognizer.open();
  first.fault = 'failing';
  stream.accept(samples(10, 1));
  const one = stream.settle();
  stream.accept(samples(10, 2));
  const two = stream.settle();
  stream.accept(samples(10, 3));
  expect(await one).toBe('second 10 10');
  expect(await two).toBe('second 10 20');
  expect(await stream.settle()).toBe('second 10 30');
  expect(log).toEqual(['first: engine_failed', 'first to second']);
});

test('a stream that fails in the middle of a segment is replaced without a word', async () => {
  const [first, second] = [new Scripted('first'), new Scripted('second')];
  const { recognizer } = await start(first.source, second.source);
  const stream = await recognizer.open();
  stream.accept(samples(10));
  first.breakDown();
  stream.accept(samples(5));
  expect(await stream.settle()).toBe('second 15 15');
  expect(first.closed).toBe(1);
});

test('an engine that takes too long is given up, if there is another', async () => {
  const [first, second] = [new Scripted('first'), new Scripted('second')];
  const { recognizer, clock, log } = await start(first.source, second.source);
  const stream = await recognizer.open();
  first.fault = 'slow';
  second.fault = 'slow';
  stream.accept(samples(10));
  const text = stream.settle();
  await clock.advance(PATIENCE_MS);
  await expect.poll(() => second.opened).toBe(1);
  second.fault = 'none';
  // The last one is given all the time it needs: its caller decides.
  await clock.advance(10 * PATIENCE_MS);
  expect(log).toEqual(['first: engine_timeout', 'first to second']);
  text.catch(() => undefined);
  stream.close();
  await expect(text).rejects.toMatchObject({ code: 'engine_failed' });
});

test('when none is left the failure is told', async () => {
  const [first, second] = [new Scripted('first'), new Scripted('second')];
  const { recognizer } = await start(first.source, second.source);
  const stream = await recognizer.open();
  first.fault = 'failing';
  second.fault = 'failing';
  stream.accept(samples(10));
  await expect(stream.settle()).rejects.toMatchObject({ code: 'engine_failed' });
  await expect(stream.settle()).rejects.toMatchObject({ code: 'engine_failed' });
  // Both rest, and are tried all the same.
  first.fault = 'none';
  const next = await recognizer.open();
  next.accept(samples(1));
  expect(await next.settle()).toBe('first 1 1');
});

test('a session returns to the better engine between segments, once it has rested', async () => {
  const [first, second] = [new Scripted('first'), new Scripted('second')];
  const { recognizer, clock } = await start(first.source, second.source);
  const stream = await recognizer.open();
  first.fault = 'failing';
  stream.accept(samples(10));
  expect(await stream.settle()).toBe('second 10 10');
  first.fault = 'none';
  stream.accept(samples(11));
  expect(await stream.settle()).toBe('second 11 11');
  await clock.advance(1_000);
  stream.accept(samples(12));
  stream.accept(samples(1));
  expect(await stream.settle()).toBe('first 13 13');
});

test('what is abandoned is heard by nobody', async () => {
  const [first, second] = [new Scripted('first'), new Scripted('second')];
  const { recognizer } = await start(first.source, second.source);
  const stream = await recognizer.open();
  stream.accept(samples(10));
  stream.abandon();
  stream.accept(samples(3));
  first.breakDown();
  expect(await stream.settle()).toBe('second 3 3');
});

test('an engine that cannot start is loaded again and again, and used when it is there', async () => {
  const [first, second] = [new Scripted('first'), new Scripted('second', ['en', 'de'])];
  let isMissing = true;
  const late: EngineSource = {
    name: 'first',
    load: async () => {
      if (isMissing) throw new VoiceError('engine_missing');
      return first;
    },
  };
  const { recognizer, clock, log } = await start(late, second.source);
  expect(recognizer.languages).toEqual(['en', 'de']);
  const stream = await recognizer.open();
  stream.accept(samples(1));
  expect(await stream.settle()).toBe('second 1 1');
  await expect.poll(() => log).toContain('first: engine_missing');
  isMissing = false;
  await clock.advance(1_000);
  await expect.poll(() => recognizer.languages).toEqual(['en']);
  stream.accept(samples(2));
  expect(await stream.settle()).toBe('first 2 2');
});

test('an engine that is still being loaded is waited for where there is no other', async () => {
  const [first, second] = [new Scripted('first'), new Scripted('second')];
  const loaded = Promise.withResolvers<Recognizer>();
  const { recognizer } = await start(first.source, { name: 'second', load: () => loaded.promise });
  const stream = await recognizer.open();
  stream.accept(samples(5));
  first.breakDown();
  stream.accept(samples(5));
  const text = stream.settle();
  loaded.resolve(second);
  expect(await text).toBe('second 10 10');
});

test('engines that are closed while they are being loaded are let go', async () => {
  const [first, second] = [new Scripted('first'), new Scripted('second')];
  const loaded = Promise.withResolvers<Recognizer>();
  const { recognizer } = await start(first.source, { name: 'second', load: () => loaded.promise });
  const stream = await recognizer.open();
  stream.accept(samples(5));
  first.breakDown();
  const text = stream.settle();
  text.catch(() => undefined);
  const closed = recognizer.close();
  loaded.resolve(second);
  await closed;
  expect(second.closed).toBe(1);
  await expect(text).rejects.toMatchObject({ code: 'engine_failed' });
});

test('without any engine there is none', async () => {
  const missing = (name: string): EngineSource => ({
    name,
    load: async () => {
      throw new VoiceError('engine_missing', name);
    },
  });
  await expect(start(missing('first'), missing('second'))).rejects.toMatchObject({ message: 'first' });
});

test('an engine that opens no stream is passed over', async () => {
  const [first, second] = [new Scripted('first'), new Scripted('second')];
  first.fault = 'unopenable';
  const { recognizer } = await start(first.source, second.source);
  const stream = await recognizer.open();
  stream.accept(samples(4));
  expect(await stream.settle()).toBe('second 4 4');
  second.fault = 'unopenable';
  await expect(recognizer.open()).rejects.toMatchObject({ code: 'engine_failed' });
});

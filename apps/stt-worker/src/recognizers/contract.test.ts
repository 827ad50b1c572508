import { concatInt16 } from '@parley/audio';
import { systemClock } from '@parley/runtime';
import {
  childProcesses,
  type ScriptedDeepgram,
  type ScriptedStt,
  startScriptedDeepgram,
  startScriptedStt,
} from '@parley/testkit';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { loadRecognizer } from '../choose.ts';
import type { Recognizer, RecognizerOptions, SpokenWord } from '../recognizer.ts';
import { silence, soundOf, speech, speechItems, wordErrors } from '../testing/lab.ts';
import { createRecognizer as createDeepgram } from './deepgram.ts';
import { createRecognizer as createOpenAi } from './openai.ts';
import { createRecognizer as createPocketSphinx } from './pocketsphinx.ts';
import { createRecognizer as createSherpa } from './sherpa.ts';

const MODEL = new URL('../../../../libs/testkit/fixtures/models/tiny-stt-en', import.meta.url).pathname;
const options: RecognizerOptions = {
  slots: 4,
  stallTimeoutMs: 10_000,
  onTrouble: (error) => {
    throw error;
  },
};
const SEGMENT_WISE = { ...options, modelDir: `${MODEL}-offline`, modelKind: 'offline-zipformer-ctc' };

/** Models say when a word was said within this, more or less. */
const WORD_SLACK_SAMPLES = 3_200;

let stt: ScriptedStt;
let deepgram: ScriptedDeepgram;
beforeAll(async () => {
  [stt, deepgram] = await Promise.all([startScriptedStt(), startScriptedDeepgram({ key: 'the key' })]);
});
afterAll(() => Promise.all([stt.close(), deepgram.close()]));

type More = Partial<RecognizerOptions>;
const createStreaming = (more: More = {}) => createSherpa({ ...options, modelDir: MODEL, ...more });
const createSegmentWise = (more: More = {}) => createSherpa({ ...SEGMENT_WISE, ...more });
const createScriptedOpenAi = (more: More = {}) =>
  createOpenAi({ ...options, baseUrl: stt.url, language: 'en', partialMs: 1_000, ...more });
const createScriptedDeepgram = (more: More = {}) =>
  createDeepgram({ ...options, deepgramUrl: deepgram.url, deepgramApiKey: 'the key', language: 'en', ...more });

interface Engine {
  readonly name: string;
  readonly create: () => Promise<Recognizer>;
  readonly clear: readonly string[];
  readonly maxWordErrorRate: number;
  readonly isServer?: boolean;
  readonly cancels?: Recognizer['cancels'];
}

const ENGINES: readonly Engine[] = [
  {
    name: 'pocketsphinx',
    create: () => createPocketSphinx(options),
    clear: ['slt-01.wav', 'slt-05.wav', 'rms-01.wav'],
    // Of the sentences of the clear voices slt and rms.
    maxWordErrorRate: 0.05,
  },
  {
    name: 'sherpa',
    create: createStreaming,
    clear: ['slt-01.wav', 'slt-02.wav', 'rms-01.wav'],
    maxWordErrorRate: 0.2,
  },
  {
    name: 'sherpa, segment-wise',
    create: createSegmentWise,
    cancels: 'after_segment',
    clear: ['slt-01.wav', 'slt-02.wav', 'rms-01.wav'],
    maxWordErrorRate: 0.2,
  },
  {
    name: 'openai',
    create: createScriptedOpenAi,
    isServer: true,
    clear: ['slt-01.wav', 'slt-02.wav', 'rms-01.wav'],
    maxWordErrorRate: 0.001,
  },
  {
    name: 'deepgram',
    create: createScriptedDeepgram,
    isServer: true,
    clear: ['slt-01.wav', 'slt-02.wav', 'rms-01.wav'],
    maxWordErrorRate: 0.001,
  },
];

const textOf = (file: string): string => speechItems().find((item) => item.file === file)?.text ?? '';

describe.each(ENGINES)('$name', ({ create, clear, maxWordErrorRate, isServer = false, cancels = 'at_once' }) => {
  let recognizer: Recognizer;
  beforeAll(async () => {
    recognizer = await create();
  });
  afterAll(() => recognizer.close());

  /** Settles a recording, given in chunks of so many samples. */
  async function recognise(samples: Int16Array, chunkSamples = 512): Promise<string> {
    const stream = await recognizer.open();
    for (let offset = 0; offset < samples.length; offset += chunkSamples) {
      stream.accept(samples.slice(offset, offset + chunkSamples));
    }
    const text = await stream.settle();
    stream.close();
    return text;
  }

  test.each(clear)('understands every word of %s', async (file) => {
    expect(await recognise(speech(file))).toBe(textOf(file));
  });

  test('understands the clear voices with few errors', async () => {
    let errors = 0;
    let words = 0;
    for (const { file, text } of speechItems().filter(
      ({ kind, voice }) => kind === 'short' && /slt|rms/.test(voice ?? ''),
    )) {
      const found = wordErrors(text, await recognise(speech(file)));
      errors += found.errors;
      words += found.words;
    }
    expect(errors / words).toBeLessThan(maxWordErrorRate);
  }, 60_000);

  test('declares what it understands and how much of it, and what it promises', () => {
    expect(recognizer.languages).toEqual(['en']);
    expect(recognizer.slots).toBe(options.slots);
    expect(recognizer.deterministic).toBe(!isServer);
    expect(recognizer.cancels).toBe(cancels);
  });

  test('says when each word was said', async () => {
    const [file = ''] = clear;
    const samples = speech(file);
    const stream = await recognizer.open();
    stream.accept(speech('rms-01.wav'));
    await stream.settle();
    stream.accept(samples.slice());
    let words: readonly SpokenWord[] = [];
    const text = await stream.settle((told) => {
      words = told;
    });
    stream.close();
    expect(words.map(({ word }) => word).join(' ')).toBe(text);
    const sound = soundOf(samples);
    let atSample = sound.startSample - WORD_SLACK_SAMPLES;
    for (const { startSample, endSample, confidence = 1 } of words) {
      expect(startSample).toBeGreaterThanOrEqual(atSample);
      expect(endSample).toBeGreaterThan(startSample);
      expect(confidence).toBeGreaterThan(0);
      expect(confidence).toBeLessThanOrEqual(1);
      atSample = startSample;
    }
    const { endSample = 0 } = words.at(-1) ?? {};
    expect(Math.abs(endSample - sound.endSample)).toBeLessThan(WORD_SLACK_SAMPLES);
  });

  test('says when each word was said around a silence inside of a segment', async () => {
    const [first = '', second = ''] = clear;
    const [before, after] = [speech(first), speech(second)];
    const [lead, pause] = [silence(700), silence(900)];
    const samples = concatInt16([lead, before, pause, after]);
    const stream = await recognizer.open();
    stream.accept(samples.slice());
    let words: readonly SpokenWord[] = [];
    await stream.settle((told) => {
      words = told;
    });
    stream.close();
    const quietFrom = lead.length + soundOf(before).endSample;
    const secondStart = lead.length + before.length + pause.length;
    const quietUntil = secondStart + soundOf(after).startSample;
    const isNear = (sample: number, other: number) => Math.abs(sample - other) < WORD_SLACK_SAMPLES;
    expect(words.some(({ endSample }) => isNear(endSample, quietFrom))).toBe(true);
    expect(words.some(({ startSample }) => isNear(startSample, quietUntil))).toBe(true);
    expect(isNear(words[0]?.startSample ?? 0, lead.length + soundOf(before).startSample)).toBe(true);
    expect(isNear(words.at(-1)?.endSample ?? 0, secondStart + soundOf(after).endSample)).toBe(true);
  });

  test('tells what it understands while speech goes on', async () => {
    const stream = await recognizer.open();
    const partials: string[] = [];
    stream.onPartial((text) => partials.push(text));
    const [file = ''] = clear;
    const samples = speech(file);
    stream.accept(samples.slice(0, samples.length / 2));
    await vi.waitFor(() => expect(partials.at(-1)?.split(' ').length).toBeGreaterThan(2), { timeout: 5_000 });
    stream.accept(samples.slice(samples.length / 2));
    expect(await stream.settle()).toBe(textOf(file));
    expect(stream.backlogMs).toBe(0);
    stream.close();
  });

  test('understands a segment alike whatever came before and however it is cut', async () => {
    const [first = '', second = ''] = clear;
    const stream = await recognizer.open();
    for (const file of ['noise.wav', first, second, 'awb-02.wav', first]) {
      stream.accept(speech(file));
      const text = await stream.settle();
      if (file === first || file === second) expect(text).toBe(textOf(file));
    }
    stream.close();
    // Not a sentence that is easy to understand, so that a small difference shows.
    const samples = speech('pause-02.wav');
    const text = await recognise(samples);
    for (const chunkSamples of [160, 100_000]) expect(await recognise(samples, chunkSamples)).toBe(text);
  }, 30_000);

  test('keeps segments apart when the next begins before the last is settled', async () => {
    const [first = '', second = ''] = clear;
    const stream = await recognizer.open();
    stream.accept(speech(first));
    const one = stream.settle();
    stream.accept(speech(second));
    const two = stream.settle();
    const nothing = stream.settle();
    expect(await Promise.all([one, two, nothing])).toEqual([textOf(first), textOf(second), '']);
    stream.close();
  });

  test('keeps many sessions apart', async () => {
    const files = [...clear, ...clear];
    const streams = await Promise.all(files.map(() => recognizer.open()));
    const recordings = files.map(speech);
    for (let offset = 0; offset < 80_000; offset += 1_600) {
      streams.forEach((stream, index) => {
        const chunk = recordings[index]?.slice(offset, offset + 1_600);
        if (chunk && chunk.length > 0) stream.accept(chunk);
      });
    }
    expect(await Promise.all(streams.map((stream) => stream.settle()))).toEqual(files.map(textOf));
    for (const stream of streams) stream.close();
  }, 30_000);

  test('hears nothing in silence, and nothing in nothing', async () => {
    expect(await recognise(silence(1_000))).toBe('');
    expect(await recognise(new Int16Array(0))).toBe('');
    expect(await recognise(silence(5))).toBe('');
  });

  test('forgets a segment that is abandoned', async () => {
    const [first = '', second = ''] = clear;
    const stream = await recognizer.open();
    stream.accept(speech(first));
    stream.abandon();
    stream.accept(speech(second));
    expect(await stream.settle()).toBe(textOf(second));
    expect(stream.backlogMs).toBe(0);
    stream.accept(speech(first));
    stream.abandon();
    await vi.waitFor(() => expect(stream.backlogMs).toBe(0));
    stream.close();
  });

  test.each<[string, () => Int16Array]>([
    ['what is clipped', () => speech(clear[0] ?? '').map((sample) => (sample > 0 ? 32_767 : -32_768))],
    ['a constant', () => new Int16Array(16_000).fill(-32_768)],
    ['the loudest noise', () => Int16Array.from({ length: 16_000 }, (_, index) => ((index * 7_919) % 65_536) - 32_768)],
    ['a single sample', () => new Int16Array([1])],
  ])('takes %s for what it may be, and goes on', async (_, make) => {
    const [file = ''] = clear;
    const stream = await recognizer.open();
    stream.accept(make());
    expect(await stream.settle()).toEqual(expect.any(String));
    stream.accept(speech(file));
    expect(await stream.settle()).toBe(textOf(file));
    stream.close();
  });

  // Another process may have the processor for longer than that.
  test('frees its caller within 50 ms of a close, and others do not wait for what nobody wants', {
    retry: 2,
    timeout: 60_000,
  }, async () => {
    const [file = ''] = clear;
    const startMs = performance.now();
    await recognise(speech(file));
    const aloneMs = performance.now() - startMs;
    const streams = await Promise.all(Array.from({ length: 4 }, () => recognizer.open()));
    // Segments as long as a listener makes them.
    const settles = streams.flatMap((stream) =>
      Array.from({ length: 8 }, () => {
        stream.accept(speech('slt-01.wav'));
        return stream.settle().then(
          () => 'settled',
          ({ code }) => code,
        );
      }),
    );
    const other = await recognizer.open();
    const closedAtMs = performance.now();
    for (const stream of streams) stream.close();
    expect(await Promise.all(settles)).toEqual(settles.map(() => 'engine_failed'));
    expect(performance.now() - closedAtMs).toBeLessThan(50);
    other.accept(speech(file));
    expect(await other.settle()).toBe(textOf(file));
    other.close();
    // An engine that finishes what it has begun has one segment to finish.
    expect(performance.now() - closedAtMs).toBeLessThan(3 * aloneMs + 1_000);
  });

  test('does not keep the event loop waiting', async () => {
    const stream = await recognizer.open();
    const before = performance.eventLoopUtilization();
    stream.accept(speech('pause-03.wav'));
    await stream.settle();
    const { active: busyMs } = performance.eventLoopUtilization(before);
    stream.close();
    expect(busyMs).toBeLessThan(150);
  });

  test('drops a stream that is closed, in the middle of what it does', async () => {
    const stream = await recognizer.open();
    stream.accept(speech('pause-03.wav'));
    const settled = stream.settle();
    stream.close();
    stream.close();
    await expect(settled).rejects.toMatchObject({ code: 'engine_failed' });
    expect(await recognise(speech(clear[0] ?? ''))).toBe(textOf(clear[0] ?? ''));
  });
});

/** What is behind an engine, and how it is made to fail. Threads of ours are made to in `engine-threads.test.ts`. */
interface Fallible {
  readonly name: string;
  readonly create: (more: More) => Promise<Recognizer>;
  slow(): void;
  /** Breaks off what it is doing, every time until `mend`. */
  breakOff(): void;
  hang(): void;
  mend(): void;
}

const processOf = (entry: string): Omit<Fallible, 'name' | 'create'> => {
  const signal = (name: NodeJS.Signals): void => void process.kill(childProcesses(entry).at(-1) ?? 0, name);
  return {
    slow() {
      const [pid = 0] = childProcesses(entry).slice(-1);
      process.kill(pid, 'SIGSTOP');
      setTimeout(() => process.kill(pid, 'SIGCONT'), 300);
    },
    breakOff: () => signal('SIGKILL'),
    hang: () => signal('SIGSTOP'),
    mend: () => undefined,
  };
};

const FALLIBLE: readonly Fallible[] = [
  { name: 'sherpa', create: createStreaming, ...processOf('/sherpa-thread.ts') },
  { name: 'sherpa, segment-wise', create: createSegmentWise, ...processOf('/sherpa-segment-thread.ts') },
  {
    name: 'openai',
    create: createScriptedOpenAi,
    slow: () => stt.setBehaviour({ delayMs: 300 }),
    breakOff: () => stt.setBehaviour({ hangUp: 'midway' }),
    hang: () => stt.setBehaviour({ hang: true }),
    mend: () => stt.setBehaviour({ delayMs: 0, hangUp: undefined, hang: false }),
  },
  {
    name: 'deepgram',
    create: createScriptedDeepgram,
    slow: () => deepgram.setBehaviour({ delayMs: 150 }),
    breakOff() {
      deepgram.setBehaviour({ hangUpAfterBytes: 20_000 });
      deepgram.hangUp();
    },
    hang: () => deepgram.setBehaviour({ hang: true }),
    mend: () => deepgram.setBehaviour({ delayMs: 0, hangUpAfterBytes: undefined, hang: false }),
  },
];

describe.each(FALLIBLE)('$name', ({ create, slow, breakOff, hang, mend }) => {
  const start = async (more: More = {}): Promise<Recognizer> => {
    const recognizer = await create({ onTrouble: () => undefined, ...more });
    onTestFinished(async () => {
      mend();
      await recognizer.close();
    });
    return recognizer;
  };
  const samples = speech('slt-02.wav');
  const [begin, rest] = [samples.slice(0, 20_000), samples.slice(20_000)];

  test('is slow without losing anything', async () => {
    const stream = await (await start()).open();
    stream.accept(begin.slice());
    slow();
    stream.accept(rest.slice());
    expect(await stream.settle()).toBe(textOf('slt-02.wav'));
    stream.close();
  });

  test('fails with a code where it breaks off in the middle, and serves again', async () => {
    const recognizer = await start();
    const stream = await recognizer.open();
    stream.accept(begin.slice());
    breakOff();
    stream.accept(rest.slice());
    await expect(stream.settle()).rejects.toMatchObject({ code: 'engine_failed', retryable: true });
    stream.close();
    mend();
    const next = await vi.waitFor(() => recognizer.open(), { timeout: 10_000 });
    next.accept(samples.slice());
    expect(await next.settle()).toBe(textOf('slt-02.wav'));
    next.close();
  }, 20_000);

  test('is given up where it says nothing any more', async () => {
    const stream = await (await start({ stallTimeoutMs: 700 })).open();
    stream.accept(begin.slice());
    hang();
    stream.accept(rest.slice());
    const startMs = performance.now();
    await expect(stream.settle()).rejects.toMatchObject({ code: 'engine_timeout', retryable: true });
    expect(performance.now() - startMs).toBeLessThan(5_000);
    stream.close();
  });
});

test.each([
  ['sherpa', createStreaming],
  ['openai', createScriptedOpenAi],
  ['deepgram', createScriptedDeepgram],
])('%s opens no stream once it is closed, and tells those that are open', async (_, create) => {
  const recognizer = await create();
  const stream = await recognizer.open();
  const failure = new Promise((resolve) => stream.onFailure(resolve));
  stream.accept(silence(100));
  await recognizer.close();
  expect(await failure).toMatchObject({ code: 'engine_failed' });
  await expect(recognizer.open()).rejects.toMatchObject({ code: 'engine_failed' });
  await expect(stream.settle()).rejects.toMatchObject({ code: 'engine_failed' });
});

test.each([
  ['pocketsphinx', () => createPocketSphinx({ ...options, modelDir: '/nowhere' })],
  ['sherpa without a folder', () => createSherpa(options)],
  ['sherpa with an empty folder', () => createSherpa({ ...options, modelDir: '/nowhere' })],
  ['openai without a server', () => createOpenAi(options)],
  ['deepgram without a server', () => createDeepgram(options)],
])('%s says what is missing', async (_, create) => {
  await expect(create()).rejects.toMatchObject({ code: 'engine_missing' });
});

test('a model that ends its process by being no model of its kind does not end ours', async () => {
  const wrong = createSherpa({ ...SEGMENT_WISE, modelKind: 'offline-nemo-ctc' });
  await expect(wrong).rejects.toMatchObject({ code: 'engine_failed', message: expect.stringContaining('dimension') });
});

test('hotwords that a model cannot take are left out, with a word', async () => {
  const troubles: string[] = [];
  const onTrouble = ({ message }: Error): void => void troubles.push(message);
  const recognizer = await createSherpa({ ...options, modelDir: MODEL, hotwords: 'Parley', onTrouble });
  await recognizer.close();
  expect(troubles).toEqual([expect.stringContaining('PARLEY_STT_HOTWORDS')]);
});

test('a turn goes on with the next engine when the first one hangs up, and the session returns to it later', async () => {
  const fallbacks: string[] = [];
  const config = { ...options, modelDir: MODEL, deepgramUrl: deepgram.url, deepgramApiKey: 'the key' };
  const recognizer = await loadRecognizer(
    { engine: 'deepgram,sherpa', reason: '', hint: '' },
    { ...config, fallbackAfterMs: 2_500 },
    {
      ...{ clock: systemClock, onTrouble: options.onTrouble, onFailed: () => undefined },
      onFallback: (from, to) => fallbacks.push(`${from} to ${to}`),
    },
  );
  try {
    const stream = await recognizer.open();
    const samples = speech('slt-01.wav');
    stream.accept(samples.slice(0, 20_000));
    const before = deepgram.connections.length;
    deepgram.setBehaviour({ status: 503 });
    deepgram.hangUp();
    stream.accept(samples.slice(20_000));
    expect(await stream.settle()).toBe(textOf('slt-01.wav'));
    expect(fallbacks).toEqual(['deepgram to sherpa']);
    deepgram.setBehaviour({ status: undefined });
    await vi.waitFor(
      async () => {
        stream.accept(speech('slt-02.wav'));
        expect(await stream.settle()).toBe(textOf('slt-02.wav'));
        expect(deepgram.connections.length).toBeGreaterThan(before);
      },
      { timeout: 5_000, interval: 200 },
    );
    stream.close();
  } finally {
    deepgram.setBehaviour({ status: undefined });
    await recognizer.close();
  }
}, 20_000);

import { concatInt16 } from '@parley/audio';
import type { Bus } from '@parley/bus';
import { DEFAULT_SETTINGS, type SessionEvent, type Settings, VoiceError } from '@parley/protocol';
import { startRedis, type TestRedis } from '@parley/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { loadVoiceDetector } from './load-voice-detector.ts';
import type { RecognitionStream, Recognizer, RecognizerOptions } from './recognizer.ts';
import { createRecognizer as createPocketSphinx } from './recognizers/pocketsphinx.ts';
import { createRecognizer } from './recognizers/sherpa.ts';
import { connectTestBus, SpokenSession, silence, soundOf, speech, TestWorker } from './testing/lab.ts';
import type { VoiceDetector } from './voice-detector.ts';

const MODEL = new URL('../../../libs/testkit/fixtures/models/tiny-stt-en', import.meta.url).pathname;
const WEATHER = 'could you tell me what the weather will be like in dublin on friday';
const TIMER = 'please set a timer for seventeen minutes';
const TRAIN = 'what time does the next train to edinburgh leave';

let redis: TestRedis;
let bus: Bus;
let recognizer: Recognizer;
let detector: VoiceDetector;
const workers: TestWorker[] = [];
const sessions: SpokenSession[] = [];
const remains: { readonly gone: Promise<void> }[] = [];

beforeAll(async () => {
  redis = await startRedis();
  ({ bus } = await connectTestBus(redis));
  const onTrouble = (error: Error): void => {
    throw error;
  };
  recognizer = await createRecognizer({ modelDir: MODEL, slots: 0, stallTimeoutMs: 10_000, onTrouble });
  detector = await loadVoiceDetector('silero');
});

afterEach(async () => {
  for (const session of sessions.splice(0)) await session.close();
  await Promise.all(workers.splice(0).map((worker) => worker.stop()));
  await Promise.all(remains.splice(0).map(({ gone }) => gone));
});

afterAll(async () => {
  await recognizer.close();
  await detector.close();
  await bus.close();
  await redis.stop();
});

async function startWorker(engine = recognizer): Promise<TestWorker> {
  const worker = await TestWorker.start(redis, { recognizer: engine, detector });
  workers.push(worker);
  return worker;
}

/** As a crash would; what is left of it in this process is waited for after the test. */
async function kill(worker: TestWorker): Promise<void> {
  workers.splice(workers.indexOf(worker), 1);
  remains.push(await worker.kill());
}

async function openSession(settings: Partial<Settings> = {}): Promise<SpokenSession> {
  const session = await SpokenSession.open(bus, { turnDetection: 'static', ...settings });
  sessions.push(session);
  return session;
}

/** What an undisturbed listener reports. */
async function undisturbed(audio: Int16Array, settings: Partial<Settings> = {}): Promise<string[]> {
  const worker = await startWorker();
  const spoken = await openSession(settings);
  await spoken.offer();
  await spoken.speak(audio);
  await untilHeard(spoken);
  await worker.stop();
  workers.splice(workers.indexOf(worker), 1);
  return spoken.report();
}

/** Waits until only silence is left. */
async function untilHeard(spoken: SpokenSession): Promise<void> {
  await vi.waitFor(
    async () => {
      const found = await spoken.inspect();
      expect(found?.hearing.open).toBe(false);
      expect(spoken.endSample - (found?.audioCursor ?? 0)).toBeLessThan(22_000);
    },
    { timeout: 15_000, interval: 20 },
  );
}

describe('a listener', () => {
  test('reports a sentence as it is spoken', async () => {
    await startWorker();
    const spoken = await openSession();
    await spoken.offer();
    await spoken.speak(concatInt16([speech('slt-01.wav'), silence(1_000)]), { live: true });
    const [turn] = await spoken.turns(1);
    expect(turn).toMatchObject({ utterance: 1, text: WEATHER });
    const types = (await spoken.events()).map(({ type }) => type);
    expect(types.filter((type) => type !== 'transcript.partial')).toEqual([
      ...['session.moved', 'lease.moved', 'speech.started', 'speech.confirmed', 'speech.stopped'],
      ...['transcript.final', 'turn.eager', 'turn.ended'],
    ]);
    const partials = await spoken.events('transcript.partial');
    expect(partials.length).toBeGreaterThan(5);
    expect(partials.length).toBeLessThan(40);
    expect(new Set(partials.map(({ text }) => text)).size).toBe(partials.length);
    const [confirmed] = await spoken.events('speech.confirmed');
    // To the nearest frame of 32 ms.
    expect(confirmed?.samples).toBeGreaterThan(((DEFAULT_SETTINGS.confirmMs - 16) * 16_000) / 1_000);
    expect(new Set((await spoken.events('speech.started', 'turn.ended')).map(({ trace }) => trace)).size).toBe(1);
  });

  test('puts a pause into one utterance when it is short, and between two when it is long', async () => {
    await startWorker();
    const audio = concatInt16([speech('pause-01.wav'), silence(2_500)]);
    const [patient, hasty] = [await openSession({ silenceMs: 2_000 }), await openSession({ silenceMs: 500 })];
    for (const spoken of [patient, hasty]) {
      await spoken.offer();
      await spoken.speak(audio);
    }
    const [one] = await patient.turns(1);
    expect(one?.text.startsWith('hello can you hear me now i would like to book a table')).toBe(true);
    const two = await hasty.turns(2);
    expect(two.map(({ utterance, text }) => [utterance, text.split(' ')[0]])).toEqual([
      [1, 'hello'],
      [2, 'i'],
    ]);
    expect(await patient.events('turn.ended')).toHaveLength(1);
  });

  test('hears many sessions at once, each its own', async () => {
    await startWorker();
    const files = { 'slt-01.wav': WEATHER, 'slt-02.wav': TIMER, 'rms-01.wav': TRAIN };
    const spoken = await Promise.all(
      Array.from({ length: 12 }, async (_, index) => {
        const [file, text] = Object.entries(files)[index % 3] ?? ['', ''];
        const session = await openSession();
        await session.offer();
        return { session, file, text };
      }),
    );
    await Promise.all(
      spoken.map(({ session, file }) => session.speak(concatInt16([speech(file), silence(1_000)]), { live: true })),
    );
    for (const { session, text } of spoken) expect((await session.turns(1))[0]?.text).toBe(text);
  });

  test('moves the cursor in silence, without an event', async () => {
    await startWorker();
    const spoken = await openSession();
    await spoken.offer();
    await spoken.speak(silence(5_000));
    await untilHeard(spoken);
    expect((await spoken.inspect())?.audioCursor).toBeGreaterThan(3.5 * 16_000);
    expect(await spoken.report()).toEqual([]);
    expect(await redis.client.xlen(`s:{${spoken.session}}:in`)).toBeLessThan(40);
  });

  test('settles long speech before it ends', async () => {
    await startWorker();
    const spoken = await openSession();
    await spoken.offer();
    const files = ['slt-01.wav', 'slt-03.wav', 'slt-05.wav', 'slt-02.wav'];
    // Without the silence between sentences.
    const gapless = files.map((file) => speech(file).slice(4_800, -8_000));
    await spoken.speak(concatInt16([...gapless, silence(1_500)]));
    const [turn] = await spoken.turns(1);
    const finals = await spoken.events('transcript.final');
    expect(finals.length).toBeGreaterThanOrEqual(2);
    expect(finals.map(({ text }) => text).join(' ')).toBe(turn?.text);
    for (const [index, { fromSample, toSample }] of finals.entries()) {
      expect(toSample - fromSample).toBeLessThan(5.5 * 16_000);
      if (index > 0) expect(fromSample).toBeGreaterThanOrEqual(finals[index - 1]?.toSample ?? 0);
    }
  });

  test('ends the turn at once on a commit, after all that was sent', async () => {
    await startWorker();
    const spoken = await openSession({ silenceMs: 5_000 });
    await spoken.offer();
    await spoken.speak(speech('slt-02.wav'));
    await spoken.write({ type: 'input.commit' });
    const [turn] = await spoken.turns(1);
    expect(turn?.text).toBe(TIMER);
    await spoken.speak(concatInt16([speech('rms-01.wav'), silence(100)]));
    await spoken.write({ type: 'input.commit' });
    expect((await spoken.turns(2))[1]).toMatchObject({ utterance: 2, text: TRAIN });
  });

  test('takes a changed silence from then on', async () => {
    await startWorker();
    const spoken = await openSession({ silenceMs: 5_000 });
    await spoken.offer();
    await spoken.speak(concatInt16([speech('slt-02.wav'), silence(600)]));
    await spoken.until('transcript.final');
    await spoken.write({ type: 'session.updated', settings: { ...DEFAULT_SETTINGS, silenceMs: 1_000 } });
    await spoken.speak(silence(1_500));
    expect((await spoken.turns(1))[0]?.text).toBe(TIMER);
  });

  test('jumps over audio that is missing', async () => {
    await startWorker();
    const spoken = await openSession();
    await spoken.offer();
    await spoken.speak(speech('slt-02.wav'));
    spoken.lose(20 * 16_000);
    await spoken.speak(silence(500));
    spoken.lose(4_000);
    await spoken.speak(concatInt16([speech('rms-01.wav'), silence(1_500)]));
    expect((await spoken.turns(2)).map(({ text }) => text)).toEqual([TIMER, TRAIN]);
  });

  test('leaves a session that is closed', async () => {
    const worker = await startWorker();
    const spoken = await openSession();
    await spoken.offer();
    await spoken.until('lease.moved');
    await spoken.close();
    await vi.waitFor(async () => expect(await worker.metrics.render()).toContain('parley_stt_sessions 0'));
  });

  test('finds out that a session is over although nobody told', async () => {
    const worker = await startWorker();
    const spoken = await openSession();
    await spoken.offer();
    await spoken.until('lease.moved');
    await redis.client.del(`s:{${spoken.session}}`);
    await vi.waitFor(async () => expect(await worker.metrics.render()).toContain('parley_stt_sessions 0'), {
      timeout: 5_000,
    });
  });

  test('leaves audio in Redis while the recogniser is behind, and hears all of it later', async () => {
    let isBehind = true;
    const slow: Recognizer = {
      ...{ name: 'slow', languages: [], slots: 4, close: async () => undefined },
      async open(): Promise<RecognitionStream> {
        const stream = await recognizer.open();
        return Object.defineProperty(stream, 'backlogMs', { get: () => (isBehind ? 5_000 : 0) });
      },
    };
    const sentence = concatInt16([speech('slt-02.wav'), silence(9_000)]);
    const audio = concatInt16([sentence, sentence, sentence]);
    const expected = await undisturbed(audio);
    const worker = await startWorker(slow);
    const spoken = await openSession();
    await spoken.offer();
    await spoken.until('lease.moved');
    await spoken.speak(audio);
    await vi.waitFor(async () => expect(await worker.metrics.render()).toContain('parley_stt_reading_paused_total 1'));
    isBehind = false;
    await spoken.turns(3);
    expect(await spoken.report()).toEqual(expected);
  });

  test('does not take a session for which the engine has no room', async () => {
    const worker = await startWorker({
      ...{ name: 'absent', languages: [], slots: 4, close: async () => undefined },
      open: () => Promise.reject(new VoiceError('engine_failed')),
    });
    const spoken = await openSession();
    await spoken.offer();
    await vi.waitFor(async () => expect(await worker.metrics.render()).toContain('result="failed"} 1'));
    expect((await spoken.inspect())?.listener).toBeUndefined();
  });

  test('reports a failed engine and gives the session up', async () => {
    let failures = 0;
    const broken: Recognizer = {
      ...{ name: 'broken', languages: [], slots: 4, close: async () => undefined },
      open: async (): Promise<RecognitionStream> => ({
        ...{ accept() {}, onPartial() {}, onFailure() {}, abandon() {}, close() {}, backlogMs: 0 },
        settle: () => Promise.reject(new VoiceError('engine_failed', `failure ${++failures}`)),
      }),
    };
    const worker = await startWorker(broken);
    const spoken = await openSession();
    await spoken.offer();
    await spoken.speak(concatInt16([speech('slt-02.wav'), silence(1_500)]));
    const [failed] = await spoken.until('work.failed');
    expect(failed).toMatchObject({ stage: 'listen', utterance: 1, code: 'engine_failed', retryable: true });
    await vi.waitFor(async () => expect(await worker.metrics.render()).toContain('parley_stt_sessions 0'));
    await worker.stop();
    workers.splice(workers.indexOf(worker), 1);
    // Nothing was settled, so the next one hears it all.
    await startWorker();
    await spoken.offer();
    expect((await spoken.turns(1))[0]?.text).toBe(TIMER);
  });

  test('waits for a slow recogniser without losing audio, and times a hung one out', async () => {
    const hung: Recognizer = {
      ...{ name: 'hung', languages: [], slots: 4, close: async () => undefined },
      open: async (): Promise<RecognitionStream> => ({
        ...{ accept() {}, onPartial() {}, onFailure() {}, abandon() {}, close() {}, backlogMs: 0 },
        settle: () => new Promise(() => undefined),
      }),
    };
    await startWorker(hung);
    const spoken = await openSession();
    await spoken.offer();
    await spoken.speak(concatInt16([speech('slt-02.wav'), silence(500)]));
    const [failed] = await spoken.until('work.failed');
    expect(failed).toMatchObject({ stage: 'listen', code: 'engine_timeout' });
  });
});

/** Models say when a word was said within this, more or less. */
const WORD_SLACK_SAMPLES = 4_800;

/** The words of settled stretches: each inside of its stretch, and in order over all of them. */
function wordsOf(finals: readonly SessionEvent<'transcript.final'>[]) {
  let atSample = 0;
  return finals.flatMap(({ text, fromSample, toSample, words = [] }) => {
    expect(words.map(({ word }) => word).join(' ')).toBe(text);
    for (const { startSample, endSample } of words) {
      expect(startSample).toBeGreaterThanOrEqual(Math.max(atSample, fromSample));
      expect(endSample).toBeGreaterThan(startSample);
      expect(endSample).toBeLessThanOrEqual(toSample);
      atSample = startSample;
    }
    return words;
  });
}

describe.each([
  [
    'sherpa',
    (options: Pick<RecognizerOptions, 'slots' | 'stallTimeoutMs' | 'onTrouble'>) =>
      createRecognizer({ ...options, modelDir: MODEL }),
  ],
  ['pocketsphinx', createPocketSphinx],
])('the words that %s understands', (_, create) => {
  let engine: Recognizer;
  beforeAll(async () => {
    engine = await create({
      slots: 4,
      stallTimeoutMs: 10_000,
      onTrouble: (error) => expect.unreachable(error.message),
    });
  });
  afterAll(() => engine.close());

  /** Expects the first and the last word of a recording where its sound is in the session. */
  function expectSaid(finals: readonly SessionEvent<'transcript.final'>[], file: string, atSample: number): void {
    const words = wordsOf(finals);
    const { startSample, endSample } = soundOf(speech(file));
    expect(words.length).toBeGreaterThan(5);
    expect(Math.abs((words[0]?.startSample ?? 0) - (atSample + startSample))).toBeLessThan(WORD_SLACK_SAMPLES);
    expect(Math.abs((words.at(-1)?.endSample ?? 0) - (atSample + endSample))).toBeLessThan(WORD_SLACK_SAMPLES);
  }

  test('have their place in the session, also in its second utterance and after a gap', async () => {
    await startWorker(engine);
    const spoken = await openSession();
    await spoken.offer();
    const starts: number[] = [];
    for (const file of ['slt-01.wav', 'rms-01.wav']) {
      starts.push(spoken.endSample);
      await spoken.speak(concatInt16([speech(file), silence(1_500)]));
    }
    await spoken.turns(2);
    spoken.lose(20 * 16_000);
    starts.push(spoken.endSample);
    await spoken.speak(concatInt16([speech('slt-01.wav'), silence(1_500)]));
    await spoken.turns(3);
    const finals = await spoken.events('transcript.final');
    for (const [index, file] of ['slt-01.wav', 'rms-01.wav', 'slt-01.wav'].entries()) {
      expectSaid(
        finals.filter(({ utterance }) => utterance === index + 1),
        file,
        starts[index] ?? 0,
      );
    }
    wordsOf(finals);
  }, 30_000);

  test('have their place before and behind a cut in long speech', async () => {
    await startWorker(engine);
    const say = async (...parts: readonly Int16Array[]) => {
      const spoken = await openSession();
      await spoken.offer();
      await spoken.speak(concatInt16([...parts, silence(1_500)]));
      await spoken.turns(1);
      return spoken.events('transcript.final');
    };
    // Without the silence between sentences.
    const [weather, sandwich, people] = ['slt-01.wav', 'slt-03.wav', 'slt-05.wav'].map((file) =>
      speech(file).slice(4_800, -8_000),
    ) as [Int16Array, Int16Array, Int16Array];
    const finals = await say(weather, sandwich, people);
    const words = wordsOf(finals);
    const [cutSample = 0] = finals.map(({ toSample }) => toSample);
    expect(finals).toHaveLength(2);
    const lead = silence(1_000);
    for (const [part, word, startSample, isBehind] of [
      [weather, 'dublin', 0, false],
      [people, 'people', weather.length + sandwich.length, true],
    ] as const) {
      const alone = wordsOf(await say(lead, part)).find((candidate) => candidate.word === word);
      const found = words.find((candidate) => candidate.word === word);
      const expectedSample = startSample + (alone?.startSample ?? Number.NaN) - lead.length;
      expect(Math.abs((found?.startSample ?? 0) - expectedSample)).toBeLessThan(WORD_SLACK_SAMPLES);
      expect(expectedSample > cutSample).toBe(isBehind);
    }
  }, 30_000);

  test('have their place when a successor hears them', async () => {
    const first = await startWorker(engine);
    const spoken = await openSession();
    await spoken.offer();
    await spoken.until('lease.moved');
    await spoken.speak(concatInt16([speech('slt-01.wav'), silence(1_500)]));
    await spoken.turns(1);
    const startSample = spoken.endSample;
    const samples = speech('rms-01.wav');
    await spoken.speak(samples.slice(0, 24_000));
    await spoken.until('speech.started', 2);
    await kill(first);
    await startWorker(engine);
    await spoken.offer();
    await spoken.speak(concatInt16([samples.slice(24_000), silence(1_500)]));
    await spoken.turns(2);
    const finals = await spoken.events('transcript.final');
    expectSaid(
      finals.filter(({ utterance }) => utterance === 2),
      'rms-01.wav',
      startSample,
    );
    wordsOf(finals);
  }, 30_000);
});

test('an engine that knows no times tells none', async () => {
  const timeless: Recognizer = {
    ...{ name: 'timeless', languages: [], slots: 4, close: async () => undefined },
    async open(): Promise<RecognitionStream> {
      const stream = await recognizer.open();
      const settle = stream.settle.bind(stream);
      return Object.assign(stream, { settle: () => settle() });
    },
  };
  await startWorker(timeless);
  const spoken = await openSession();
  await spoken.offer();
  await spoken.speak(concatInt16([speech('slt-02.wav'), silence(1_500)]));
  const [final] = await spoken.until('transcript.final');
  expect(final).toMatchObject({ text: TIMER });
  expect(final).not.toHaveProperty('words');
});

describe('a pool of listeners', () => {
  test('takes no more sessions than it has slots, and goes on when one is free', async () => {
    const worker = await startWorker({
      ...{ name: 'small', languages: [], slots: 2, open: () => recognizer.open(), close: async () => undefined },
    });
    const spoken = await Promise.all([openSession(), openSession(), openSession()]);
    for (const session of spoken) await session.offer();
    await vi.waitFor(async () => expect(await worker.metrics.render()).toContain('parley_stt_sessions 2'));
    const held = await Promise.all(spoken.map(async (session) => (await session.inspect())?.listener !== undefined));
    expect(held.filter(Boolean)).toHaveLength(2);
    await spoken[held.indexOf(true)]?.close();
    await spoken[held.indexOf(false)]?.until('lease.moved');
  });

  test('an offer that is old is refused', async () => {
    await startWorker();
    const spoken = await openSession();
    await spoken.offer();
    await spoken.until('lease.moved');
    await bus.queues.listen.offer(`${spoken.session}.old`, { session: spoken.session, expect: '' });
    await spoken.speak(concatInt16([speech('slt-02.wav'), silence(1_000)]));
    await spoken.turns(1);
    expect(await spoken.events('lease.moved')).toHaveLength(1);
  });

  const AUDIO = concatInt16([speech('pause-01.wav'), speech('slt-01.wav'), silence(1_500)]);
  let report: Promise<string[]> | undefined;
  function undisturbedReport(): Promise<string[]> {
    report ??= undisturbed(AUDIO);
    return report;
  }

  test.each(Array.from({ length: 12 }, (_, index) => 400 + index * 860))(
    'a listener killed when %i ms were sent is followed by one that loses and repeats nothing',
    async (killedAtMs) => {
      const expected = await undisturbedReport();
      const first = await startWorker();
      const spoken = await openSession();
      await spoken.offer();
      await spoken.until('lease.moved');
      const cut = killedAtMs * 16;
      await spoken.speak(AUDIO.slice(0, cut));
      // Somewhere in the middle of what it makes of it.
      await new Promise((resolve) => setTimeout(resolve, killedAtMs % 50));
      await kill(first);
      await startWorker();
      await spoken.offer();
      await spoken.speak(AUDIO.slice(cut));
      await untilHeard(spoken);
      expect(await spoken.report()).toEqual(expected);
    },
    30_000,
  );

  test.each([300, 900, 1_700, 2_600, 3_400])(
    'a listener that lives on when another takes its session after %i ms is refused, and says nothing twice',
    async (takenAtMs) => {
      const expected = await undisturbedReport();
      await startWorker();
      const spoken = await openSession();
      await spoken.offer();
      await spoken.until('lease.moved');
      const cut = takenAtMs * 16;
      await spoken.speak(AUDIO.slice(0, cut));
      await startWorker();
      // Taken by either: also by the one that has it already.
      await spoken.offer();
      await spoken.speak(AUDIO.slice(cut));
      await spoken.until('lease.moved', 2);
      await untilHeard(spoken);
      expect(await spoken.report()).toEqual(expected);
    },
    30_000,
  );

  test('a listener that drains goes on until its successor has the session', async () => {
    const expected = await undisturbedReport();
    const first = await startWorker();
    const spoken = await openSession();
    await spoken.offer();
    await spoken.until('lease.moved');
    await spoken.speak(AUDIO.slice(0, 30_000));
    const stopped = first.stop();
    workers.splice(workers.indexOf(first), 1);
    const [offered] = await spoken.until('lease.offered');
    expect(offered?.fence).toBe((await spoken.inspect())?.listener?.fence);
    await startWorker();
    await spoken.offer();
    await spoken.speak(AUDIO.slice(30_000));
    await stopped;
    await untilHeard(spoken);
    expect(await spoken.report()).toEqual(expected);
  });

  test('a commit that the predecessor left undone is done by the successor', async () => {
    const first = await startWorker();
    const spoken = await openSession({ silenceMs: 5_000 });
    await spoken.offer();
    await spoken.until('lease.moved');
    await spoken.speak(speech('slt-02.wav').slice(0, 16_000));
    await spoken.until('speech.started');
    await kill(first);
    await spoken.speak(speech('slt-02.wav').slice(16_000));
    await spoken.write({ type: 'input.commit' });
    await startWorker();
    await spoken.offer();
    expect((await spoken.turns(1))[0]?.text).toBe(TIMER);
  });
});

describe('when Redis', () => {
  const audio = concatInt16([speech('slt-01.wav'), silence(1_500)]);

  test('is restarted in the middle of speech, nothing is lost and nothing repeated', async () => {
    const expected = await undisturbed(audio);
    await startWorker();
    const spoken = await openSession();
    await spoken.offer();
    await spoken.until('lease.moved');
    await spoken.speak(audio.slice(0, 24_000), { live: true });
    await redis.restart();
    await spoken.speak(audio.slice(24_000), { live: true });
    await untilHeard(spoken);
    expect(await spoken.report()).toEqual(expected);
  }, 40_000);

  test('does not answer for longer than a write waits, it is not written twice', async () => {
    const expected = await undisturbed(audio);
    await startWorker();
    const spoken = await openSession();
    await spoken.offer();
    await spoken.until('lease.moved');
    // Everything is sent; what the listener makes of it falls into the silence of Redis.
    await spoken.speak(audio);
    await redis.freeze();
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    await redis.thaw();
    await untilHeard(spoken);
    expect(await spoken.report()).toEqual(expected);
  }, 40_000);
});

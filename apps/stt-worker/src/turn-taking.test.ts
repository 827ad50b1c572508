import { concatInt16 } from '@parley/audio';
import type { Bus } from '@parley/bus';
import { DEFAULT_SETTINGS, type Settings } from '@parley/protocol';
import { systemClock } from '@parley/runtime';
import { startRedis, type TestRedis } from '@parley/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { loadVoiceDetector } from './load-voice-detector.ts';
import type { RecognitionStream, Recognizer } from './recognizer.ts';
import { connectTestBus, SpokenSession, silence, speech, TestWorker } from './testing/lab.ts';
import type { SoundJudge } from './turn-end/sound-judge.ts';
import type { WordsJudge } from './turn-end/words-judge.ts';
import type { VoiceDetector } from './voice-detector.ts';

/** Nothing is known of how turns end in it: a text in it is as likely to be whole as not. */
const UNKNOWN_LANGUAGE = 'sv';
const WORDS = speech('slt-01.wav').slice(4_096, 4_096 + 12_800);

let redis: TestRedis;
let bus: Bus;
let detector: VoiceDetector;
const workers: TestWorker[] = [];
const sessions: SpokenSession[] = [];
const remains: { readonly gone: Promise<void> }[] = [];

beforeAll(async () => {
  redis = await startRedis();
  ({ bus } = await connectTestBus(redis));
  detector = await loadVoiceDetector('silero');
});

afterEach(async () => {
  for (const session of sessions.splice(0)) await session.close();
  await Promise.all(workers.splice(0).map((worker) => worker.stop()));
  await Promise.all(remains.splice(0).map(({ gone }) => gone));
});

afterAll(async () => {
  await detector.close();
  await bus.close();
  await redis.stop();
});

/** Understands what it is told, a text for each stretch of speech. */
function scripted(...texts: string[]): Recognizer {
  const open = async (): Promise<RecognitionStream> => ({
    ...{ accept() {}, onPartial() {}, onFailure() {}, abandon() {}, close() {}, backlogMs: 0 },
    settle: async () => texts.shift() ?? '',
  });
  return { name: 'scripted', languages: [], slots: 4, open, close: async () => undefined };
}

/** Understands speech as it goes on: the partial text of a segment that has so many samples, and the text that it settles. */
function partly(partial: (samples: number) => string, settled: string): Recognizer {
  const open = async (): Promise<RecognitionStream> => {
    let tell: (text: string) => void = () => undefined;
    let samples = 0;
    return {
      ...{ onFailure() {}, abandon() {}, close() {}, backlogMs: 0 },
      onPartial(handler) {
        tell = handler;
      },
      accept(more) {
        samples += more.length;
        tell(partial(samples));
      },
      settle: async () => settled,
    };
  };
  return { name: 'partly', languages: [], slots: 4, open, close: async () => undefined };
}

async function startWorker(
  recognizer: Recognizer,
  soundJudge?: SoundJudge,
  soundLimitMs?: number,
  wordsJudge?: WordsJudge,
): Promise<TestWorker> {
  const worker = await TestWorker.start(redis, { recognizer, detector, soundJudge, soundLimitMs, wordsJudge });
  workers.push(worker);
  return worker;
}

async function openSession(settings: Partial<Settings> = {}): Promise<SpokenSession> {
  const session = await SpokenSession.open(bus, { language: UNKNOWN_LANGUAGE, ...settings });
  sessions.push(session);
  await session.offer();
  return session;
}

/** A session of which nobody has heard anything yet, and all of which has been said. */
async function openBacklog(samples: Int16Array, settings: Partial<Settings>): Promise<SpokenSession> {
  const session = await SpokenSession.open(bus, { language: UNKNOWN_LANGUAGE, ...settings });
  sessions.push(session);
  await session.speak(samples);
  await session.offer();
  return session;
}

/** What was said about the ends of turns, in order, with the texts. */
async function ends(spoken: SpokenSession): Promise<string[]> {
  const events = await spoken.events('turn.eager', 'turn.resumed', 'turn.ended');
  return events.map((event) => (event.type === 'turn.resumed' ? event.type : `${event.type} ${event.text}`));
}

const waitMs = ({ sample, decidedSample }: { sample: number; decidedSample: number }): number =>
  (decidedSample - sample) / 16;

describe('a turn', () => {
  test('may be over, is not, may be again, and is', async () => {
    await startWorker(scripted('jag vill', 'boka ett bord'));
    const spoken = await openSession();
    await spoken.speak(concatInt16([silence(300), WORDS, silence(550), WORDS, silence(2_000)]), { live: true });
    const [turn] = await spoken.turns(1);
    expect(await ends(spoken)).toEqual([
      ...['turn.eager jag vill', 'turn.resumed', 'turn.eager jag vill boka ett bord'],
      'turn.ended jag vill boka ett bord',
    ]);
    expect(turn && waitMs(turn)).toBeLessThanOrEqual(DEFAULT_SETTINGS.maxWaitMs);
    const [eager] = await spoken.events('turn.eager');
    expect(eager?.probability).toBeGreaterThanOrEqual(DEFAULT_SETTINGS.eagerProbability);
    expect(eager?.trace).toBe(turn?.trace);
  });

  test('that is whole is told as one that may be over before its pause is one, and not again', async () => {
    await startWorker(partly(() => 'what is the time', 'what is the time'));
    const spoken = await openSession({ language: 'en' });
    await spoken.speak(concatInt16([silence(300), WORDS, silence(2_000)]), { live: true });
    await spoken.turns(1);
    const events = await spoken.events('turn.eager', 'turn.resumed', 'speech.stopped', 'turn.ended');
    expect(events.map(({ type }) => type)).toEqual(['turn.eager', 'speech.stopped', 'turn.ended']);
  });

  test('that seemed whole is told anew where more was understood at its pause', async () => {
    await startWorker(partly(() => 'what is the time', 'what is the time now'));
    const spoken = await openSession({ language: 'en' });
    await spoken.speak(concatInt16([silence(300), WORDS, silence(2_000)]), { live: true });
    await spoken.turns(1);
    expect(await ends(spoken)).toEqual([
      ...['turn.eager what is the time', 'turn.eager what is the time now', 'turn.ended what is the time now'],
    ]);
  });

  test('that seemed whole is taken back where not even a pause follows', async () => {
    const begun = 'what is the time';
    const whole = `${begun} in dublin`;
    await startWorker(partly((samples) => (samples < 2 * WORDS.length ? begun : `${begun} in`), whole));
    const spoken = await openSession({ language: 'en' });
    await spoken.speak(concatInt16([silence(300), WORDS, silence(160), WORDS, silence(3_000)]), { live: true });
    await spoken.turns(1);
    expect(await ends(spoken)).toEqual([
      ...[`turn.eager ${begun}`, 'turn.resumed', `turn.eager ${whole}`, `turn.ended ${whole}`],
    ]);
  });

  test('that is not whole is not told before its pause', async () => {
    await startWorker(partly(() => 'what is the', 'what is the time'));
    const spoken = await openSession({ language: 'en' });
    await spoken.speak(concatInt16([silence(300), WORDS, silence(2_000)]), { live: true });
    await spoken.turns(1);
    expect(await ends(spoken)).toEqual(['turn.eager what is the time', 'turn.ended what is the time']);
  });

  test('is ended by a successor that says nothing twice', async () => {
    const first = await startWorker(scripted('jag vill boka'));
    const spoken = await openSession();
    await spoken.speak(concatInt16([silence(300), WORDS, silence(500)]), { live: true });
    await spoken.until('turn.eager');
    workers.splice(workers.indexOf(first), 1);
    remains.push(await first.kill());
    await startWorker(scripted());
    await spoken.offer();
    await spoken.until('lease.moved', 2);
    await spoken.speak(silence(2_000), { live: true });
    await spoken.turns(1);
    expect(await ends(spoken)).toEqual(['turn.eager jag vill boka', 'turn.ended jag vill boka']);
  });

  test('goes on under a successor, which takes back what its predecessor said', async () => {
    const first = await startWorker(scripted('jag vill'));
    const spoken = await openSession();
    await spoken.speak(concatInt16([silence(300), WORDS, silence(500)]), { live: true });
    await spoken.until('turn.eager');
    workers.splice(workers.indexOf(first), 1);
    remains.push(await first.kill());
    await startWorker(scripted('boka'));
    await spoken.offer();
    await spoken.until('lease.moved', 2);
    await spoken.speak(concatInt16([WORDS, silence(2_000)]), { live: true });
    await spoken.turns(1);
    expect(await ends(spoken)).toEqual([
      ...['turn.eager jag vill', 'turn.resumed', 'turn.eager jag vill boka', 'turn.ended jag vill boka'],
    ]);
  });

  test('of a backlog is divided as a live one is', async () => {
    await startWorker(scripted('what is the time', 'and in dublin', 'what is the time', 'and in dublin'));
    const audio = concatInt16([silence(300), WORDS, silence(1_100), WORDS, silence(2_500)]);
    const live = await openSession({ language: 'en' });
    await live.speak(audio, { live: true });
    await live.turns(2);
    const late = await openSession({ language: 'en' });
    await late.speak(audio);
    await late.turns(2);
    const texts = async (spoken: SpokenSession) => (await spoken.events('turn.ended')).map(({ text }) => text);
    expect(await texts(late)).toEqual(['what is the time', 'and in dublin']);
    expect(await texts(late)).toEqual(await texts(live));
  });

  test.each([
    { language: 'en', text: 'what time does the next train leave', min: 250, max: 400 },
    { language: 'en', text: 'what time does the next', min: 1_000, max: 1_850 },
    { language: 'de', text: 'ich möchte gern einen', min: 1_400, max: 1_850 },
    { language: 'ja', text: '明日の天気はどうですか', min: 250, max: 400 },
  ])('waits for its words: $text', async ({ language, text, min, max }) => {
    await startWorker(scripted(text));
    const spoken = await openSession({ language });
    await spoken.speak(concatInt16([silence(300), WORDS, silence(2_500)]));
    const [turn] = await spoken.turns(1);
    expect(turn?.text).toBe(text);
    expect(turn && waitMs(turn)).toBeGreaterThanOrEqual(min);
    expect(turn && waitMs(turn)).toBeLessThanOrEqual(max);
  });

  test('ends when the user says so, and only then', async () => {
    await startWorker(scripted('hello', 'there'));
    const spoken = await openSession({ language: 'en', turnDetection: 'manual' });
    await spoken.speak(concatInt16([silence(300), WORDS, silence(2_500), WORDS, silence(2_500)]));
    await spoken.until('transcript.final', 2);
    await vi.waitFor(async () => expect((await spoken.inspect())?.audioCursor).toBeGreaterThan(90_000));
    expect(await ends(spoken)).toEqual([]);
    await spoken.write({ type: 'input.commit' });
    await spoken.turns(1);
    expect(await ends(spoken)).toEqual(['turn.ended hello there']);
  });

  test('has more or less time as patience changes', async () => {
    await startWorker(scripted('jag vill', 'boka'));
    const spoken = await openSession();
    await spoken.speak(concatInt16([silence(300), WORDS, silence(900)]), { live: true });
    await spoken.until('turn.eager');
    expect(await spoken.events('turn.ended')).toEqual([]);
    const settings = { ...DEFAULT_SETTINGS, language: UNKNOWN_LANGUAGE, patience: 0 };
    await spoken.write({ type: 'session.updated', settings });
    await spoken.speak(silence(200), { live: true });
    const [turn] = await spoken.turns(1);
    expect(turn && waitMs(turn)).toBeLessThan(1_200);
    await spoken.speak(concatInt16([WORDS, silence(1_000)]), { live: true });
    const [, second] = await spoken.turns(2);
    expect(second && waitMs(second)).toBeLessThan(800);
  });

  test('of a cough is over before anybody waits', async () => {
    await startWorker(scripted(''));
    const spoken = await openSession();
    await spoken.speak(concatInt16([silence(300), WORDS.slice(0, 4_000), silence(1_000)]));
    const [turn] = await spoken.turns(1);
    expect(turn?.text).toBe('');
    expect(turn && waitMs(turn)).toBeLessThanOrEqual(400);
    expect(await ends(spoken)).toEqual(['turn.ended ']);
  });

  test('is ended when it has lasted too long', async () => {
    await startWorker(scripted(...Array.from({ length: 20 }, (_, index) => `och ${index}`)));
    const spoken = await openSession({ maxTurnMs: 3_000 });
    await spoken.speak(concatInt16([silence(300), ...Array.from({ length: 6 }, () => [WORDS, silence(400)]).flat()]));
    const [turn] = await spoken.turns(1);
    expect(turn?.text).toContain('och 2');
    expect(turn && waitMs(turn)).toBeLessThan(400);
  });
});

describe('a language model', () => {
  test.each([
    { probability: 0.97, min: 250, max: 700 },
    { probability: 0.03, min: 1_700, max: 1_850 },
    { probability: undefined, min: 1_300, max: 1_400 },
  ])('that is asked about the words counts: $probability', async ({ probability, min, max }) => {
    const asked: string[] = [];
    const wordsJudge: WordsJudge = {
      score: async (text) => {
        asked.push(text);
        return probability;
      },
    };
    await startWorker(scripted('jag vill boka'), undefined, undefined, wordsJudge);
    const spoken = await openSession();
    await spoken.speak(concatInt16([silence(300), WORDS, silence(2_500)]));
    const [turn] = await spoken.turns(1);
    expect(turn && waitMs(turn)).toBeGreaterThanOrEqual(min);
    expect(turn && waitMs(turn)).toBeLessThanOrEqual(max);
    expect(asked).toEqual(['jag vill boka']);
  });
});

describe('the sound of a turn', () => {
  test.each([
    { probability: 0.97, min: 250, max: 800 },
    { probability: 0.03, min: 1_400, max: 1_850 },
    { probability: undefined, min: 1_300, max: 1_400 },
  ])('counts: $probability', async ({ probability, min, max }) => {
    const asked: number[] = [];
    const judge: SoundJudge = {
      maxSamples: 128_000,
      score: async (pcm) => {
        asked.push(pcm.length);
        return probability;
      },
      close: async () => undefined,
    };
    await startWorker(scripted('jag vill boka'), judge);
    const spoken = await openSession();
    await spoken.speak(concatInt16([silence(4_096), WORDS, silence(2_500)]));
    const [turn] = await spoken.turns(1);
    expect(turn && waitMs(turn)).toBeGreaterThanOrEqual(min);
    expect(turn && waitMs(turn)).toBeLessThanOrEqual(max);
    // Once a pause, with half a second before the speech and the beginning of the silence.
    expect(asked).toHaveLength(1);
    expect(asked[0]).toBeGreaterThan(WORDS.length + 8_000);
    expect(asked[0]).toBeLessThan(WORDS.length + 8_000 + 6_000);
  });

  test('is that of the whole turn, not of its last piece', async () => {
    const asked: number[] = [];
    const judge: SoundJudge = {
      maxSamples: 128_000,
      score: async (pcm) => void asked.push(pcm.length),
      close: async () => undefined,
    };
    await startWorker(scripted('jag', 'vill', 'boka'), judge);
    const spoken = await openSession();
    await spoken.speak(concatInt16([silence(1_000), WORDS, silence(400), WORDS, silence(400), WORDS, silence(2_500)]));
    await spoken.turns(1);
    expect(asked).toHaveLength(3);
    expect(asked[2]).toBeGreaterThan(3 * WORDS.length);
  });

  /** Answers when the test does. */
  class AskedJudge implements SoundJudge {
    readonly maxSamples = 128_000;
    readonly asked: { readonly signal: AbortSignal; answer(probability: number | undefined): void }[] = [];

    score(_: Int16Array, signal: AbortSignal): Promise<number | undefined> {
      const { promise, resolve } = Promise.withResolvers<number | undefined>();
      this.asked.push({ signal, answer: resolve });
      return promise;
    }

    async close(): Promise<void> {}
  }

  const isHeard = (spoken: SpokenSession, sample: number): Promise<void> =>
    vi.waitFor(async () => expect((await spoken.inspect())?.audioCursor).toBeGreaterThan(sample));

  test('is waited for by a turn that its words would end, which is called plausible meanwhile', async () => {
    const judge = new AskedJudge();
    await startWorker(scripted('what is the time'), judge, 10_000);
    const spoken = await openSession({ language: 'en' });
    await spoken.speak(concatInt16([silence(300), WORDS, silence(600)]), { live: true });
    await spoken.until('turn.eager');
    await spoken.speak(silence(100), { live: true });
    judge.asked[0]?.answer(0.03);
    await spoken.speak(silence(1_500), { live: true });
    const [turn] = await spoken.turns(1);
    // It was neither over by its words nor taken back.
    expect(turn && waitMs(turn)).toBeGreaterThan(900);
    expect(turn && waitMs(turn)).toBeLessThan(1_600);
    expect(await ends(spoken)).toEqual(['turn.eager what is the time', 'turn.ended what is the time']);
    expect(judge.asked).toHaveLength(1);
  });

  test('ends a turn as soon as it is told, also after its limit', async () => {
    const judge = new AskedJudge();
    await startWorker(scripted('jag vill boka'), judge, 10);
    const spoken = await openSession({ minWaitMs: 500 });
    await spoken.speak(concatInt16([silence(300), WORDS, silence(400)]), { live: true });
    await spoken.until('turn.eager');
    judge.asked[0]?.answer(0.97);
    await spoken.speak(silence(1_500), { live: true });
    const [turn] = await spoken.turns(1);
    expect(turn && waitMs(turn)).toBeGreaterThanOrEqual(500);
    expect(turn && waitMs(turn)).toBeLessThan(1_000);
    expect(judge.asked[0]?.signal.aborted).toBe(true);
  });

  test('is asked for in vain when the turn is over before it is told, and changes nothing then', async () => {
    const judge = new AskedJudge();
    await startWorker(scripted('what time does the next train leave', 'from platform two'), judge, 10);
    const spoken = await openSession({ language: 'en' });
    await spoken.speak(concatInt16([silence(300), WORDS, silence(600)]), { live: true });
    const [turn] = await spoken.turns(1);
    expect(turn && waitMs(turn)).toBeLessThanOrEqual(400);
    expect(judge.asked.map(({ signal }) => signal.aborted)).toEqual([true]);
    const before = await spoken.inspect();
    judge.asked[0]?.answer(0.03);
    await spoken.speak(silence(2_000));
    await isHeard(spoken, spoken.endSample - 24_000);
    expect((await spoken.inspect())?.hearing).toMatchObject({ ...before?.hearing, backgroundDbfs: expect.anything() });
    expect(await ends(spoken)).toHaveLength(2);
  });

  test('is not waited for by speech that goes on, and is asked for in vain then', async () => {
    const judge = new AskedJudge();
    await startWorker(scripted('jag vill', 'boka'), judge, 10_000);
    const spoken = await openSession();
    await spoken.speak(concatInt16([silence(300), WORDS, silence(400), WORDS]), { live: true });
    await spoken.until('turn.resumed');
    expect(judge.asked.map(({ signal }) => signal.aborted)).toEqual([true]);
    await spoken.speak(silence(1_000), { live: true });
    await vi.waitFor(() => expect(judge.asked).toHaveLength(2));
    judge.asked[1]?.answer(0.97);
    await spoken.turns(1);
    expect(await ends(spoken)).toEqual([
      ...['turn.eager jag vill', 'turn.resumed', 'turn.eager jag vill boka', 'turn.ended jag vill boka'],
    ]);
  });

  test('of a backlog is told before what follows is heard', async () => {
    const judge = new AskedJudge();
    await startWorker(scripted('what is the time', 'in dublin'), judge, 10_000);
    const audio = concatInt16([silence(300), WORDS, silence(600), WORDS, silence(2_500)]);
    const spoken = await openBacklog(audio, { language: 'en' });
    await spoken.until('turn.eager');
    // The words alone would have ended the turn in this pause.
    expect(await ends(spoken)).toEqual(['turn.eager what is the time']);
    judge.asked[0]?.answer(0.03);
    await vi.waitFor(() => expect(judge.asked).toHaveLength(2));
    judge.asked[1]?.answer(0.97);
    await spoken.turns(1);
    const whole = 'what is the time in dublin';
    expect(await ends(spoken)).toEqual([
      ...['turn.eager what is the time', 'turn.resumed', `turn.eager ${whole}`, `turn.ended ${whole}`],
    ]);
  });

  test.each([
    {
      ...{ told: 'within the limit', sound: 0.03, tookMs: 40, limitMs: 100 },
      ...{ said: ['what is the time', 'in dublin'], pauseMs: 800, turns: ['what is the time in dublin'] },
    },
    {
      ...{ told: 'after the end of the turn', sound: 0.03, tookMs: 400, limitMs: 50 },
      ...{ said: ['what time does the next train leave', 'in dublin'], pauseMs: 600 },
      turns: ['what time does the next train leave', 'in dublin'],
    },
    {
      ...{ told: 'after the limit, in a turn that would go on', sound: 0.97, tookMs: 200, limitMs: 50 },
      ...{ said: ['in dublin', 'thanks'], pauseMs: 740, turns: ['in dublin', 'thanks'] },
    },
  ])('divides a backlog as it does live audio: told $told', async (scenario) => {
    const { sound, tookMs, limitMs, said, pauseMs, turns } = scenario;
    const slow: SoundJudge = {
      maxSamples: 128_000,
      async score(_, signal) {
        await systemClock.sleep(tookMs, signal).catch(() => undefined);
        return sound;
      },
      close: async () => undefined,
    };
    await startWorker(scripted(...said, ...said, ...said), slow, limitMs);
    const audio = concatInt16([silence(300), WORDS, silence(pauseMs), WORDS, silence(2_500)]);
    const live = await openSession({ language: 'en' });
    await live.speak(audio, { live: true });
    await live.turns(turns.length);
    const fast = await openSession({ language: 'en' });
    await fast.speak(audio);
    await fast.turns(turns.length);
    const late = await openBacklog(audio, { language: 'en' });
    await late.turns(turns.length);
    for (const spoken of [live, fast, late]) {
      expect((await spoken.events('turn.ended')).map(({ text }) => text)).toEqual(turns);
    }
  });
});

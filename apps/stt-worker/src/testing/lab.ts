import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { int16ToBytes, readWav } from '@parley/audio';
import { type Bus, connectBus } from '@parley/bus';
import { DEFAULT_SETTINGS, type EventType, type SessionEvent, type SessionId, type Settings } from '@parley/protocol';
import { createLogger, createMetrics, type Logger, type Metrics, systemClock } from '@parley/runtime';
import { runListening } from '../listening.ts';
import type { Recognizer } from '../recognizer.ts';
import type { SoundJudge } from '../turn-end/sound-judge.ts';
import type { WordsJudge } from '../turn-end/words-judge.ts';
import type { VoiceDetector } from '../voice-detector.ts';

const SPEECH = new URL('../../../../libs/testkit/fixtures/speech/', import.meta.url);
const RATE_HZ = 16_000;
/** What the gateway packs. */
const ENTRY_SAMPLES = 640;
const CAP_SAMPLES = 60 * RATE_HZ;

export interface SpeechItem {
  readonly file: string;
  readonly text: string;
  readonly voice: string | null;
  readonly kind: string;
}

export const speechItems = (): SpeechItem[] =>
  (JSON.parse(readFileSync(new URL('manifest.json', SPEECH), 'utf8')) as { items: SpeechItem[] }).items;

export const speech = (file: string): Int16Array => readWav(readFileSync(new URL(file, SPEECH))).samples;

export const silence = (ms: number): Int16Array => new Int16Array((ms * RATE_HZ) / 1_000);

/** Where the first and the last sound of a recording are. */
export function soundOf(samples: Int16Array): { readonly startSample: number; readonly endSample: number } {
  const isSound = (sample: number): boolean => Math.abs(sample) >= 200;
  return { startSample: samples.findIndex(isSound), endSample: samples.findLastIndex(isSound) + 1 };
}

let processes = 0;

export interface TestEngines {
  readonly recognizer: Recognizer;
  readonly detector: VoiceDetector;
  readonly soundJudge?: SoundJudge | undefined;
  readonly wordsJudge?: WordsJudge | undefined;
  /** How long the end of a turn waits for the judge. */
  readonly soundLimitMs?: number | undefined;
}

/** A worker of its own in this process: `stop` drains it, `kill` ends it without a word, as a crash would. */
export class TestWorker {
  readonly bus: Bus;
  readonly metrics: Metrics;
  readonly #drain = new AbortController();
  readonly #done: Promise<void>;

  private constructor(bus: Bus, metrics: Metrics, logger: Logger, engines: TestEngines) {
    const { recognizer, detector, soundJudge, wordsJudge, soundLimitMs = 100 } = engines;
    this.bus = bus;
    this.metrics = metrics;
    const engine = {
      loaded: Promise.resolve(recognizer),
      status: () => ({ engine: recognizer.name, engineReason: 'test', engineHint: '', ready: true }),
    };
    const config = {
      ...{ onProbability: 0.5, offProbability: 0.35, gateDbfs: -66, stallTimeoutMs: 3_000 },
      ...{ turnModelLimitMs: soundLimitMs, turnTextWeight: 1, turnSoundWeight: 0.5, turnHabitWeight: 0.5 },
      turnLlmWeight: 0.5,
    };
    const { signal } = this.#drain;
    this.#done = runListening({
      ...{ bus, logger, metrics, clock: systemClock, signal, engine, detector, soundJudge, wordsJudge, config },
      ...{ handOverLimitMs: 1_000, probeIntervalMs: 300 },
    });
  }

  static async start(redis: { readonly url: string }, engines: TestEngines): Promise<TestWorker> {
    const logger = createLogger({ name: 'stt-worker', level: 'silent' });
    const { bus, metrics } = await connectTestBus(redis, logger);
    return new TestWorker(bus, metrics, logger, engines);
  }

  async stop(): Promise<void> {
    this.#drain.abort(new Error('drain'));
    await this.#done;
    await this.bus.close();
  }

  /** Its connections end first, so nothing that it still wants to say is heard. `gone` is when nothing of it is left. */
  async kill(): Promise<{ readonly gone: Promise<void> }> {
    await this.bus.close();
    this.#drain.abort(new Error('killed'));
    return { gone: this.#done.catch(() => undefined) };
  }
}

export async function connectTestBus(
  redis: { readonly url: string },
  logger = createLogger({ name: 'test', level: 'silent' }),
) {
  const metrics = createMetrics({ processMetrics: false });
  const ref = { id: `test-${++processes}`, host: hostname(), pid: process.pid };
  const bus = await connectBus({ url: redis.url, process: ref, logger, metrics, commandTimeoutMs: 1_000 });
  return { bus, metrics };
}

/** A session whose owner does nothing but send audio and offer it to listeners. */
export class SpokenSession {
  readonly session: SessionId;
  readonly #bus: Bus;
  readonly #epoch: number;
  #endSample = 0;
  #offers = 0;

  private constructor(bus: Bus, session: SessionId, epoch: number) {
    this.#bus = bus;
    this.session = session;
    this.#epoch = epoch;
  }

  static async open(bus: Bus, settings: Partial<Settings> = {}): Promise<SpokenSession> {
    const session = crypto.randomUUID();
    const created = await bus.sessions.create({
      ...{ session, tokenHash: 'token', keyHash: 'key', state: '{}' },
      settings: { ...DEFAULT_SETTINGS, ...settings },
    });
    if (!created.ok) throw new Error(created.refusal);
    return new SpokenSession(bus, session, created.epoch);
  }

  get endSample(): number {
    return this.#endSample;
  }

  /** Offers the session in place of the listener it has now. */
  async offer(): Promise<void> {
    const found = await this.#bus.registry.inspect(this.session);
    const expect = found?.listener?.fence ?? '';
    await this.#bus.queues.listen.offer(`${this.session}.${++this.#offers}`, { session: this.session, expect });
  }

  /** Sends audio, at once or at the pace of speech. */
  async speak(samples: Int16Array, { live = false } = {}): Promise<void> {
    const startMs = performance.now();
    for (let offset = 0; offset < samples.length; offset += ENTRY_SAMPLES) {
      const entry = samples.slice(offset, offset + ENTRY_SAMPLES);
      if (live) await systemClock.sleep(startMs + ((offset + entry.length) / RATE_HZ) * 1_000 - performance.now());
      await this.send(entry);
    }
  }

  async send(entry: Int16Array): Promise<void> {
    this.#endSample += entry.length;
    for (;;) {
      try {
        // Written again where the answer was lost: what is there already is refused.
        await this.#bus.audioIn.add(this.session, this.#endSample, int16ToBytes(entry), {
          capSamples: CAP_SAMPLES,
        });
        return;
      } catch {
        await systemClock.sleep(50);
      }
    }
  }

  /** Leaves audio out, as a client does whose numbering jumps. */
  lose(samples: number): void {
    this.#endSample += samples;
  }

  async write(event: Parameters<Bus['sessions']['append']>[0]['events'][number]): Promise<void> {
    const holder = { kind: 'owner', epoch: this.#epoch } as const;
    await this.#bus.sessions.append({ session: this.session, events: [event], holder });
  }

  async events<T extends EventType = EventType>(...types: readonly T[]): Promise<SessionEvent<T>[]> {
    const events = await this.#bus.log.read(this.session, '0-0', 10_000);
    return events.filter((event): event is SessionEvent<T> => types.length === 0 || types.includes(event.type as T));
  }

  /** Waits until so many turns have ended. */
  turns(count: number): Promise<SessionEvent<'turn.ended'>[]> {
    return this.until('turn.ended', count);
  }

  /** Waits until there are so many events of a type. */
  async until<T extends EventType>(type: T, count = 1, timeoutMs = 15_000): Promise<SessionEvent<T>[]> {
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      const found = await this.events(type).catch(() => []);
      if (found.length >= count) return found;
      if (performance.now() > deadlineMs) {
        const types = (await this.events()).map((event) => event.type).join(' ');
        throw new Error(`${found.length} of ${count} ${type}: ${types}`);
      }
      await systemClock.sleep(10);
    }
  }

  /** What listeners reported, without what the next report makes obsolete: each event as one line. */
  async report(): Promise<string[]> {
    const events = await this.events(
      ...(['speech.started', 'speech.confirmed', 'speech.stopped', 'transcript.final', 'turn.ended'] as const),
    );
    return events.map(({ id: _, at: __, trace: ___, type, ...body }) => `${type} ${JSON.stringify(body)}`);
  }

  inspect() {
    return this.#bus.registry.inspect(this.session);
  }

  async close(): Promise<void> {
    const found = await this.#bus.registry.inspect(this.session);
    if (found === undefined) return;
    await this.#bus.sessions.commit({
      ...{ session: this.session, epoch: this.#epoch, state: '{}', generation: 0, close: true },
      ...{ expectedCursor: found.eventCursor, cursor: found.eventCursor },
    });
  }
}

/** Word errors between what was said and what was understood, and the words said. */
export function wordErrors(said: string, understood: string): { errors: number; words: number } {
  const [a, b] = [said, understood].map((text) => text.split(' ').filter((word) => word !== ''));
  if (a === undefined || b === undefined) return { errors: 0, words: 0 };
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (const [i, word] of a.entries()) {
    const next = [i + 1];
    for (const [j, other] of b.entries()) {
      const replaced = (row[j] ?? 0) + (word === other ? 0 : 1);
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return { errors: row.at(-1) ?? 0, words: a.length };
}

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { concatInt16, int16ToBytes } from '@parley/audio';
import { type Bus, connectBus } from '@parley/bus';
import type { EventType, SessionEvent, Settings } from '@parley/protocol';
import { createLogger, createMetrics } from '@parley/runtime';
import { ScriptedOwner, System, type SystemProcess, startRedis, type TestRedis, waitUntil } from '@parley/testkit';
import { readMetrics } from '../prometheus.ts';
import type { Conversation } from './conversation.ts';
import { KNOWN_AUDIO, KNOWN_WORDS, type KnownWord } from './known-words.ts';

const KNOWING = fileURLToPath(new URL('../engines/knowing-recognizer.ts', import.meta.url));
/** What the gateway packs. */
const ENTRY_SAMPLES = 640;
const ENTRIES_AT_ONCE = 50;
const HEARD_WITHIN_MS = 300_000;
const COMMAND_TIMEOUT_MS = 30_000;
const TRIES = 3;
/** Time is that of the audio: the model gets as long as it takes on this machine. */
const SOUND_LIMIT_MS = 10_000;
const MAX_EVENTS = 10_000;

/** What understands: an engine of the worker, or one that knows what it will hear. */
export type Understanding =
  | { readonly engine: string; readonly modelDir?: string | undefined }
  | { readonly audio: readonly Conversation[]; readonly words: readonly KnownWord[] };

/** An stt-worker as in production, alone with a Redis. It hears as fast as it can, and decides as if it heard live. */
export class Ears {
  readonly #redis: TestRedis;
  readonly #system: System;
  readonly #worker: SystemProcess;
  readonly #bus: Bus;
  readonly #folder: string;

  private constructor(redis: TestRedis, system: System, worker: SystemProcess, bus: Bus, folder: string) {
    this.#redis = redis;
    this.#system = system;
    this.#worker = worker;
    this.#bus = bus;
    this.#folder = folder;
  }

  /** `turnModelDir` is the folder of the end-of-turn model, if there is to be one. */
  static async open(understanding: Understanding, turnModelDir: string | undefined): Promise<Ears> {
    const redis = await startRedis();
    const folder = await mkdtemp(join(tmpdir(), 'parley-ears-'));
    const isKnown = 'words' in understanding;
    if (isKnown) {
      const samples = concatInt16(understanding.audio.map((one) => one.samples));
      await writeFile(join(folder, KNOWN_AUDIO), int16ToBytes(samples));
      await writeFile(join(folder, KNOWN_WORDS), JSON.stringify(understanding.words));
    }
    const modelDir = isKnown ? folder : understanding.modelDir;
    const system = new System({ redisUrl: redis.url });
    const worker = await system.add('stt-worker', {
      PARLEY_STT_ENGINE: isKnown ? `module:${KNOWING}` : understanding.engine,
      ...(modelDir === undefined ? {} : { PARLEY_STT_MODEL_DIR: modelDir }),
      ...(turnModelDir === undefined
        ? {}
        : { PARLEY_TURN_MODEL_DIR: turnModelDir, PARLEY_TURN_MODEL_LIMIT_MS: String(SOUND_LIMIT_MS) }),
    });
    const bus = await connectBus({
      url: redis.url,
      process: { id: 'bench', host: 'localhost', pid: process.pid },
      logger: createLogger({ name: 'bench', level: 'silent' }),
      metrics: createMetrics({ processMetrics: false }),
      // Nobody waits for it, and the machine may be busy.
      commandTimeoutMs: COMMAND_TIMEOUT_MS,
    });
    return new Ears(redis, system, worker, bus, folder);
  }

  /** Lets the worker hear a conversation, and gives what it told about it. On a busy machine it may have to listen again. */
  async hear(conversation: Conversation, settings: Partial<Settings>): Promise<readonly SessionEvent[]> {
    for (let attempt = 1; ; attempt += 1) {
      const events = await this.#hearOnce(conversation, settings);
      if (of(events, 'work.failed').length === 0) return events;
      if (attempt === TRIES) throw new Error(`the worker gave up:\n${this.#worker.output}`);
    }
  }

  async #hearOnce({ samples, said }: Conversation, settings: Partial<Settings>): Promise<readonly SessionEvent[]> {
    const owner = await ScriptedOwner.open(this.#bus, settings);
    const { session } = owner;
    await this.#bus.queues.listen.offer(`${session}.1`, { session, expect: '' });
    for (let at = 0; at < samples.length; at += ENTRY_SAMPLES * ENTRIES_AT_ONCE) {
      await Promise.all(
        Array.from({ length: ENTRIES_AT_ONCE }, (_, index) => {
          const entry = samples.slice(at + index * ENTRY_SAMPLES, at + (index + 1) * ENTRY_SAMPLES);
          const endSample = at + index * ENTRY_SAMPLES + entry.length;
          return entry.length === 0
            ? undefined
            : this.#bus.audioIn.add(session, endSample, int16ToBytes(entry), { capSamples: samples.length });
        }),
      );
    }
    const lastSample = said.at(-1)?.endSample ?? 0;
    let events: SessionEvent[] = [];
    await waitUntil(async () => {
      if (!this.#worker.running) throw new Error(`the worker ended:\n${this.#worker.output}`);
      events = await this.#bus.log.read(session, '0-0', MAX_EVENTS);
      if (of(events, 'work.failed').length > 0) return true;
      return of(events, 'turn.ended').some(({ decidedSample }) => decidedSample >= lastSample);
    }, HEARD_WITHIN_MS);
    await owner.close();
    return events;
  }

  /** What became of the questions to the end-of-turn model, by outcome: those not `used` were not answered in time. */
  async soundScores(): Promise<ReadonlyMap<string, number>> {
    const metrics = await readMetrics(this.#worker.metricsUrl);
    return new Map(
      [...metrics].flatMap(([name, count]) => {
        const [, outcome] = /^parley_stt_turn_sound_scores_total\{.*outcome="(\w+)"/.exec(name) ?? [];
        return outcome === undefined ? [] : [[outcome, count] as const];
      }),
    );
  }

  async close(): Promise<void> {
    await this.#bus.close();
    await this.#system.stop();
    await this.#redis.stop();
    await rm(this.#folder, { recursive: true });
  }
}

/** Events of a type. */
export const of = <T extends EventType>(events: readonly SessionEvent[], type: T): SessionEvent<T>[] =>
  events.filter((event): event is SessionEvent<T> => event.type === type);

import {
  type AppName,
  type ScriptedLlm,
  type ScriptedTts,
  type System,
  type SystemOptions,
  startRedis,
  startScriptedLlm,
  startScriptedTts,
  startSystem,
  type TestRedis,
} from '@parley/testkit';
import { expect } from 'vitest';
import { visibleEventIds } from './log.ts';
import { speech, User } from './user.ts';

/** Trials of each fault; the figures in the documentation are from ten. */
const TRIALS = Number(process.env.PARLEY_FAULT_TRIALS ?? 1);
/** Time for a test that repeats a fault so often. */
export const TRIALS_TIMEOUT_MS = 60_000 + TRIALS * 30_000;
const QUESTION = 'slt-01';
const ANSWER =
  'This is the first sentence of the answer. Here is a second one, which is somewhat longer. And the third one ends it.';

/** What a person got out of one question. */
export interface Outcome {
  readonly transcript: string;
  readonly text: string;
  readonly pcm: Int16Array;
  /** From the first sample of the question to the last of the answer. */
  readonly tookMs: number;
}

/** A whole system on scripted engines slow enough to be hit in the middle of their work. */
export class Lab {
  readonly redis: TestRedis;
  readonly llm: ScriptedLlm;
  readonly tts: ScriptedTts;
  readonly system: System;
  #user: User | undefined;
  #undisturbed: Outcome | undefined;

  private constructor(redis: TestRedis, llm: ScriptedLlm, tts: ScriptedTts, system: System) {
    this.redis = redis;
    this.llm = llm;
    this.tts = tts;
    this.system = system;
  }

  static async open(counts: Omit<SystemOptions, 'redisUrl'>): Promise<Lab> {
    const redis = await startRedis();
    const llm = await startScriptedLlm({ tokensPerSecond: 15, firstTokenMs: 100, script: () => ANSWER });
    const tts = await startScriptedTts({ firstByteMs: 100, realTimeFactor: 0.7 });
    const env = {
      PARLEY_LLM_BASE_URL: llm.url,
      PARLEY_STT_ENGINE: 'pocketsphinx',
      PARLEY_TTS_ENGINE: 'openai',
      PARLEY_TTS_BASE_URL: tts.url,
      // Every trial says the same: from memory no clause would take long enough to be hit.
      PARLEY_TTS_CACHE_MB: '0',
      ...counts.env,
    };
    try {
      return new Lab(redis, llm, tts, await startSystem({ ...counts, redisUrl: redis.url, env }));
    } catch (error) {
      await Promise.all([llm.close(), tts.close(), redis.stop()]);
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.leave();
    await this.system.stop();
    await Promise.all([this.llm.close(), this.tts.close()]);
    await this.redis.stop();
  }

  /** Ends a conversation that a failed test left open. */
  async leave(): Promise<void> {
    await this.#user?.leave();
    this.#user = undefined;
  }

  /** One spoken question and its answer, with a fault in between. */
  async converse(fault: (user: User) => Promise<void> = async () => undefined): Promise<Outcome> {
    // Faults are to hit what is being said; whether it was prepared ahead would differ from trial to trial.
    const user = await User.connect(this.system.urls, { speculation: false });
    this.#user = user;
    const startMs = performance.now();
    const question = user.say(await speech(QUESTION));
    const faulted = fault(user);
    await question;
    const { text, pcm } = await user.answered(1, 30_000);
    await faulted;
    const tookMs = performance.now() - startMs;
    expect(user.events.map(({ id }) => id)).toEqual(await visibleEventIds(this.redis.url, user.session.session));
    const outcome = { transcript: user.transcript(1), text, pcm, tookMs };
    await this.leave();
    return outcome;
  }

  /** The second of two: the first conversation of a system warms it up. */
  async #undisturbedOutcome(): Promise<Outcome> {
    await this.converse();
    return this.converse();
  }

  /** Mends the loss of a process: another of its kind is started in its place. */
  replace(app: AppName): () => Promise<void> {
    return async () => {
      await this.system.add(app);
      await this.system.ready();
    };
  }

  /** Repeats a fault; nothing may be lost or said twice. Answers the delays that it added. */
  async trials(fault: (user: User) => Promise<void>, mend: () => Promise<void>): Promise<number[]> {
    this.#undisturbed ??= await this.#undisturbedOutcome();
    const expected = this.#undisturbed;
    const addedMs: number[] = [];
    for (let trial = 0; trial < TRIALS; trial += 1) {
      const { transcript, text, pcm, tookMs } = await this.converse(fault);
      expect(transcript).toBe(expected.transcript);
      expect(text).toBe(expected.text);
      expect(pcm.length).toBe(expected.pcm.length);
      expect(pcm.findIndex((sample, index) => sample !== expected.pcm[index])).toBe(-1);
      addedMs.push(tookMs - expected.tookMs);
      await mend();
    }
    return addedMs;
  }
}

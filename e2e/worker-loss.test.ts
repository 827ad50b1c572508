import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  type RedisServer,
  type ScriptedLlm,
  type ScriptedTts,
  startRedis,
  startScriptedLlm,
  startScriptedTts,
  startSystem,
  type System,
  waitUntil,
} from '@parley/testkit';
import { claimantOf, listenerOf, ownerOf, summary } from './faults.ts';
import { speech, User } from './user.ts';

/** Trials of each fault; the figures in the documentation are from ten. */
const TRIALS = Number(process.env.PARLEY_FAULT_TRIALS ?? 2);
const QUESTION = 'slt-01';
const ANSWER =
  'This is the first sentence of the answer. Here is a second one, which is somewhat longer. And the third one ends it.';

describe('a conversation loses nothing with a process', () => {
  let redis: RedisServer;
  let llm: ScriptedLlm;
  let tts: ScriptedTts;
  let system: System;
  let user: User | undefined;
  let undisturbed: { transcript: string; text: string; pcm: Int16Array; tookMs: number };

  beforeAll(async () => {
    redis = await startRedis();
    llm = await startScriptedLlm({ tokensPerSecond: 15, firstTokenMs: 100, script: () => ANSWER });
    tts = await startScriptedTts({ firstByteMs: 100, realTimeFactor: 0.7 });
    system = await startSystem({
      redisUrl: redis.url,
      gateways: 2,
      stt: 2,
      llm: 2,
      tts: 2,
      env: {
        PARLEY_LLM_BASE_URL: llm.url,
        PARLEY_STT_ENGINE: 'pocketsphinx',
        PARLEY_TTS_ENGINE: 'openai',
        PARLEY_TTS_BASE_URL: tts.url,
      },
    });
    undisturbed = await converse(async () => undefined);
  }, 120_000);

  afterEach(async () => {
    await user?.leave();
    user = undefined;
  });

  afterAll(async () => {
    await system?.stop();
    await Promise.all([llm?.close(), tts?.close()]);
    await redis?.stop();
  });

  /** One question and its answer, with a fault in between; checks that nothing is lost or repeated. */
  async function converse(fault: (user: User) => Promise<void>) {
    user = await User.connect(system.urls);
    const { session } = user;
    const startMs = performance.now();
    const question = user.say(await speech(QUESTION));
    const faulted = fault(user);
    await question;
    const { text, pcm } = await user.answered(1, 30_000);
    await faulted;
    const tookMs = performance.now() - startMs;
    const result = { transcript: user.transcript(1), text, pcm, tookMs };
    const log = await redis.visibleEvents(session.session);
    expect(user.events.map(({ id }) => id)).toEqual(log.slice(0, user.events.length));
    expect(log.length - user.events.length).toBeLessThanOrEqual(0);
    await user.leave();
    user = undefined;
    return result;
  }

  async function trials(name: string, fault: (user: User) => Promise<void>, restore: () => Promise<void>) {
    const addedMs: number[] = [];
    for (let trial = 0; trial < TRIALS; trial += 1) {
      const result = await converse(fault);
      expect(result.transcript).toBe(undisturbed.transcript);
      expect(result.text).toBe(undisturbed.text);
      expect(result.pcm.length).toBe(undisturbed.pcm.length);
      expect(Buffer.compare(Buffer.from(result.pcm.buffer), Buffer.from(undisturbed.pcm.buffer))).toBe(0);
      addedMs.push(result.tookMs - undisturbed.tookMs);
      await restore();
    }
    process.stdout.write(`${name}: added delay ${summary(addedMs)}\n`);
  }

  it('when the listener is killed in mid-utterance', async () => {
    await trials(
      'listener killed',
      async ({ session }) => {
        await user?.event('speech.started');
        await waitUntil(async () => (await system.debug(session.session)).cursors.input > 24_000);
        const victim = await listenerOf(system, session.session);
        await victim.kill();
      },
      async () => {
        await system.add('stt-worker');
        await system.ready();
      },
    );
  });

  it('when the listener is frozen for three seconds and woken', async () => {
    await trials(
      'listener frozen',
      async ({ session }) => {
        await user?.event('speech.started');
        const victim = await listenerOf(system, session.session);
        victim.signal('SIGSTOP');
        setTimeout(() => victim.signal('SIGCONT'), 3_000);
      },
      () => system.ready(),
    );
  });

  it('when the llm-worker is killed in mid-reply', async () => {
    await trials(
      'llm-worker killed',
      async ({ session }) => {
        await user?.event('reply.clause', () => true, 30_000);
        const victim = await claimantOf(system, session.session, 'reply');
        await victim.kill();
      },
      async () => {
        await system.add('llm-worker');
        await system.ready();
      },
    );
  });

  it('when the tts-worker is killed in mid-clause', async () => {
    await trials(
      'tts-worker killed',
      async ({ session }) => {
        await user?.played(1, 200);
        const victim = await claimantOf(system, session.session, 'speak');
        await victim.kill();
      },
      async () => {
        await system.add('tts-worker');
        await system.ready();
      },
    );
  });

  it('when the gateway is killed in mid-reply', async () => {
    await trials(
      'gateway killed',
      async ({ session }) => {
        await user?.played(1, 500);
        const victim = await ownerOf(system, session.session);
        await victim.kill();
      },
      async () => {
        await system.add('gateway');
        await system.ready();
      },
    );
  });
});

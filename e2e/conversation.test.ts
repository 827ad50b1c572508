import {
  type ScriptedLlm,
  type System,
  startRedis,
  startScriptedLlm,
  startSystem,
  type TestRedis,
} from '@parley/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recognise } from './recognise.ts';
import { speech, textOf, User } from './user.ts';

/** A sentence that the offline voice speaks and the offline recogniser hears without error. */
const ANSWER = 'Please set a timer for seventeen minutes.';

describe('a conversation through all processes', () => {
  let redis: TestRedis;
  let llm: ScriptedLlm;
  let system: System;
  const users: User[] = [];

  beforeAll(async () => {
    redis = await startRedis();
    llm = await startScriptedLlm({ tokensPerSecond: 30, firstTokenMs: 50 });
    system = await startSystem({
      redisUrl: redis.url,
      env: { PARLEY_LLM_BASE_URL: llm.url, PARLEY_STT_ENGINE: 'pocketsphinx', PARLEY_TTS_ENGINE: 'flite' },
    });
  });

  afterAll(async () => {
    await Promise.all(users.map((user) => user.leave()));
    await system?.stop();
    await llm?.close();
    await redis?.stop();
  });

  const arrive = async (): Promise<User> => {
    const user = await User.connect(system.urls);
    users.push(user);
    return user;
  };

  it('hears a recorded question, shows partials, and answers aloud what it says', async () => {
    llm.setBehaviour({ script: () => ANSWER });
    const user = await arrive();
    await user.say(await speech('slt-01'));
    const { text, pcm } = await user.answered(1);

    expect(user.transcript(1)).toBe(textOf('slt-01'));
    expect(user.events.filter(({ type }) => type === 'transcript.partial').length).toBeGreaterThan(2);
    const { words = [], fromSample, toSample } = await user.event('transcript.final');
    expect(words.map(({ word }) => word).join(' ')).toBe(textOf('slt-01'));
    for (const { startSample, endSample } of words) {
      expect(startSample).toBeGreaterThanOrEqual(fromSample);
      expect(endSample).toBeGreaterThan(startSample);
      expect(endSample).toBeLessThanOrEqual(toSample);
    }
    expect(text).toBe(ANSWER);
    expect(await recognise(system, pcm, user.session.settings.outputRateHz)).toBe(textOf('slt-02'));
  });

  it('starts to speak before the text of the reply is complete', async () => {
    const story = Array.from({ length: 8 }, (_, i) => `This is sentence number ${i} of a story.`).join(' ');
    llm.setBehaviour({ script: () => story });
    const user = await arrive();
    user.session.sendText('Tell me a story.');
    const done = await user.event('reply.done', ({ turn }) => turn === 1, 30_000);
    const doneAt = user.times.get(done.id) ?? 0;
    expect(user.audioTimes[0]).toBeLessThan(doneAt - 1_000);
    user.session.interrupt();
    await user.event('reply.truncated');
  });

  it('answers five questions with the history, and knows of an interrupted answer only what was heard', async () => {
    llm.setBehaviour({ script: ({ messages }) => `Answer to ${messages.at(-1)?.content}.` });
    const user = await arrive();
    const questions = ['one apple', 'two pears', 'three plums', 'four figs', 'five nuts'];
    for (const [index, question] of questions.slice(0, 3).entries()) {
      user.session.sendText(question);
      await user.answered(index + 1);
    }
    const long =
      'The first part is this. And then there is a second part that takes a very long time to be said aloud, indeed.';
    llm.setBehaviour({ script: () => long });
    user.session.sendText(questions[3] ?? '');
    await user.event('reply.clause', ({ turn }) => turn === 4);
    await user.played(4, 1_200);
    user.session.interrupt();
    const { heard } = await user.event('reply.truncated', ({ turn }) => turn === 4);
    llm.setBehaviour({ script: () => 'That was all.' });
    user.session.sendText(questions[4] ?? '');
    await user.answered(5);

    const request = llm.requests.findLast(({ messages }) => messages.at(-1)?.content === questions[4]);
    const spoken = request?.messages.filter(({ role }) => role !== 'system') ?? [];
    expect(spoken.slice(0, 6).map(({ content }) => content)).toEqual(
      questions.slice(0, 3).flatMap((question) => [question, `Answer to ${question}.`]),
    );
    expect(heard).not.toBe('');
    expect(long.startsWith(heard)).toBe(true);
    expect(heard.length).toBeLessThan(long.length);
    expect(spoken[6]?.content).toBe(questions[3]);
    expect(spoken[7]?.role).toBe('assistant');
    expect(spoken[7]?.content).toContain(heard);
    expect(spoken[7]?.content).not.toContain('indeed');
  });

  it('is interrupted by speech: the reply stops, its engine request is closed, and the new question is answered', async () => {
    llm.setBehaviour({
      tokensPerSecond: 10,
      script: () => 'Let me tell you everything I know about this. '.repeat(10),
    });
    const user = await arrive();
    user.session.sendText('Tell me everything.');
    await user.played(1, 1_000);
    const aborted = llm.abortedAtMs.length;
    llm.setBehaviour({ tokensPerSecond: 30, script: () => 'A new answer.' });
    await user.say(await speech('slt-02'));
    const truncated = await user.event('reply.truncated', ({ turn }) => turn === 1);
    const { text } = await user.answered(2);

    expect(truncated.heard).toMatch(/^Let me tell you/);
    expect(llm.abortedAtMs.length).toBeGreaterThan(aborted);
    expect(user.stops).toHaveLength(1);
    expect(text).toBe('A new answer.');
    expect(user.transcript(2)).toContain('for seventeen minutes');
    expect(
      user.audio
        .filter(({ generation }) => generation < (user.stops[0]?.generation ?? 0))
        .every(({ turn }) => turn === 1),
    ).toBe(true);
  });

  it('begins anew in mid-sentence: what was said is forgotten, and the rest of the sentence is the first of a new conversation', async () => {
    llm.setBehaviour({ tokensPerSecond: 30, script: () => 'Nice to meet you.' });
    const user = await arrive();
    user.session.sendText('My name is Anna.');
    await user.answered(1);
    const saying = user.say(await speech('slt-01'));
    const { utterance } = await user.event('speech.confirmed');
    user.session.reset();
    const reset = await user.event('session.reset');
    await saying;
    await user.answered(2);

    expect(user.transcript(2)).toMatch(/on friday$/);
    expect(user.transcript(2)).not.toContain('could you');
    const later = user.events.slice(user.events.indexOf(reset) + 1);
    expect(later.filter((event) => 'utterance' in event && event.utterance === utterance)).toEqual([]);
    const said = llm.requests.at(-1)?.messages.filter(({ role }) => role !== 'system');
    expect(said?.map(({ role }) => role)).toEqual(['user']);
    expect(JSON.stringify(llm.requests.at(-1)?.messages)).not.toContain('Anna');
  });
});

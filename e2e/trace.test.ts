import { writeFileSync } from 'node:fs';
import {
  type CollectedSpan,
  type ScriptedLlm,
  type ScriptedTts,
  type SpanCollector,
  type System,
  startRedis,
  startScriptedLlm,
  startScriptedTts,
  startSpanCollector,
  startSystem,
  type TestRedis,
  waitUntil,
} from '@parley/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { speech, User } from './user.ts';
import { drawWaterfall } from './waterfall.ts';

/** The picture in docs/trace.md: `PARLEY_WRITE_DOCS=1 npm test -- e2e/trace.test.ts` draws it anew. */
const PICTURE = new URL('../docs/trace.svg', import.meta.url);
/** By how much processes of a busy machine may differ in their estimates of Redis TIME. */
const CLOCK_MS = 10;

describe('the trace of a turn', () => {
  let redis: TestRedis;
  let llm: ScriptedLlm;
  let tts: ScriptedTts;
  let collector: SpanCollector;
  let system: System;
  const users: User[] = [];

  beforeAll(async () => {
    redis = await startRedis();
    collector = await startSpanCollector();
    llm = await startScriptedLlm({ tokensPerSecond: 40, firstTokenMs: 60 });
    tts = await startScriptedTts({ firstByteMs: 50, realTimeFactor: 0.2 });
    system = await startSystem({
      redisUrl: redis.url,
      gateways: 2,
      stt: 2,
      env: {
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
        PARLEY_LLM_BASE_URL: llm.url,
        PARLEY_STT_ENGINE: 'pocketsphinx',
        PARLEY_TTS_ENGINE: 'openai',
        PARLEY_TTS_BASE_URL: tts.url,
      },
    });
  });

  afterAll(async () => {
    await Promise.all(users.map((user) => user.leave()));
    await system?.stop();
    await Promise.all([llm?.close(), tts?.close(), collector?.close()]);
    await redis?.stop();
  });

  const arrive = async (): Promise<User> => {
    const user = await User.connect(system.urls, { turnDetection: 'static', speculation: false });
    users.push(user);
    return user;
  };

  /** All spans of a user's first turn, once its root is there and nothing more comes. */
  async function traceOf({ session }: User): Promise<CollectedSpan[]> {
    const root = () =>
      collector.spans.find(
        ({ name, attributes }) => name === 'turn' && attributes['parley.session'] === session.session,
      );
    await waitUntil(() => root() !== undefined, 20_000, 'the root of the trace was not exported');
    const id = root()?.traceId ?? '';
    let count = 0;
    await waitUntil(async () => {
      const before = count;
      count = collector.trace(id).length;
      if (count === before) return true;
      // Each process exports once a second.
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      return false;
    }, 20_000);
    return collector.trace(id);
  }

  const named = (spans: readonly CollectedSpan[], name: string, service?: string): CollectedSpan => {
    const found = spans.find((span) => span.name === name && (service === undefined || span.service === service));
    if (!found) throw new Error(`no span ${name} in ${spans.map((span) => span.name).join(', ')}`);
    return found;
  };

  it('spoken holds every step of every process under one root, in their order', async () => {
    llm.setBehaviour({ script: () => 'One moment, please. Here it is.' });
    const user = await arrive();
    await user.say(await speech('slt-01'));
    await user.answered(1);
    const spans = await traceOf(user);
    if (process.env.PARLEY_WRITE_DOCS) writeFileSync(PICTURE, drawWaterfall(spans));

    const byId = new Map(spans.map((span) => [span.spanId, span]));
    const tree = spans.map(({ service, name, parentSpanId, attributes }) => {
      const clause = attributes['parley.clause'];
      const parent = parentSpanId === undefined ? '' : (byId.get(parentSpanId)?.name ?? 'unknown');
      return [parent, `${name}${clause === undefined ? '' : ` ${clause}`}`, service].join(' > ');
    });
    const work = (clause: number) => [
      `turn > queue.speak ${clause} > tts-worker`,
      `turn > claim ${clause} > tts-worker`,
      `turn > speak ${clause} > tts-worker`,
      'speak > first audio > tts-worker',
    ];
    expect(tree.toSorted()).toEqual(
      [
        ' > turn > gateway',
        'turn > listening > stt-worker',
        'turn > end-of-turn > stt-worker',
        'turn > queue.reply > llm-worker',
        'turn > claim > llm-worker',
        'turn > reply > llm-worker',
        'reply > first token > llm-worker',
        ...work(0),
        ...work(1),
        'turn > first send > gateway',
        'turn > playing > gateway',
      ].toSorted(),
    );

    // A worker learns that its first result has been written when others may be at work on it already.
    const order = {
      'onset of speech': named(spans, 'listening').startMs,
      'last speech': named(spans, 'end-of-turn').startMs,
      'reply offered': named(spans, 'queue.reply').startMs,
      'reply taken': named(spans, 'claim', 'llm-worker').startMs,
      'reply begun': named(spans, 'reply').startMs,
      'clause taken': named(spans, 'claim', 'tts-worker').startMs,
      'clause begun': named(spans, 'speak').startMs,
      'first send': named(spans, 'first send').endMs,
    };
    let beforeMs = 0;
    for (const [name, atMs] of Object.entries(order)) {
      expect(atMs, name).toBeGreaterThan(beforeMs - CLOCK_MS);
      beforeMs = atMs;
    }
    const root = named(spans, 'turn');
    for (const { name, startMs, endMs } of spans) {
      expect(startMs, name).toBeGreaterThan(root.startMs - CLOCK_MS);
      if (name !== 'playing' && name !== 'turn') expect(endMs, name).toBeLessThan(root.endMs + CLOCK_MS);
    }
    expect(root.attributes).toMatchObject({ 'parley.turn': 1, 'parley.outcome': 'played' });
    expect(named(spans, 'end-of-turn').endMs - named(spans, 'listening').endMs).toBeGreaterThan(300);
    expect(named(spans, 'first token').endMs - named(spans, 'first token').startMs).toBeGreaterThan(55);
  });

  it('says the same as the figures that the client is sent', async () => {
    llm.setBehaviour({ script: () => 'This has not been said before. And neither has this.' });
    const user = await arrive();
    await user.say(await speech('slt-02'));
    const figures = await user.event('turn.metrics');
    await user.answered(1);
    const spans = await traceOf(user);
    const { endOfTurnMs, queueMs, firstTokenMs, firstClauseMs, firstAudioMs, firstSendMs, totalMs } = figures;
    const sum = endOfTurnMs + queueMs + firstTokenMs + firstClauseMs + firstAudioMs + firstSendMs;
    expect(Math.abs(sum - totalMs)).toBeLessThan(3 * CLOCK_MS);
    const fromSpans = named(spans, 'first send').endMs - named(spans, 'listening').endMs;
    // The gateway has the audio somewhat earlier than the listener.
    expect(totalMs - fromSpans).toBeGreaterThan(-CLOCK_MS);
    expect(totalMs - fromSpans).toBeLessThan(100);
    expect(firstTokenMs).toBeGreaterThan(55);
    expect(firstAudioMs).toBeGreaterThan(45);
    expect(user.events.filter(({ type }) => type === 'turn.metrics')).toHaveLength(1);
  });

  it('typed begins at the gateway, and holds a cancel until the engine has let go', async () => {
    llm.setBehaviour({ tokensPerSecond: 10, script: () => 'This is a very long answer to your question. '.repeat(10) });
    const user = await arrive();
    user.session.sendText('Tell me everything.');
    await user.played(1, 1_200);
    user.session.interrupt();
    await user.event('reply.truncated');
    const spans = await traceOf(user);
    const root = named(spans, 'turn');
    expect(root).toMatchObject({ service: 'gateway', attributes: { 'parley.outcome': 'interrupted' } });
    expect(spans.some(({ name }) => name === 'listening')).toBe(false);
    const cancel = named(spans, 'cancel', 'llm-worker');
    expect(cancel.parentSpanId).toBe(root.spanId);
    expect(cancel.endMs - cancel.startMs).toBeLessThan(500);
    expect(cancel.endMs).toBeGreaterThanOrEqual(named(spans, 'reply').endMs - CLOCK_MS);
    expect(named(spans, 'reply').attributes).toMatchObject({ 'parley.outcome': 'cancelled' });
    expect((await user.event('turn.metrics')).endOfTurnMs).toBe(0);
  });

  it('is one though its listener and its owner are killed on the way', async () => {
    llm.setBehaviour({ tokensPerSecond: 40, script: () => 'This has not been said before either. And that is all.' });
    const user = await arrive();
    const question = user.say(await speech('slt-01'));
    await user.event('transcript.partial');
    const { session } = user.session;
    const { listener } = await system.debug(session);
    await system.byPid(listener?.pid ?? 0).kill();
    await question;
    await user.played(1, 200);
    const { owner } = await system.debug(session);
    await system.byPid(owner.pid).kill();
    await user.answered(1);
    const spans = await traceOf(user);
    const ofSession = collector.spans.filter(({ attributes }) => attributes['parley.session'] === session);
    expect(new Set(ofSession.map(({ traceId }) => traceId)).size).toBe(1);
    expect(spans.filter(({ parentSpanId }) => parentSpanId === undefined)).toHaveLength(1);
    expect(named(spans, 'turn').attributes).toMatchObject({ 'parley.outcome': 'played', 'parley.taken_over': true });
    // The listener that came second knows when the speech began.
    expect(named(spans, 'listening').endMs - named(spans, 'listening').startMs).toBeGreaterThan(2_000);
  });
});

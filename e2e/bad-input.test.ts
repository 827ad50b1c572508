import { freePort, SystemProcess, startRedis, type TestRedis, waitUntil } from '@parley/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Lab } from './lab.ts';
import { User } from './user.ts';

describe('what goes wrong is said with a code, and everything stays up', () => {
  let lab: Lab;

  beforeAll(async () => {
    lab = await Lab.open({});
  });
  afterAll(() => lab?.close());

  it('a model that fails midway: what was said is played, the client is told, and the next question is answered', async () => {
    const user = await User.connect(lab.system.urls);
    lab.llm.setBehaviour({
      tokensPerSecond: 30,
      failAfterTokens: 4,
      script: () => 'One two three. Four five six. Seven.',
    });
    user.session.sendText('hello');
    const failed = await user.event('stage.failed', () => true, 30_000);
    expect(failed).toMatchObject({ stage: 'reply', turn: 1 });
    lab.llm.setBehaviour({ failAfterTokens: Number.POSITIVE_INFINITY, script: () => 'All is well.' });
    user.session.sendText('and now');
    expect((await user.answered(2)).text).toBe('All is well.');
    await user.leave();
  });

  it('a model that refuses: an apology is spoken', async () => {
    const user = await User.connect(lab.system.urls);
    lab.llm.setBehaviour({ status: 401 });
    user.session.sendText('hello');
    const failed = await user.event('stage.failed', () => true, 30_000);
    expect(failed).toMatchObject({ stage: 'reply', code: 'engine_rejected', retryable: false });
    expect((await user.answered(1)).text).toMatch(/^Sorry/);
    await user.leave();
  });

  it('a worker without its engine says how to get it, and is not ready', async () => {
    const worker = await lab.system.add('stt-worker', {
      PARLEY_STT_ENGINE: 'sherpa',
      PARLEY_STT_MODEL_DIR: '/nowhere',
    });
    await waitUntil(() => !worker.running || worker.output.includes('engine_missing'), 15_000);
    expect(worker.output).toContain('/nowhere');
    await worker.kill();
  });
});

describe('without Redis', () => {
  let redis: TestRedis;

  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis?.stop());

  it.each(['gateway', 'stt-worker', 'llm-worker', 'tts-worker'] as const)(
    'a %s says so and ends',
    async (app) => {
      const port = await freePort();
      const env = { REDIS_URL: `redis://127.0.0.1:${port}`, PORT: String(await freePort()), PARLEY_LLM_ENGINE: 'demo' };
      const alone = new SystemProcess(app, env);
      const code = await alone.exited();
      expect(code).not.toBe(0);
      expect(alone.output).toMatch(/bus_unavailable|Redis/);
    },
    30_000,
  );
});

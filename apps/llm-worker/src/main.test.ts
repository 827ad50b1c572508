import { type Bus, connectBus } from '@parley/bus';
import { createLogger, createMetrics } from '@parley/runtime';
import { freePort, ScriptedOwner, SystemProcess, startRedis, type TestRedis, waitUntil } from '@parley/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

const REF = { stage: 'reply', turn: 1, attempt: 0 } as const;
const STORY = { text: 'tell me a story', language: 'en' };
const logger = createLogger({ name: 'test', level: 'silent' });
let redis: TestRedis;
let bus: Bus;
let processes: SystemProcess[] = [];

beforeAll(async () => {
  redis = await startRedis();
  const metrics = createMetrics({ processMetrics: false });
  bus = await connectBus({
    url: redis.url,
    process: { id: 'gateway', host: 'here', pid: process.pid },
    logger,
    metrics,
  });
});
afterAll(async () => {
  await bus.close();
  await redis.stop();
});
afterEach(async () => {
  await Promise.all(processes.map((one) => one.stop()));
  processes = [];
});

function start(env: Readonly<Record<string, string>> = {}): SystemProcess {
  const started = new SystemProcess('llm-worker', { REDIS_URL: redis.url, ...env });
  processes.push(started);
  return started;
}

async function startReady(count = 1): Promise<void> {
  for (let index = 0; index < count; index += 1) start();
  await waitUntil(async () => (await bus.presence.list('llm')).filter(({ ready }) => ready).length >= count, 20_000);
}

const textOf = async (owner: ScriptedOwner, type: 'reply.delta' | 'reply.clause'): Promise<string> =>
  (await owner.events(type)).map(({ text }) => text).join('');

describe('the llm-worker process', () => {
  it('announces its engine, answers, and leaves with code 0 when told to', async () => {
    await startReady();
    const [heartbeat] = await bus.presence.list('llm');
    expect(heartbeat).toMatchObject({ engine: 'demo', pid: processes[0]?.pid, ready: true });
    expect(heartbeat?.engineHint).toContain('PARLEY_LLM_BASE_URL');
    const owner = await ScriptedOwner.open(bus);
    await owner.start(REF, { text: 'what is two plus two', language: 'en' });
    await waitUntil(async () => (await owner.events('reply.done')).length === 1);
    expect(await textOf(owner, 'reply.delta')).toBe('Two plus two is four.');
    processes[0]?.signal('SIGTERM');
    expect(await processes[0]?.exited()).toBe(0);
    expect(await bus.presence.list('llm')).toEqual([]);
  });

  it('killed in the middle of a reply loses nothing of it and repeats nothing', async () => {
    await startReady(2);
    const owner = await ScriptedOwner.open(bus);
    await owner.start(REF, STORY);
    await waitUntil(async () => (await owner.events('reply.clause')).length >= 3);
    const victim = (await owner.work(REF))?.holder?.pid;
    await processes.find(({ pid }) => pid === victim)?.kill();
    expect((await owner.work(REF))?.done).toBe(false);
    await owner.raiseTry(REF, 2);
    await waitUntil(async () => (await owner.events('reply.done')).length === 1);
    const [done] = await owner.events('reply.done');
    expect(done?.finish).toBe('stop');
    expect(done?.text).toMatch(/^Here is a story .* That is the end of the story\.$/s);
    expect(await textOf(owner, 'reply.delta')).toBe(done?.text);
    expect(await textOf(owner, 'reply.clause')).toBe(done?.text);
  });

  it('stays up, announced and not ready, while its server is away', async () => {
    const url = `http://127.0.0.1:${await freePort()}/v1`;
    const worker = start({ PARLEY_LLM_BASE_URL: url, PARLEY_LLM_MODEL: 'm', PARLEY_LLM_API_KEY: 'secret-key' });
    const announced = async () => (await bus.presence.list('llm')).find(({ pid }) => pid === worker.pid);
    await waitUntil(async () => (await announced())?.engineReason.includes('not ready') === true, 20_000);
    expect(await announced()).toMatchObject({ engine: 'openai', ready: false });
    expect(worker.running).toBe(true);
    expect(worker.output).not.toContain('secret-key');
  });

  it('says what is wrong with its configuration and leaves with code 78', async () => {
    const worker = start({ PARLEY_LLM_ENGINE: 'openai' });
    expect(await worker.exited()).toBe(78);
    expect(worker.output).toContain('PARLEY_LLM_BASE_URL');
  });

  it('says that Redis cannot be reached', async () => {
    const worker = start({ REDIS_URL: `redis://127.0.0.1:${await freePort()}` });
    expect(await worker.exited()).not.toBe(0);
    expect(worker.output).toContain('bus_unavailable');
  });
});

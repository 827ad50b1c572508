import { fileURLToPath } from 'node:url';
import { PROTOCOL_VERSION, SUBPROTOCOL } from '@parley/protocol';
import { type AppName, waitUntil } from '@parley/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Lab } from './lab.ts';
import { redisKeysOf } from './log.ts';
import { speech, User } from './user.ts';

const engine = (name: string) => `module:${fileURLToPath(new URL(`./engines/${name}.ts`, import.meta.url))}`;

const running = ({ system }: Lab, app: AppName) => system.processes.filter((one) => one.app === app && one.running);

describe('a session survives', () => {
  let lab: Lab;
  let user: User | undefined;

  beforeAll(async () => {
    lab = await Lab.open({
      llm: 4,
      env: { PARLEY_MAX_INPUT_MS: '8000', PARLEY_GRACE_MS: '1500', PARLEY_LLM_ENGINE: engine('deadly-model') },
    });
  });
  afterEach(async () => {
    await user?.leave();
    user = undefined;
  });
  afterAll(() => lab?.close());

  it('a reply that kills every worker: an error after three, and the next question is answered', async () => {
    user = await User.connect(lab.system.urls);
    user.session.sendText('poison');
    const failed = await user.event('stage.failed', () => true, 20_000);
    expect(failed).toMatchObject({ stage: 'reply', code: 'poisoned_input', turn: 1 });
    expect(running(lab, 'llm-worker')).toHaveLength(1);
    user.session.sendText('hello');
    expect((await user.answered(2)).text).toBe('You said hello.');
  });

  it('an utterance that kills every listener: an error after three, and the next question is heard', async () => {
    for (const one of running(lab, 'stt-worker')) await one.kill();
    for (let i = 0; i < 3; i += 1)
      await lab.system.add('stt-worker', { PARLEY_STT_ENGINE: engine('deadly-recognizer') });
    user = await User.connect(lab.system.urls);
    await user.say(await speech('rms-01'));
    const failed = await user.event('stage.failed', ({ stage }) => stage === 'listen', 30_000);
    expect(failed.code).toBe('poisoned_input');
    await lab.system.add('stt-worker');
    await waitUntil(async () => (await lab.system.readyWorkers('stt')) > 0);
    await user.say(new Int16Array(16_000));
    await user.say(await speech('slt-02'));
    await user.answered(1);
    // The recogniser is not the same to the letter whatever came before.
    expect(user.transcript(1)).toContain('seventeen minutes');
  });

  it('nobody to listen: audio beyond the bound is reported as lost, the rest is heard when somebody comes', async () => {
    for (const one of running(lab, 'stt-worker')) await one.kill();
    user = await User.connect(lab.system.urls);
    await user.say(new Int16Array(16_000 * 11));
    const lost = await user.event('audio.lost');
    expect(lost).toMatchObject({ reason: 'overflow' });
    expect(lost.ms).toBeGreaterThan(500);
    await lab.system.add('stt-worker');
    await user.say(new Int16Array(16_000 * 3));
    await user.say(await speech('slt-02'));
    await user.answered(1);
    expect(user.transcript(1)).toContain('seventeen minutes');
  });

  it('a frozen idle worker: a new turn is not delayed by more than a second', async () => {
    user = await User.connect(lab.system.urls);
    user.session.sendText('first');
    await user.answered(1);
    const delays: number[] = [];
    await lab.system.add('llm-worker');
    await waitUntil(async () => (await lab.system.readyWorkers('llm')) >= 2);
    for (const frozen of running(lab, 'llm-worker')) {
      frozen.signal('SIGSTOP');
      const turn = delays.length + 2;
      const askedMs = performance.now();
      user.session.sendText(`question ${turn}`);
      await user.event('reply.delta', (event) => event.turn === turn, 10_000);
      delays.push(performance.now() - askedMs);
      frozen.signal('SIGCONT');
      await user.answered(turn);
    }
    process.stdout.write(`idle worker frozen: first text after ${delays.map(Math.round).join(', ')} ms\n`);
    expect(Math.max(...delays)).toBeLessThan(1_500);
  });

  it('its client for a grace, and no longer: then no key names it', async () => {
    const socket = new WebSocket(lab.system.urls[0] ?? '', SUBPROTOCOL);
    const session = await new Promise<string>((resolve) => {
      socket.onopen = () => socket.send(JSON.stringify({ type: 'session.start', v: PROTOCOL_VERSION }));
      socket.onmessage = ({ data }) => resolve(JSON.parse(String(data)).session);
    });
    socket.close();
    expect(await redisKeysOf(lab.redis, session)).not.toEqual([]);
    await waitUntil(async () => (await redisKeysOf(lab.redis, session)).length === 0, 15_000);
  });
});

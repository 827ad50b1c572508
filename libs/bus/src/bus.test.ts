import { once } from 'node:events';
import { createServer } from 'node:net';
import { inspect } from 'node:util';
import { type SessionEvent, sessionKeys } from '@parley/protocol';
import { createLogger } from '@parley/runtime';
import { startRedis, type TestRedis } from '@parley/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectTestBus, createSession, granted, metricLines, step } from './bus-fixture.ts';

let redis: TestRedis;

beforeAll(async () => {
  redis = await startRedis();
});
afterAll(async () => {
  await redis?.stop();
});

/** How long a promise takes to be rejected with `bus_unavailable`. */
async function unavailableAfterMs(promise: Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await expect(promise).rejects.toMatchObject({ name: 'VoiceError', code: 'bus_unavailable' });
  return performance.now() - startedMs;
}

/** Answers every command of a client as an old Redis would, so that its version can be seen. */
async function startOldRedis(): Promise<{ readonly url: string; stop(): void }> {
  const info = 'redis_version:6.2.14\r\nloading:0\r\n';
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (data) => {
      for (const [, name] of data.toString().matchAll(/\*\d+\r\n\$\d+\r\n(\w+)\r\n/g)) {
        if (name?.toLowerCase() === 'info') socket.write(`$${info.length}\r\n${info}\r\n`);
        else if (name?.toLowerCase() === 'hello') socket.write('%1\r\n$5\r\nproto\r\n:3\r\n');
        else socket.write('+OK\r\n');
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { url: `redis://127.0.0.1:${address.port}`, stop: () => void server.close() };
}

describe('at start', () => {
  it('an absent Redis is reported at once, on a socket and on a port', async () => {
    for (const url of ['unix:///nowhere/redis.sock', 'redis://127.0.0.1:1']) {
      expect(await unavailableAfterMs(connectTestBus(url, 'a'))).toBeLessThan(1_000);
    }
  });

  it('a Redis that accepts but does not answer is reported in time', async () => {
    await redis.freeze();
    const ms = await unavailableAfterMs(connectTestBus(redis.url, 'a'));
    await redis.thaw();
    expect(ms).toBeLessThan(3_000);
  });

  it('a Redis that is too old is named as such', async () => {
    const old = await startOldRedis();
    await expect(connectTestBus(old.url, 'a')).rejects.toMatchObject({
      code: 'bus_unavailable',
      message: 'Redis 7 or newer is needed, this server is 6.2.14',
    });
    old.stop();
  });

  it('knows the time of Redis', async () => {
    const { bus } = await connectTestBus(redis.url, 'a');
    const [seconds = '', micros = ''] = (await redis.client.time()).map(String);
    expect(Math.abs(bus.redisNowMs() - (Number(seconds) * 1_000 + Number(micros) / 1_000))).toBeLessThan(50);
    expect(await bus.ping()).toBeLessThan(500);
    await bus.close();
  });
});

describe('while Redis is away', () => {
  it('nothing hangs, and everybody is told, also when it is back', async () => {
    const own = await startRedis();
    const { bus, metrics } = await connectTestBus(own.url, 'a');
    const { session } = await createSession(bus);
    const changes: boolean[] = [];
    bus.onConnection((connected) => void changes.push(connected));
    await own.kill();
    await expect.poll(() => bus.connected).toBe(false);
    const events = [{ type: 'input.text', text: 'x' }] as const;
    for (const command of [
      () => bus.ping(),
      () => bus.sessions.commit(step(session, 1, '0-0', '1-0')),
      () => bus.sessions.append({ session, holder: { kind: 'owner', epoch: 1 }, events }),
      () => bus.audioIn.add(session, 640, new Uint8Array(1280), { capSamples: 16_000 }),
      () => bus.audioOut.read(session, '0'),
      () => bus.log.read(session, '0-0'),
      () => bus.log.follow(session, '0-0', () => {}),
      () => bus.control.publish({ session, closed: true }),
      () => bus.registry.refresh([{ session, deadlineMs: 1 }]),
      () => bus.presence.list('stt'),
      () => bus.queues.listen.offer('x', { session, expect: '' }),
    ]) {
      expect(await unavailableAfterMs(command())).toBeLessThan(1_200);
    }
    await own.restart();
    await expect.poll(() => bus.connected, { timeout: 5_000 }).toBe(true);
    expect(changes).toEqual([false, true]);
    granted(await bus.sessions.commit(step(session, 1, '0-0', '1-0')));
    expect(await metricLines(metrics, 'parley_bus_connected{connection="commands"}')).toEqual([
      'parley_bus_connected{connection="commands"} 1',
    ]);
    await bus.close();
    await own.stop();
  });

  it('a reader of the log misses nothing over a restart', async () => {
    const own = await startRedis();
    const a = await connectTestBus(own.url, 'a');
    const b = await connectTestBus(own.url, 'b');
    const { session } = await createSession(a.bus);
    const events: SessionEvent[] = [];
    const log = await b.bus.log.follow(session, '1-0', (event) => void events.push(event));
    let written = 0;
    const write = async (): Promise<void> => {
      const once = `token-${written}`;
      const event = { type: 'input.text', text: String(written) } as const;
      for (;;) {
        const answer = await a.bus.sessions
          .append({ session, holder: { kind: 'owner', epoch: 1 }, events: [event], once })
          .catch(() => undefined);
        if (answer) break;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      written += 1;
    };
    for (let round = 0; round < 3; round += 1) {
      const writing = (async () => {
        for (let i = 0; i < 200; i += 1) await write();
      })();
      await expect.poll(() => events.length, { interval: 2 }).toBeGreaterThan(round * 200 + 20);
      await own.restart();
      await writing;
    }
    await expect.poll(() => events.length, { timeout: 5_000 }).toBe(600);
    expect(events.map((event) => ('text' in event ? event.text : ''))).toEqual(
      Array.from({ length: 600 }, (_, i) => String(i)),
    );
    await log.close();
    await a.bus.close();
    await b.bus.close();
    await own.stop();
  });

  it('a frozen one is noticed, and an append whose answer was lost can be sent again', async () => {
    const own = await startRedis();
    const { bus } = await connectTestBus(own.url, 'a');
    const { session } = await createSession(bus);
    const append = () =>
      bus.sessions.append({
        session,
        holder: { kind: 'owner', epoch: 1 },
        events: [{ type: 'input.text', text: 'once' }],
        once: 'token',
      });
    await own.freeze();
    expect(await unavailableAfterMs(append())).toBeLessThan(1_300);
    await expect.poll(() => bus.connected, { timeout: 3_000 }).toBe(false);
    expect(await unavailableAfterMs(bus.ping())).toBeLessThan(1_300);
    await own.thaw();
    await expect.poll(() => bus.connected, { timeout: 5_000 }).toBe(true);
    expect(await append()).toEqual({ ok: true, ids: ['1-1'] });
    expect(await bus.log.read(session, '1-0')).toHaveLength(1);
    await bus.close();
    await own.stop();
  });

  it('no error carries what people said', async () => {
    const { bus } = await connectTestBus(redis.url, 'a');
    const { session } = await createSession(bus);
    await redis.client.set(sessionKeys(session).events, 'not a stream');
    const events = [{ type: 'input.text', text: 'my secret' }] as const;
    const lines: string[] = [];
    const logger = createLogger({ name: 't', stream: { write: (line) => void lines.push(line) } });
    await bus.sessions.append({ session, holder: { kind: 'owner', epoch: 1 }, events }).catch((error) => {
      expect(error).toMatchObject({ code: 'internal' });
      logger.error({ err: error, cause: error.cause }, 'failed');
      lines.push(inspect(error, { depth: 9 }));
    });
    expect(lines).toHaveLength(2);
    expect(lines.join()).not.toContain('my secret');
    await bus.close();
  });

  it('it can be closed', async () => {
    const own = await startRedis();
    const { bus } = await connectTestBus(own.url, 'a');
    const { session } = await createSession(bus);
    const log = await bus.log.follow(session, '0-0', () => {});
    const reader = bus.audioIn.reader('w', () => {});
    const taker = await bus.queues.speak.take({ slots: 2, handler: async () => {} });
    await bus.queues.speak.depth();
    await own.kill();
    await reader.close();
    await taker.close();
    await log.close();
    await bus.close();
    await own.stop();
  });
});

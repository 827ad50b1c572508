import { once } from 'node:events';
import { connect } from 'node:net';
import { type Bus, connectBus } from '@parley/bus';
import {
  decodeServerMessage,
  encodeKeySubprotocol,
  encodeUplinkAudio,
  type ServerMessage,
  type SessionReady,
  SUBPROTOCOL,
  UPLINK_HEADER_BYTES,
} from '@parley/protocol';
import { createLogger, createMetrics, systemClock } from '@parley/runtime';
import { startRedis, type TestRedis } from '@parley/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { NativeConnection } from './dialects/native/native-connection.ts';
import { authenticate } from './handshake.ts';
import { answerHttp } from './http.ts';
import { gatewayMetrics } from './metrics.ts';
import { OwnerRegistry } from './owner-registry.ts';
import { type Server, startServer } from './server.ts';

const MAX_MESSAGE_BYTES = 64 * 1_024;
const HELLO_TIMEOUT_MS = 400;
const WAIT = { timeout: 5_000, interval: 10 };

/** A client that says what it likes. */
class RawClient {
  readonly messages: ServerMessage[] = [];
  readonly #socket: WebSocket;
  closed: { code: number; reason: string } | undefined;

  constructor(port: number, protocols: string[] = [SUBPROTOCOL], query = '') {
    this.#socket = new WebSocket(`ws://127.0.0.1:${port}/v1/session${query}`, protocols);
    this.#socket.binaryType = 'arraybuffer';
    this.#socket.addEventListener('message', ({ data }) => {
      if (typeof data !== 'string') return;
      const decoded = decodeServerMessage(data);
      if (decoded.ok) this.messages.push(decoded.value);
    });
    this.#socket.addEventListener('close', ({ code, reason }) => {
      this.closed = { code, reason };
    });
  }

  get protocol(): string {
    return this.#socket.protocol;
  }

  async open(): Promise<this> {
    if (this.#socket.readyState === WebSocket.CONNECTING) await once(this.#socket, 'open');
    return this;
  }

  send(message: object | string | Uint8Array<ArrayBuffer>): this {
    const isRaw = typeof message === 'string' || message instanceof Uint8Array;
    this.#socket.send(isRaw ? message : JSON.stringify(message));
    return this;
  }

  of<T extends ServerMessage['type']>(type: T): Extract<ServerMessage, { type: T }>[] {
    return this.messages.filter((m): m is Extract<ServerMessage, { type: T }> => m.type === type);
  }

  async until<T extends ServerMessage['type']>(type: T, count = 1): Promise<Extract<ServerMessage, { type: T }>> {
    return vi.waitFor(() => {
      const found = this.of(type).at(count - 1);
      if (!found) throw new Error(`no ${type} among ${this.messages.map((m) => m.type).join(' ')}`);
      return found;
    }, WAIT);
  }

  async untilClosed(): Promise<{ code: number; reason: string }> {
    return vi.waitFor(() => {
      if (!this.closed) throw new Error('still open');
      return this.closed;
    }, WAIT);
  }

  close(): void {
    this.#socket.close();
  }
}

const START = { type: 'session.start', v: 1 };
const audio = (startSample: number, samples = 320): Uint8Array<ArrayBuffer> =>
  encodeUplinkAudio(startSample, new Uint8Array(2 * samples));

describe('the gateway, to a client that', () => {
  let redis: TestRedis;
  let bus: Bus;
  let registry: OwnerRegistry;
  let server: Server;
  let locked: Server;
  const clients: RawClient[] = [];
  const releases: (() => void | Promise<void>)[] = [];
  let serve: (apiKeys: readonly string[], port?: number, maxSessions?: number) => Promise<Server>;

  beforeAll(async () => {
    redis = await startRedis();
    const logger = createLogger({ name: 'test', level: 'silent' });
    const metrics = createMetrics({ processMetrics: false });
    const counts = gatewayMetrics(metrics);
    bus = await connectBus({ url: redis.url, process: { id: 'g1', host: 'test', pid: 1 }, logger, metrics });
    const limits = {
      maxInputMs: 60_000,
      resumeBoundMs: 2_000,
      audioRateFactor: 1.5,
      idleTimeoutMs: 600_000,
      maxSessionMs: 3_600_000,
      maxBufferedBytes: 1_000_000,
      graceMs: 60_000,
    };
    const open = async (maxSessions: number): Promise<OwnerRegistry> => {
      const opened = new OwnerRegistry({
        bus,
        clock: systemClock,
        logger,
        metrics: counts,
        limits: { ...limits, maxSessions },
      });
      await opened.open();
      releases.push(() => opened.close());
      return opened;
    };
    registry = await open(100);
    serve = async (apiKeys, port = 0, maxSessions) => {
      const sessions = maxSessions === undefined ? registry : await open(maxSessions);
      const started = await startServer({
        host: '127.0.0.1',
        port,
        maxMessageBytes: MAX_MESSAGE_BYTES,
        maxBufferedBytes: limits.maxBufferedBytes,
        admit: (request) => authenticate(request, apiKeys),
        connect: (socket, admission) =>
          new NativeConnection(socket, admission, {
            registry: sessions,
            clock: systemClock,
            logger,
            metrics: counts,
            helloTimeoutMs: HELLO_TIMEOUT_MS,
          }),
        http: (request) =>
          answerHttp(request, { bus, registry, metrics, operatorKeys: ['operator'], draining: () => false }),
        onConnections: () => undefined,
        onDropped: () => undefined,
      });
      releases.push(() => started.close());
      return started;
    };
    server = await serve([]);
    locked = await serve(['sk-1', 'schlüssel 🔑']);
  });
  afterEach(async () => {
    const open = clients.splice(0);
    for (const client of open) client.close();
    await Promise.all(open.map((client) => client.untilClosed()));
  });
  afterAll(async () => {
    for (const release of releases.reverse()) await release();
    await bus.close();
    await redis.stop();
  });

  async function connected(...args: [protocols?: string[], query?: string]): Promise<RawClient> {
    const client = new RawClient(server.port, ...args);
    clients.push(client);
    return client.open();
  }

  async function started(): Promise<{ client: RawClient; ready: SessionReady }> {
    const client = await connected();
    client.send(START);
    return { client, ready: await client.until('session.ready') };
  }

  /** The session answers as if nothing had happened. */
  async function expectUsable(client: RawClient): Promise<void> {
    const before = client.of('reply.started').length;
    client.send({ type: 'input.text', text: 'still there?' });
    await client.until('reply.started', before + 1);
    expect(client.closed).toBeUndefined();
  }

  it('speaks its protocol, opens a session and acknowledges all the time', async () => {
    const { client, ready } = await started();
    expect(client.protocol).toBe(SUBPROTOCOL);
    expect(ready).toMatchObject({ v: 1, resumed: false, epoch: 1, inputSample: 0, ackedSample: 0, graceMs: 60_000 });
    expect(ready.token?.length).toBeGreaterThanOrEqual(22);
    await client.until('audio.ack', 3);
    await expectUsable(client);
  });

  it.each<[string, object | string | Uint8Array<ArrayBuffer>, string, number]>([
    ['begins with what is not JSON', 'hello', 'bad_message', 4400],
    ['begins with JSON that is no message', '[]', 'bad_message', 4400],
    ['begins with null', 'null', 'bad_message', 4400],
    ['begins with an empty message', '', 'bad_message', 4400],
    ['begins with an unknown message', { type: 'hello' }, 'bad_message', 4400],
    ['begins with a message for later', { type: 'input.text', text: 'hi' }, 'bad_message', 4400],
    ['begins with audio', audio(0), 'bad_message', 4400],
    ['begins without a version', { type: 'session.start' }, 'bad_message', 4400],
    ['speaks a version that is no number', { type: 'session.start', v: '1' }, 'bad_message', 4400],
    ['speaks a newer version', { type: 'session.start', v: 2 }, 'unsupported_version', 4406],
    ['speaks a version before the first', { type: 'session.start', v: 0 }, 'unsupported_version', 4406],
    ['needs a newer reader', { type: 'session.start', v: 3, minReader: 2 }, 'unsupported_version', 4406],
    ['asks for settings out of range', { ...START, settings: { speed: 9 } }, 'bad_settings', 4400],
    ['asks for settings of the wrong type', { ...START, settings: { language: 7 } }, 'bad_settings', 4400],
    ['asks for a rate nobody makes', { ...START, settings: { outputRateHz: 12_345 } }, 'bad_settings', 4400],
    [
      'resumes a session that never was',
      { type: 'session.resume', v: 1, session: 'A'.repeat(22), token: 'x' },
      'session_unknown',
      4404,
    ],
    [
      'resumes what cannot be a session',
      { type: 'session.resume', v: 1, session: '{x}:events', token: 'x' },
      'session_unknown',
      4404,
    ],
    [
      'resumes after what is no event',
      { type: 'session.resume', v: 1, session: 'A'.repeat(22), token: 'x', lastEvent: '-' },
      'bad_message',
      4400,
    ],
  ])('%s, tells why and closes', async (_does, message, code, close) => {
    const client = await connected();
    client.send(message);
    expect(await client.until('error')).toMatchObject({ code, fatal: true });
    expect(await client.untilClosed()).toEqual({ code: close, reason: code });
    expect(client.of('session.ready')).toEqual([]);
  });

  it('says nothing, tells why and closes', async () => {
    const client = await connected();
    expect(await client.until('error')).toMatchObject({ code: 'hello_timeout', fatal: true, retryable: true });
    expect((await client.untilClosed()).code).toBe(4408);
  });

  it('does not make a session of what follows a refused first message', async () => {
    const { size } = registry;
    const client = await connected();
    client.send('nonsense').send(START).send(START);
    await client.untilClosed();
    expect(client.of('error')).toHaveLength(1);
    expect(registry.size).toBe(size);
  });

  it.each<[string, object | string | Uint8Array<ArrayBuffer>, string]>([
    ['sends what is not JSON', '{"type":', 'bad_message'],
    ['sends an unknown message', { type: 'input.dance' }, 'bad_message'],
    ['leaves a field out', { type: 'input.text' }, 'bad_message'],
    ['sends an empty text', { type: 'input.text', text: '' }, 'bad_message'],
    ['sends a text that is too long', { type: 'input.text', text: 'x'.repeat(8_001) }, 'bad_message'],
    ['starts a second session', START, 'bad_message'],
    ['resumes within a session', { type: 'session.resume', v: 1, session: 'A'.repeat(22), token: 'x' }, 'bad_message'],
    ['changes settings out of range', { type: 'session.update', settings: { speed: 0 } }, 'bad_settings'],
    ['changes settings that are fixed', { type: 'session.update', settings: { outputRateHz: 8_000 } }, 'bad_settings'],
    ['changes settings that are not there', { type: 'session.update', settings: { pitch: 1 } }, 'bad_settings'],
    ['acknowledges what is no event', { type: 'ack', event: '7' }, 'bad_message'],
    ['plays a negative number of samples', { type: 'playback', turn: 1, attempt: 0, samples: -1 }, 'bad_message'],
    ['sends audio with an odd number of bytes', new Uint8Array([...audio(0), 7]), 'bad_audio'],
    ['sends half a header', audio(0).slice(0, UPLINK_HEADER_BYTES - 1), 'bad_audio'],
    ['sends a header alone', audio(0).slice(0, UPLINK_HEADER_BYTES), 'bad_audio'],
    ['sends no byte at all', new Uint8Array(0), 'bad_audio'],
    ['sends another kind of audio', new Uint8Array([2, ...audio(0).slice(1)]), 'bad_audio'],
    ['numbers audio beyond all numbers', new Uint8Array(audio(0)).fill(255, 4, 12), 'bad_audio'],
    ['skips years of audio', audio(2 ** 40), 'bad_audio'],
  ])('%s, tells why and goes on', async (_does, message, code) => {
    const { client } = await started();
    client.send(message);
    const error = await client.until('error');
    expect(error).toMatchObject({ code, fatal: false });
    expect(JSON.stringify(error)).not.toContain('xxxx');
    await expectUsable(client);
  });

  it('sends text that is not UTF-8 is let go', async () => {
    const { port } = server;
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const received: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => received.push(chunk));
    socket.on('error', () => undefined);
    socket.write(
      `GET /v1/session HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${'A'.repeat(22)}==\r\n\r\n`,
    );
    await vi.waitFor(() => expect(Buffer.concat(received).toString('latin1')).toContain('101'), WAIT);
    // A masked text frame of two bytes that are no UTF-8.
    socket.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28]));
    if (!socket.destroyed) await once(socket, 'close');
    const { client } = await started();
    await expectUsable(client);
  });

  it.each([
    ['somewhat too large', MAX_MESSAGE_BYTES + 2],
    ['just small enough', MAX_MESSAGE_BYTES],
  ])('sends a message %s', async (_how, bytes) => {
    const { client } = await started();
    client.send(audio(0, (bytes - UPLINK_HEADER_BYTES) / 2));
    if (bytes <= MAX_MESSAGE_BYTES) return expectUsable(client);
    expect(await client.until('error')).toMatchObject({ code: 'too_large', fatal: true });
    expect(await client.untilClosed()).toEqual({ code: 4413, reason: 'too_large' });
  });

  it('sends a message much too large is let go, and the others stay', async () => {
    const { client } = await started();
    const other = await started();
    client.send('x'.repeat(10 * MAX_MESSAGE_BYTES));
    await client.untilClosed();
    await expectUsable(other.client);
  });

  it('floods, is told so, and answered again afterwards', async () => {
    const { client } = await started();
    for (let i = 0; i < 400; i += 1) client.send({ type: 'input.commit' });
    const error = await client.until('error');
    expect(error).toMatchObject({ code: 'rate_limited', fatal: false, retryable: true, retryAfterMs: 1_000 });
    expect(client.closed).toBeUndefined();
    await vi.waitFor(
      () => {
        client.send({ type: 'input.text', text: 'still there?' });
        expect(client.of('reply.started')).not.toEqual([]);
      },
      { ...WAIT, interval: 100 },
    );
  });

  it('sends audio faster than it can be spoken, is told so, and goes on', async () => {
    const { client } = await started();
    for (let at = 0; at < 3 * 16_000; at += 1_600) client.send(audio(at, 1_600));
    expect(await client.until('error')).toMatchObject({ code: 'rate_limited', fatal: false });
    await expectUsable(client);
  });

  it.each([
    ['no key', [SUBPROTOCOL], ''],
    ['a wrong key', [SUBPROTOCOL, encodeKeySubprotocol('sk-2')], ''],
    ['a broken key', [SUBPROTOCOL, 'parley.key.!!!'], ''],
    ['an empty key', [SUBPROTOCOL], '?key='],
  ])('has %s, is not let in', async (_what, protocols, query) => {
    const client = new RawClient(locked.port, protocols, query);
    clients.push(client);
    expect(await client.until('error')).toMatchObject({ code: 'unauthorized', fatal: true, retryable: false });
    expect((await client.untilClosed()).code).toBe(4401);
  });

  it.each([
    ['in a subprotocol', [SUBPROTOCOL, encodeKeySubprotocol('schlüssel 🔑')], ''],
    ['in the address', [SUBPROTOCOL], '?key=sk-1'],
  ])('has its key %s, is let in', async (_where, protocols, query) => {
    const client = new RawClient(locked.port, protocols, query);
    clients.push(client);
    await client.open();
    client.send(START);
    await client.until('session.ready');
  });

  it('resumes with a wrong token, or another key, gets nothing of the session', async () => {
    const { client, ready } = await started();
    const thief = await connected();
    thief.send({ type: 'session.resume', v: 1, session: ready.session, token: `${ready.token}x` });
    expect(await thief.until('error')).toMatchObject({ code: 'session_token', fatal: true });
    expect((await thief.untilClosed()).code).toBe(4403);
    const other = new RawClient(locked.port, [SUBPROTOCOL], '?key=sk-1');
    clients.push(other);
    await other.open();
    other.send({ type: 'session.resume', v: 1, session: ready.session, token: ready.token });
    expect(await other.until('error')).toMatchObject({ code: 'session_token', fatal: true });
    await expectUsable(client);
  });

  it('resumes takes the session over from its older connection', async () => {
    const { client, ready } = await started();
    await expectUsable(client);
    const last = client.of('reply.started').at(-1);
    const next = await connected();
    const resume = { type: 'session.resume', v: 1, session: ready.session, token: ready.token, lastEvent: last?.id };
    next.send(resume);
    expect(await next.until('session.ready')).toMatchObject({ resumed: true, epoch: 2, session: ready.session });
    expect(await client.until('error')).toMatchObject({ code: 'moved', fatal: true });
    expect((await client.untilClosed()).code).toBe(4410);
    await expectUsable(next);
    expect(next.of('reply.started')[0]?.id).not.toBe(last?.id);
  });

  it('closes its session, is told and let go', async () => {
    const { client, ready } = await started();
    client.send({ type: 'session.close' });
    await client.until('session.closed');
    expect((await client.untilClosed()).code).toBe(1000);
    const late = await connected();
    late.send({ type: 'session.resume', v: 1, session: ready.session, token: ready.token });
    expect(await late.until('error')).toMatchObject({ code: 'session_unknown' });
  });

  it('asks over HTTP gets answers in JSON', async () => {
    const get = (path: string, init?: RequestInit): Promise<Response> =>
      fetch(`http://127.0.0.1:${server.port}${path}`, init);
    expect(await (await get('/healthz')).json()).toEqual({ alive: true });
    const ready = await get('/readyz');
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({
      ready: false,
      reasons: ['no stt worker', 'no llm worker', 'no tts worker'],
    });
    expect(await (await get('/metrics')).text()).toContain('parley_gateway_sessions');
    expect((await get('/nothing')).status).toBe(404);
    expect((await get('/healthz', { method: 'POST' })).status).toBe(405);
    expect((await get('/v1/session')).status).toBeGreaterThanOrEqual(400);
    const { ready: session } = await started();
    const debug = await get(`/debug/sessions/${session.session}`);
    expect(await debug.json()).toMatchObject({ session: session.session, epoch: 1, owner: { id: 'g1' }, claims: [] });
    for (const path of ['/debug/sessions/', `/debug/sessions/${'A'.repeat(22)}`, '/debug/sessions/%7Bx%7D:events']) {
      expect((await get(path)).status).toBe(404);
    }
  });

  it('is one too many is refused with a hint when to come again', async () => {
    const full = await serve([], 0, 0);
    const client = new RawClient(full.port);
    clients.push(client);
    (await client.open()).send(START);
    expect(await client.until('error')).toMatchObject({ code: 'session_limit', retryable: true, retryAfterMs: 5_000 });
    expect((await client.untilClosed()).code).toBe(4429);
  });
});

describe('a second gateway', () => {
  it('on a port that is taken is told so, and the first one goes on', async () => {
    const options = {
      host: '127.0.0.1',
      maxMessageBytes: MAX_MESSAGE_BYTES,
      maxBufferedBytes: MAX_MESSAGE_BYTES,
      admit: () => '',
      connect: () => {
        throw new Error('nobody connects here');
      },
      http: async () => ({ status: 200, contentType: 'text/plain', body: 'first' }),
      onConnections: () => undefined,
      onDropped: () => undefined,
    };
    const first = await startServer({ ...options, port: 0 });
    await expect(startServer({ ...options, port: first.port })).rejects.toThrow(
      `port ${first.port} on 127.0.0.1 is taken, or may not be listened on`,
    );
    expect(await (await fetch(`http://127.0.0.1:${first.port}/`)).text()).toBe('first');
    first.close();
  });
});

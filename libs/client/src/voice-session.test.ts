import { type ServerEvent, type SessionReady, VoiceError } from '@parley/protocol';
import {
  answerReady,
  READY,
  type ScriptedConnection,
  type ScriptedGateway,
  startScriptedGateway,
} from '@parley/testkit';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { connect } from './connect.ts';
import type { Resumed, SessionState, VoiceSession } from './voice-session.ts';

const gateways: ScriptedGateway[] = [];
const sessions: VoiceSession[] = [];

afterEach(async () => {
  await Promise.all(sessions.splice(0).map((session) => session.close()));
  await Promise.all(gateways.splice(0).map((gateway) => gateway.close()));
});

async function gateway(...args: Parameters<typeof startScriptedGateway>): Promise<ScriptedGateway> {
  const started = await startScriptedGateway(...args);
  gateways.push(started);
  return started;
}

/** Answers with the given fields; sessions close when asked to. */
const answering =
  (answer: Partial<SessionReady> = {}) =>
  (connection: ScriptedConnection, hello: Parameters<typeof answerReady>[1]) =>
    answerReady(connection, hello, answer);

async function session(urls: string[], options: Partial<Parameters<typeof connect>[0]> = {}) {
  const opened = await connect({ urls, ...options });
  sessions.push(opened);
  const told = {
    events: [] as ServerEvent[],
    audio: [] as string[],
    volume: [] as string[],
    states: [] as SessionState[],
    errors: [] as string[],
    resumed: [] as Resumed[],
    closed: [] as (string | undefined)[],
  };
  opened.on('event', (event) => told.events.push(event));
  opened.on('audio', ({ turn, startSample, pcm, endOfReply }) =>
    told.audio.push(`${turn}:${startSample}+${pcm.byteLength / 2}${endOfReply ? ' end' : ''}`),
  );
  opened.on('duck', () => told.volume.push('duck'));
  opened.on('restore', () => told.volume.push('restore'));
  opened.on('stop', (generation) => told.volume.push(`stop ${generation}`));
  opened.on('state', (state) => told.states.push(state));
  opened.on('error', (error) => told.errors.push(error.code));
  opened.on('resumed', (resumed) => told.resumed.push(resumed));
  opened.on('closed', (error) => told.closed.push(error?.code));
  return { opened, told };
}

/** An address at which nobody listens. */
async function unusedUrl(): Promise<string> {
  const gone = await startScriptedGateway();
  const { url } = gone;
  await gone.close();
  return url.replace('ws:', 'http:');
}

const samples = (count: number) => new Int16Array(count).fill(7);

const event = (id: string): ServerEvent => ({
  type: 'transcript.partial',
  utterance: 1,
  text: 'hello',
  id,
  at: 1,
  turn: 1,
  generation: 0,
});

describe('connecting', () => {
  it('starts a session with its settings and hands the key over as a subprotocol', async () => {
    const server = await gateway();
    const { opened } = await session([server.url], { key: 'my key (1)', settings: { voice: 'slt' } });
    expect(opened.session).toBe('session-0000000000001');
    expect(opened.state).toBe('open');
    expect(server.last.subprotocols).toEqual(['parley.v1', 'parley.key.bXkga2V5ICgxKQ']);
    expect(server.last.of('session.start')).toMatchObject([{ v: 1, settings: { voice: 'slt' } }]);
  });

  it('misses nothing that comes together with the first answer', async () => {
    const server = await gateway((connection, hello) => {
      answerReady(connection, hello);
      connection.send(event('1-1'));
      connection.send(event('1-2'));
    });
    const { told } = await session([server.url]);
    await vi.waitFor(() => expect(told.events.map(({ id }) => id)).toEqual(['1-1', '1-2']));
  });

  it('takes the next gateway when the first cannot be reached', async () => {
    const server = await gateway();
    const { opened } = await session([await unusedUrl(), server.url]);
    expect(opened.state).toBe('open');
  });

  it('rejects with `unreachable` when nobody listens', async () => {
    await expect(connect({ urls: [await unusedUrl()] })).rejects.toMatchObject({ code: 'unreachable' });
    await expect(connect({ urls: ['not an address'] })).rejects.toMatchObject({ code: 'unreachable' });
    await expect(connect({ urls: [] })).rejects.toMatchObject({ code: 'unreachable' });
  });

  it.each([
    ['the error message', 'overloaded', 4429, 'overloaded'],
    ['the close reason', undefined, 4429, 'session_limit'],
    ['the close code', undefined, 4401, ''],
  ] as const)('rejects with the code of %s', async (_, code, close, reason) => {
    const server = await gateway((connection) => {
      if (code)
        connection.send({ type: 'error', fatal: true, code, message: 'No.', retryable: true, retryAfterMs: 50 });
      connection.close(close, reason);
    });
    const failure = await connect({ urls: [server.url] }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(VoiceError);
    expect(failure).toMatchObject(code ? { code, retryAfterMs: 50 } : { code: reason || 'unauthorized' });
  });
});

describe('speaking', () => {
  it('numbers audio by sample and sends at most 40 ms in a message', async () => {
    const server = await gateway();
    const { opened } = await session([server.url]);
    opened.sendAudio(samples(320));
    opened.sendAudio(samples(0));
    opened.sendAudio(samples(1_500));
    await vi.waitFor(() => expect(server.last.startSamples).toEqual([0, 320, 960, 1_600]));
    expect(server.last.audio.map(({ pcm }) => pcm.byteLength)).toEqual([640, 1_280, 1_280, 440]);
    expect(opened.nextSample).toBe(1_820);
  });

  it('sends text, interrupts, commits, settings, tool results and resets', async () => {
    const server = await gateway();
    const { opened } = await session([server.url]);
    opened.sendText('hello');
    opened.interrupt();
    opened.commit();
    opened.update({ speed: 1.5 });
    opened.sendToolResult('c1', '42');
    opened.reset();
    await vi.waitFor(() =>
      expect(server.last.messages.slice(1)).toEqual([
        { type: 'input.text', text: 'hello' },
        { type: 'input.interrupt' },
        { type: 'input.commit' },
        { type: 'session.update', settings: { speed: 1.5 } },
        { type: 'input.tool_result', call: 'c1', result: '42' },
        { type: 'session.reset' },
      ]),
    );
  });

  it('reports playback at most four times a second, the last value always', async () => {
    const server = await gateway();
    const { opened } = await session([server.url]);
    for (let played = 1; played <= 50; played++) opened.reportPlayback({ turn: 1, attempt: 0, samples: played });
    await vi.waitFor(() => expect(server.last.of('playback').map((report) => report.samples)).toEqual([1, 50]));
  });

  it('acknowledges the newest event', async () => {
    const server = await gateway();
    await session([server.url]);
    for (const seq of [1, 2, 3]) server.last.send(event(`1-${seq}`));
    await vi.waitFor(() => expect(server.last.of('ack').map((ack) => ack.event)).toEqual(['1-1', '1-3']), 2_000);
  });
});

describe('hearing', () => {
  it('drops events that it has, and skips what it does not know', async () => {
    const server = await gateway();
    const { opened, told } = await session([server.url]);
    for (const id of ['1-1', '1-2', '1-2', '1-1', '2-0']) server.last.send(event(id));
    server.last.sendText('{"type":"from.the.future"}');
    server.last.sendText('not json');
    server.last.send(event('2-1'));
    await vi.waitFor(() => expect(told.events.map(({ id }) => id)).toEqual(['1-1', '1-2', '2-0', '2-1']));
    expect(opened.stats.skippedMessages).toBe(2);
  });

  it('passes on reply audio, volume and errors', async () => {
    const server = await gateway();
    const { told } = await session([server.url]);
    server.last.sendAudio({ pcm: new Uint8Array(960) });
    server.last.send({ type: 'audio.duck', generation: 0 });
    server.last.send({ type: 'audio.restore', generation: 0 });
    server.last.send({ type: 'audio.stop', generation: 1 });
    server.last.sendAudio({ startSample: 480, pcm: new Uint8Array(960) });
    server.last.send({ type: 'error', fatal: false, code: 'bad_message', message: 'No.', retryable: false });
    await vi.waitFor(() => expect(told.errors).toEqual(['bad_message']));
    expect(told.audio).toEqual(['1:0+480']);
    expect(told.volume).toEqual(['duck', 'restore', 'stop 1']);
  });
});

describe('resuming', () => {
  it('goes to the next gateway when the connection breaks, and says what it has', async () => {
    const [first, second] = [await gateway(), await gateway(answering({ inputSample: 640 }))];
    const { opened, told } = await session([first.url, second.url]);
    for (let i = 0; i < 4; i++) opened.sendAudio(samples(320));
    first.last.send(event('1-7'));
    first.last.sendAudio({ turn: 3, attempt: 1, startSample: 0, pcm: new Uint8Array(2_000) });
    opened.reportPlayback({ turn: 3, attempt: 1, samples: 400 });
    await vi.waitFor(() => expect(told.audio).toHaveLength(1));
    await vi.waitFor(() => expect(first.last.of('playback')).toHaveLength(1));
    first.last.cut();
    await vi.waitFor(() => expect(told.resumed).toHaveLength(1));
    expect(second.last.of('session.resume')).toEqual([
      {
        type: 'session.resume',
        v: 1,
        session: 'session-0000000000001',
        token: 'token',
        lastEvent: '1-7',
        audio: { turn: 3, attempt: 1, received: 1_000, played: 400 },
      },
    ]);
    expect(told.states).toEqual(['resuming', 'open']);
    expect(told.resumed).toMatchObject([{ lostSamples: 0 }]);
    await vi.waitFor(() => expect(second.last.startSamples).toEqual([640, 960]));
    opened.sendAudio(samples(320));
    await vi.waitFor(() => expect(second.last.startSamples).toEqual([640, 960, 1_280]));
  });

  it('keeps what is said and written while no connection is there, and sends it on the next', async () => {
    const server = await gateway();
    const { opened, told } = await session([server.url]);
    server.last.cut();
    await vi.waitFor(() => expect(told.states).toEqual(['resuming']));
    opened.sendAudio(samples(320));
    opened.sendText('still here');
    await vi.waitFor(() => expect(told.resumed).toHaveLength(1));
    await vi.waitFor(() => expect(server.last.startSamples).toEqual([0]));
    expect(server.last.of('input.text')).toHaveLength(1);
  });

  it('drops a connection after a second of nothing and ignores what still comes from it', async () => {
    const silent = await gateway((connection) => connection.send(READY));
    const second = await gateway();
    const { told } = await session([silent.url, second.url]);
    const startMs = performance.now();
    await vi.waitFor(() => expect(told.states).toEqual(['resuming']), 2_000);
    expect(performance.now() - startMs).toBeGreaterThan(900);
    if (silent.last.isOpen) silent.last.send(event('1-1'));
    await vi.waitFor(() => expect(told.resumed).toHaveLength(1));
    expect(told.events).toEqual([]);
  });

  it('goes on at once when a gateway is going away', async () => {
    const [first, second] = [await gateway(), await gateway()];
    const { told } = await session([first.url, second.url]);
    first.last.close(4503, 'going_away');
    await vi.waitFor(() => expect(told.resumed).toHaveLength(1));
    expect(told.resumed[0]?.afterMs).toBeLessThan(100);
    expect(told.errors).toEqual([]);
  });

  it.each(['moved', 'session_unknown', 'idle_timeout'] as const)('stops for good at `%s`', async (code) => {
    const server = await gateway();
    const { opened, told } = await session([server.url]);
    server.last.send({ type: 'error', fatal: true, code, message: 'No.', retryable: false });
    server.last.close(4410);
    await vi.waitFor(() => expect(told.closed).toEqual([code]));
    expect(opened.state).toBe('closed');
    expect(server.connections).toHaveLength(1);
    expect(() => opened.sendText('hello')).toThrow(expect.objectContaining({ code: 'closed' }));
  });

  it('stops when the session is unknown to the gateway it resumes on', async () => {
    const server = await gateway((connection, hello) => {
      if (hello.type === 'session.start') answerReady(connection, hello);
      else connection.close(4404, 'session_unknown');
    });
    const { told } = await session([server.url]);
    server.last.cut();
    await vi.waitFor(() => expect(told.closed).toEqual(['session_unknown']));
  });

  it('gives up when the grace is over', async () => {
    const server = await gateway(answering({ graceMs: 400 }));
    const { told } = await session([server.url]);
    await server.close();
    await vi.waitFor(() => expect(told.closed).toEqual(['unreachable']), 3_000);
  });

  it('keeps no more audio than the bound, and tells what is lost when it is asked for', async () => {
    const server = await gateway(answering({ resumeBoundMs: 100, inputSample: 320 }));
    const { opened, told } = await session([server.url]);
    for (let i = 0; i < 10; i++) opened.sendAudio(samples(320));
    server.last.cut();
    await vi.waitFor(() => expect(told.resumed).toMatchObject([{ lostSamples: 1_280 }]));
    await vi.waitFor(() => expect(server.last.startSamples).toEqual([1_600, 1_920, 2_240, 2_560, 2_880]));
    expect(opened.stats.lostSamples).toBe(1_280);
  });

  it('drops events and audio that come again after a resume', async () => {
    const server = await gateway();
    const { told } = await session([server.url]);
    server.last.send(event('1-1'));
    server.last.sendAudio({ startSample: 0, pcm: new Uint8Array(960) });
    await vi.waitFor(() => expect(told.audio).toHaveLength(1));
    server.last.cut();
    await vi.waitFor(() => expect(told.resumed).toHaveLength(1));
    server.last.send(event('1-1'));
    server.last.send(event('2-0'));
    server.last.sendAudio({ startSample: 0, pcm: new Uint8Array(960) });
    server.last.sendAudio({ startSample: 400, pcm: new Uint8Array(960) });
    server.last.sendAudio({ startSample: 880, endOfReply: true });
    await vi.waitFor(() => expect(told.audio).toEqual(['1:0+480', '1:480+400', '1:880+0 end']));
    expect(told.events.map(({ id }) => id)).toEqual(['1-1', '2-0']);
  });

  it('takes a stop that it missed from the generation', async () => {
    const server = await gateway((connection, hello) =>
      answerReady(connection, hello, { generation: hello.type === 'session.resume' ? 4 : 0 }),
    );
    const { told } = await session([server.url]);
    server.last.cut();
    await vi.waitFor(() => expect(told.resumed).toHaveLength(1));
    expect(told.volume).toEqual(['stop 4']);
  });
});

describe('closing', () => {
  it('ends the session on the server too', async () => {
    const server = await gateway();
    const { opened, told } = await session([server.url]);
    opened.reportPlayback({ turn: 1, attempt: 0, samples: 1 });
    opened.reportPlayback({ turn: 1, attempt: 0, samples: 2 });
    const closed = opened.close();
    await vi.waitFor(() => expect(server.last.of('session.close')).toHaveLength(1));
    expect(server.last.of('playback').map((report) => report.samples)).toEqual([1, 2]);
    await closed;
    expect(told.states).toEqual(['closed']);
    expect(told.closed).toEqual([undefined]);
  });

  it('does not wait for ever for the server to confirm', async () => {
    const server = await gateway();
    const { opened } = await session([server.url]);
    server.last.ignoresClose = true;
    await opened.close();
    expect(opened.state).toBe('closed');
  });
});

import { describe, expect, it } from 'vitest';
import { decodeServerMessage } from './server-codec.ts';
import { DEFAULT_SETTINGS } from './settings.ts';

const ready = {
  type: 'session.ready',
  v: 1,
  session: 'abcdefgh',
  token: 't',
  resumed: false,
  epoch: 1,
  generation: 0,
  settings: DEFAULT_SETTINGS,
  inputSample: 0,
  ackedSample: 0,
  resumeBoundMs: 15_000,
  graceMs: 60_000,
};

describe('messages of the server', () => {
  it.each([
    ready,
    { ...ready, snapshot: { history: [{ role: 'user', turn: 1, text: 'hello' }], lastEvent: '1-4' } },
    { type: 'audio.ack', sample: 640 },
    { type: 'audio.duck', generation: 1 },
    { type: 'audio.restore', generation: 1 },
    { type: 'audio.stop', generation: 2, reply: { turn: 1, attempt: 0 } },
    { type: 'error', fatal: false, code: 'bad_audio', message: 'No.', retryable: false },
    { type: 'error', fatal: true, code: 'overloaded', message: 'No.', retryable: true, retryAfterMs: 500 },
    { type: 'speech.started', utterance: 1, sample: 5, id: '1-2', at: 9, turn: 1, generation: 0 },
    { type: 'reply.delta', turn: 1, attempt: 0, text: 'Hi', id: '1-3', at: 9, generation: 1 },
    { type: 'session.closed', reason: 'client', id: '1-4', at: 9, generation: 1 },
  ])('are understood: $type', (message) => {
    expect(decodeServerMessage(JSON.stringify(message))).toEqual({ ok: true, value: message });
  });

  it('keep an error whose code is not known yet', () => {
    const text = '{"type":"error","fatal":false,"code":"from_the_future","message":"Hm.","retryable":true}';
    expect(decodeServerMessage(text)).toMatchObject({ ok: true, value: { code: 'internal', message: 'Hm.' } });
  });

  it.each([
    ['not_json', 'hello'],
    ['not_an_object', '"hello"'],
    ['not_an_object', 'null'],
    ['malformed', '{}'],
    ['malformed', '{"type":"audio.ack"}'],
    ['malformed', '{"type":"speech.started","id":"1-2","at":1,"generation":0}'],
    ['unknown_type', '{"type":"audio.whisper"}'],
    ['unknown_type', '{"type":"speech.whispered","id":"1-2","at":1,"generation":0}'],
    ['newer', '{"type":"speech.started","minReader":99,"id":"1-2","at":1,"generation":0}'],
  ])('are skipped as %s: %s', (reason, text) => {
    expect(decodeServerMessage(text)).toEqual({ ok: false, reason });
  });
});

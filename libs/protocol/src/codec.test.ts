import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeKeySubprotocol, encodeKeySubprotocol } from './client-messages.ts';
import {
  decodeClientMessage,
  decodeDownlinkAudio,
  decodeUplinkAudio,
  encodeDownlinkAudio,
  encodeUplinkAudio,
} from './codec.ts';
import type { VoiceError } from './errors.ts';

const pcm = (minSamples: number) =>
  fc.uint8Array({ minLength: minSamples * 2, maxLength: 400 }).map((bytes) => bytes.subarray(0, bytes.length & ~1));
const sample = fc.maxSafeNat();
const uint32 = fc.nat(0xffff_ffff);

/** The same bytes in the middle of a larger buffer, at any offset. */
const moved = (bytes: Uint8Array, offset: number): Uint8Array => {
  const larger = new Uint8Array(bytes.length + offset + 3);
  larger.set(bytes, offset);
  return larger.subarray(offset, offset + bytes.length);
};

describe('user audio', () => {
  it('comes out as it went in, from any place in memory', () => {
    fc.assert(
      fc.property(sample, pcm(1), fc.nat(3), (startSample, bytes, offset) => {
        const decoded = decodeUplinkAudio(moved(encodeUplinkAudio(startSample, bytes), offset));
        expect(decoded.startSample).toBe(startSample);
        expect([...decoded.pcm]).toEqual([...bytes]);
      }),
    );
  });

  it('has the layout that is written down', () => {
    const bytes = encodeUplinkAudio(0x1_0000_0002, Uint8Array.of(7, 8));
    expect([...bytes]).toEqual([1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 7, 8]);
  });

  it.each([
    ['nothing', new Uint8Array(0)],
    ['a header cut short', new Uint8Array(11).fill(1)],
    ['no samples', encodeUplinkAudio(0, new Uint8Array(0))],
    ['half a sample', encodeUplinkAudio(0, new Uint8Array(3))],
    ['another kind', encodeUplinkAudio(0, new Uint8Array(2)).fill(2, 0, 1)],
    ['a sample number that is too large', encodeUplinkAudio(0, new Uint8Array(2)).fill(255, 4, 12)],
  ])('is refused as `bad_audio` with a reason when it holds %s', (_, bytes) => {
    expect(() => decodeUplinkAudio(bytes)).toThrow(expect.objectContaining({ code: 'bad_audio', isPublic: true }));
  });
});

describe('reply audio', () => {
  const frame = fc.record({
    turn: uint32,
    attempt: uint32,
    generation: uint32,
    clause: fc.nat(0xffff),
    startSample: sample,
    endOfClause: fc.boolean(),
    endOfReply: fc.boolean(),
    pcm: pcm(0),
  });

  it('comes out as it went in, from any place in memory', () => {
    fc.assert(
      fc.property(frame, fc.nat(3), (sent, offset) => {
        const received = decodeDownlinkAudio(moved(encodeDownlinkAudio(sent), offset));
        expect({ ...received, pcm: [...received.pcm] }).toEqual({ ...sent, pcm: [...sent.pcm] });
      }),
    );
  });

  it('has the layout that is written down', () => {
    const bytes = encodeDownlinkAudio({
      turn: 3,
      attempt: 1,
      generation: 4,
      clause: 2,
      startSample: 960,
      endOfClause: true,
      endOfReply: true,
      pcm: Uint8Array.of(7, 8),
    });
    const header = [2, 3, 2, 0, 3, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 0xc0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    expect([...bytes]).toEqual([...header, 7, 8]);
  });

  it.each([
    ['nothing', new Uint8Array(0)],
    ['a header cut short', new Uint8Array(27).fill(2)],
    ['half a sample', new Uint8Array(29).fill(2)],
    ['another kind', new Uint8Array(28)],
  ])('is refused as `bad_audio` when it holds %s', (_, bytes) => {
    expect(() => decodeDownlinkAudio(bytes)).toThrow(expect.objectContaining({ code: 'bad_audio' }));
  });
});

describe('messages of the client', () => {
  it.each([
    { type: 'session.start', v: 1 },
    { type: 'session.start', v: 2, minReader: 1, settings: { voice: 'slt', outputRateHz: 16_000 } },
    {
      type: 'session.resume',
      v: 1,
      session: 'abcdefgh',
      token: 't',
      lastEvent: '3-17',
      audio: { turn: 1, attempt: 0, received: 960, played: 480 },
    },
    { type: 'session.update', settings: { speed: 1.5 } },
    { type: 'session.close' },
    { type: 'input.text', text: 'hello' },
    { type: 'input.interrupt' },
    { type: 'input.commit' },
    { type: 'input.tool_result', call: 'c', result: '' },
    { type: 'playback', turn: 1, attempt: 0, samples: 0 },
    { type: 'ack', event: '1-0' },
  ])('are understood: $type', (message) => {
    expect(decodeClientMessage(JSON.stringify(message))).toMatchObject(message);
  });

  it('may have fields that this version does not know', () => {
    expect(decodeClientMessage('{"type":"input.commit","hurry":true}')).toEqual({ type: 'input.commit' });
  });

  it.each([
    ['no JSON', '{"type"', 'bad_message', /JSON/],
    ['not an object', '[]', 'bad_message', /message/],
    ['null', 'null', 'bad_message', /message/],
    ['no type', '{}', 'bad_message', /type/],
    ['an unknown type', '{"type":"input.telepathy"}', 'bad_message', /type/],
    ['a field missing', '{"type":"session.start"}', 'bad_message', /^v:/],
    ['a wrong field', '{"type":"playback","turn":0,"attempt":0,"samples":1}', 'bad_message', /^turn:/],
    ['a fraction of a sample', '{"type":"playback","turn":1,"attempt":0,"samples":1.5}', 'bad_message', /^samples:/],
    ['a broken event id', '{"type":"ack","event":"1-"}', 'bad_message', /^event:/],
    ['no text', '{"type":"input.text","text":""}', 'bad_message', /^text: must not be blank$/],
    ['a blank text', '{"type":"input.text","text":" \\n\\u00a0 "}', 'bad_message', /^text: must not be blank$/],
    ['a text too long', JSON.stringify({ type: 'input.text', text: 'a'.repeat(8_001) }), 'bad_message', /^text:/],
    [
      'a setting out of range',
      '{"type":"session.start","v":1,"settings":{"speed":9}}',
      'bad_settings',
      /^settings\.speed:/,
    ],
    ['a setting unknown', '{"type":"session.update","settings":{"pitch":1}}', 'bad_settings', /^settings/],
    ['a rate changed', '{"type":"session.update","settings":{"outputRateHz":8000}}', 'bad_settings', /^settings/],
  ] as const)('are refused with a code and the field: %s', (_, text, code, reason) => {
    expect(() => decodeClientMessage(text)).toThrow(
      expect.objectContaining({ code, isPublic: true, message: expect.stringMatching(reason) }),
    );
  });

  it('are refused without a word of what they say', () => {
    for (const text of ['{"type":"input.text","text":["my secret"]}', '{"type":"input.text", my secret']) {
      try {
        decodeClientMessage(text);
        expect.unreachable();
      } catch (error) {
        const { message, cause } = error as VoiceError;
        expect(`${message} ${String(cause)}`).not.toContain('secret');
      }
    }
  });
});

describe('a key as a subprotocol', () => {
  it('comes out as it went in, and has only characters that a subprotocol may have', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (key) => {
        const subprotocol = encodeKeySubprotocol(key);
        expect(subprotocol).toMatch(/^parley\.key\.[A-Za-z0-9_-]*$/);
        expect(decodeKeySubprotocol(subprotocol)).toBe(key);
      }),
    );
  });

  it.each(['parley.v1', 'parley.key.%', 'parley.key.gA'])('is not found in %s', (subprotocol) => {
    expect(decodeKeySubprotocol(subprotocol)).toBeUndefined();
  });
});

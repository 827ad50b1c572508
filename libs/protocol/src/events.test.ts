import { describe, expect, it } from 'vitest';
import {
  decodeEvent,
  encodeEvent,
  isClientVisible,
  isOwnerOutput,
  MAX_SPOKEN_WORDS,
  type NewEvent,
  type SpokenWord,
} from './events.ts';

const WORD: SpokenWord = { word: 'go', startSample: 640, endSample: 1_280 };
const SETTLED = { type: 'transcript.final', utterance: 1, text: 'go', fromSample: 0, toSample: 1_600 } as const;

describe('events of the log', () => {
  it.each<NewEvent>([
    { type: 'speech.started', utterance: 1, sample: 640 },
    { type: 'reply.delta', turn: 1, attempt: 0, text: 'Grüß dich – 你好', held: true },
    { type: 'stage.failed', stage: 'speak', turn: 1, code: 'engine_failed', message: 'No.', retryable: true },
    SETTLED,
    { ...SETTLED, words: [{ ...WORD, confidence: 0.5 }, WORD] },
    { type: 'input.interrupt', trace: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' },
  ])('come out as they went in: $type', (event) => {
    expect(decodeEvent('1-2', 99, encodeEvent(event))).toEqual({ ok: true, value: { ...event, id: '1-2', at: 99 } });
  });

  it('may have fields that this reader does not know', () => {
    const json = '{"v":2,"minReader":1,"type":"input.interrupt","why":"bored"}';
    expect(decodeEvent('1-1', 0, json)).toEqual({ ok: true, value: { type: 'input.interrupt', id: '1-1', at: 0 } });
  });

  it.each([
    ['not_json', '{'],
    ['not_an_object', '7'],
    ['newer', '{"v":9,"minReader":2,"type":"input.interrupt"}'],
    ['unknown_type', '{"v":1,"minReader":1,"type":"input.telepathy"}'],
    ['unknown_type', '{"v":1,"minReader":1,"type":"constructor"}'],
    ['unknown_type', '{"v":1,"minReader":1}'],
    ['malformed', '{"v":1,"minReader":1,"type":"reply.delta","turn":0,"attempt":0,"text":"x"}'],
  ])('are skipped as %s: %s', (reason, json) => {
    expect(decodeEvent('1-1', 0, json)).toEqual({ ok: false, reason });
  });

  it.each([
    ['too many', Array.from({ length: MAX_SPOKEN_WORDS + 1 }, () => WORD)],
    ['of another form', [{ ...WORD, startSample: 'early' }]],
    ['no list', 'go'],
  ])('keep their text when the words are %s', (_, words) => {
    const json = JSON.stringify({ v: 1, minReader: 1, ...SETTLED, words });
    expect(decodeEvent('1-1', 0, json)).toEqual({ ok: true, value: { ...SETTLED, id: '1-1', at: 0 } });
  });

  it('are sent to the client unless they are internal or belong to a held reply', () => {
    expect(isClientVisible({ type: 'reply.delta' })).toBe(true);
    expect(isClientVisible({ type: 'reply.delta', held: true })).toBe(false);
    expect(isClientVisible({ type: 'lease.moved' })).toBe(false);
    expect(isClientVisible({ type: 'audio.chunk' })).toBe(false);
  });

  it('are told apart into what the owner decided and what it is told', () => {
    expect(isOwnerOutput('reply.started')).toBe(true);
    expect(isOwnerOutput('input.text')).toBe(false);
  });
});

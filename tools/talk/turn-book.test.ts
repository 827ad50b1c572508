import type { PlayedReply } from '@parley/client';
import type { NewEvent, ServerEvent } from '@parley/protocol';
import { describe, expect, it } from 'vitest';
import { TurnBook } from './turn-book.ts';

/** A book at 1 kHz into which events and played replies have been entered. */
function book(...entries: (NewEvent | ({ played: number } & Partial<PlayedReply>) | { typed: string })[]): TurnBook {
  const turns = new TurnBook(1_000);
  entries.forEach((entry, index) => {
    if ('typed' in entry) turns.typed(entry.typed);
    else if ('played' in entry) {
      const { played, ...more } = entry;
      const reply = { turn: 1, attempt: 0, generation: 1, firstAtMs: 5_100, lastAtMs: 5_100 + played };
      turns.played({ ...reply, outcome: 'playing', samples: played, ...more }, 5_000);
    } else turns.add({ turn: 1, ...entry, id: `1-${index}`, at: 0, generation: 1 } as ServerEvent);
  });
  return turns;
}

const ended = (text: string, utterance = 1): NewEvent => ({
  type: 'turn.ended',
  utterance,
  text,
  sample: 0,
  decidedSample: 0,
});
const started: NewEvent = { type: 'reply.started', turn: 1, attempt: 0 };
const delta = (text: string, attempt = 0): NewEvent => ({ type: 'reply.delta', turn: 1, attempt, text });
const done: NewEvent = { type: 'reply.done', turn: 1, attempt: 0, text: 'All of it.', clauses: 1, finish: 'stop' };

describe('TurnBook', () => {
  it('tells a turn that went well', () => {
    const turns = book(ended('hello'), started, delta('All of'), done, { played: 400, outcome: 'complete' });
    expect(turns.latest?.status).toBe('played');
    expect(turns.latest?.summary()).toEqual({
      turn: 1,
      transcript: 'hello',
      reply: 'All of it.',
      heard: 'All of it.',
      speechEndMs: null,
      firstAudioMs: 100,
      voiceToVoiceMs: null,
      heardMs: 400,
      interruptedAtMs: null,
      silentAtMs: 500,
    });
  });

  it('joins the utterances of a turn', () => {
    const cancelled: NewEvent = { type: 'reply.cancelled', turn: 1, attempt: 0, reason: 'speech' };
    const turns = book(ended('what is'), started, delta('What'), cancelled, ended('the time', 2));
    expect(turns.latest).toMatchObject({ transcript: 'what is the time', status: 'open' });
  });

  it('keeps the text of the last attempt only', () => {
    const again: NewEvent = { type: 'reply.started', turn: 1, attempt: 1 };
    const turns = book(ended('hello'), started, delta('First'), again, delta('late'), delta('Second', 1));
    expect(turns.latest?.summary().reply).toBe('Second');
  });

  it('takes the text so far from the release of a reply that was held', () => {
    const released: NewEvent = { type: 'reply.released', turn: 1, attempt: 0, text: 'So far' };
    expect(book(ended('hello'), released, delta(' and on.')).latest?.summary().reply).toBe('So far and on.');
  });

  it('tells what was heard of a reply that was cut', () => {
    const truncated: NewEvent = { type: 'reply.truncated', turn: 1, attempt: 0, heard: 'All', samples: 100 };
    const turns = book(ended('hello'), started, done, { played: 100, outcome: 'stopped' }, truncated);
    expect(turns.latest?.status).toBe('cut');
    expect(turns.latest?.summary()).toMatchObject({ reply: 'All of it.', heard: 'All', heardMs: 100 });
  });

  it('makes no turn of speech without words, but goes on with a reply that it had stopped', () => {
    expect(book(ended('')).latest).toBeUndefined();
    const cancelled: NewEvent = { type: 'reply.cancelled', turn: 1, attempt: 0, reason: 'speech' };
    expect(book(ended('hello'), started, cancelled).latest?.status).toBe('unheard');
    expect(book(ended('hello'), started, cancelled, ended('', 2)).latest?.status).toBe('open');
  });

  it('gives a typed text to the turn that follows', () => {
    expect(book({ typed: 'hello' }, started).latest?.transcript).toBe('hello');
  });

  it('knows whether somebody is speaking', () => {
    const speech: NewEvent = { type: 'speech.started', utterance: 4, sample: 0 };
    expect(book(speech).isHearing).toBe(true);
    expect(book(speech, ended('hello', 4)).isHearing).toBe(false);
  });
});

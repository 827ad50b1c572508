import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareEventIds, isSessionId, parseWorkKey, sameReply, splitEventId, type WorkRef, workKey } from './ids.ts';
import { decodeJob, stampJob } from './jobs.ts';

const part = fc.nat(1_000_000);

describe('event ids', () => {
  it('are ordered by epoch, then by sequence, as numbers', () => {
    fc.assert(
      fc.property(part, part, part, part, (aEpoch, aSeq, bEpoch, bSeq) => {
        const expected = Math.sign(aEpoch - bEpoch) || Math.sign(aSeq - bSeq);
        expect(Math.sign(compareEventIds(`${aEpoch}-${aSeq}`, `${bEpoch}-${bSeq}`))).toBe(expected);
      }),
    );
    expect(splitEventId('12-345')).toEqual([12, 345]);
  });
});

describe('work keys', () => {
  const reply = fc.record({ stage: fc.constant('reply' as const), turn: part, attempt: part });
  const speak = fc.record({ stage: fc.constant('speak' as const), turn: part, attempt: part, clause: part });

  it('come out as they went in', () => {
    fc.assert(
      fc.property(fc.oneof(reply, speak), (ref: WorkRef) => {
        expect(parseWorkKey(workKey(ref))).toEqual(ref);
      }),
    );
  });

  it.each(['', 'reply.1', 'reply.1.0.2', 'speak.1.0', 'speak.1.0.x', 'listen.1.0'])('are not found in "%s"', (key) => {
    expect(parseWorkKey(key)).toBeUndefined();
  });
});

describe('session ids', () => {
  it.each([
    ['kalgzLACoV0af-RlHZL5WA', true],
    ['short', false],
    ['has:colon-and-more', false],
    ['has{brace}-and-more', false],
    ['x'.repeat(65), false],
  ])('%s: %s', (id, valid) => {
    expect(isSessionId(id)).toBe(valid);
  });
});

describe('replies', () => {
  it('are the same when turn and attempt are', () => {
    expect(sameReply({ turn: 1, attempt: 0 }, { turn: 1, attempt: 0 })).toBe(true);
    expect(sameReply({ turn: 1, attempt: 0 }, { turn: 1, attempt: 1 })).toBe(false);
    expect(sameReply(undefined, undefined)).toBe(false);
  });
});

describe('jobs', () => {
  const job = { session: 'abcdefgh', turn: 1, attempt: 0, try: 1, deadlineMs: 5 };

  it('come out as they went in', () => {
    expect(decodeJob('reply', stampJob(job))).toEqual({ ok: true, value: { v: 1, minReader: 1, ...job } });
  });

  it.each([
    ['malformed', { ...stampJob(job), try: 0 }],
    ['malformed', null],
    ['newer', { ...stampJob(job), minReader: 2 }],
  ])('are skipped as %s', (reason, data) => {
    expect(decodeJob('reply', data)).toEqual({ ok: false, reason });
  });
});

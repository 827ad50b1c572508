import type { DownlinkAudio } from '@parley/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DownlinkFilter } from './downlink-filter.ts';

const frame = (startSample: number, samples: number, more: Partial<DownlinkAudio> = {}): DownlinkAudio => ({
  turn: 1,
  attempt: 0,
  generation: 0,
  clause: 0,
  startSample,
  endOfClause: false,
  endOfReply: false,
  pcm: new Uint8Array(samples * 2),
  ...more,
});

const short = (accepted: DownlinkAudio | undefined) =>
  accepted && `${accepted.turn}.${accepted.attempt} ${accepted.startSample}+${accepted.pcm.byteLength / 2}`;

describe('DownlinkFilter', () => {
  it.each([
    ['what follows', [frame(0, 10), frame(10, 10)], ['1.0 0+10', '1.0 10+10']],
    ['a repetition once', [frame(0, 10), frame(0, 10)], ['1.0 0+10', undefined]],
    ['the new part of an overlap', [frame(0, 10), frame(5, 10)], ['1.0 0+10', '1.0 10+5']],
    ['a gap as it is', [frame(0, 10), frame(20, 10)], ['1.0 0+10', '1.0 20+10']],
    ['the next reply', [frame(0, 10), frame(0, 10, { turn: 2 })], ['1.0 0+10', '2.0 0+10']],
    ['the next attempt', [frame(0, 10), frame(0, 10, { attempt: 1 })], ['1.0 0+10', '1.1 0+10']],
    ['nothing of an older reply', [frame(0, 10, { turn: 2 }), frame(0, 10)], ['2.0 0+10', undefined]],
    ['nothing of an older attempt', [frame(0, 10, { attempt: 1 }), frame(0, 10)], ['1.1 0+10', undefined]],
    ['nothing of an older generation', [frame(0, 10, { generation: 3 }), frame(10, 10)], ['1.0 0+10', undefined]],
    [
      'the end of a reply once',
      [frame(0, 10), frame(10, 0, { endOfReply: true }), frame(10, 0, { endOfReply: true })],
      ['1.0 0+10', '1.0 10+0', undefined],
    ],
  ])('lets through %s', (_, frames, expected) => {
    const filter = new DownlinkFilter();
    expect(frames.map((one) => short(filter.accept(one)))).toEqual(expected);
  });

  it('lets through each sample of a reply once and in order, however it is cut up and repeated', () => {
    const restarts = fc.array(fc.tuple(fc.nat(100), fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 10 })));
    fc.assert(
      fc.property(restarts, (runs) => {
        const filter = new DownlinkFilter();
        let next = 0;
        for (const [back, sizes] of runs) {
          let start = Math.max(0, next - back);
          for (const size of sizes) {
            const accepted = filter.accept(frame(start, size));
            if (accepted) {
              expect(accepted.startSample).toBe(next);
              next += accepted.pcm.byteLength / 2;
            }
            start += size;
          }
        }
        expect(filter.reply?.received ?? 0).toBe(next);
      }),
    );
  });
});

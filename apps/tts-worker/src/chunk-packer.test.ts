import { concatInt16 } from '@parley/audio';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChunkPacker } from './chunk-packer.ts';

const RATE_HZ = 1_000; // a sample is a millisecond

describe('the chunk packer', () => {
  it('gives the first 40 ms as soon as they are there, then waits for more', () => {
    const packer = new ChunkPacker(RATE_HZ);
    const given: number[] = [];
    for (let ms = 0; ms < 600; ms += 20) {
      given.push([...packer.push(new Int16Array(20))].reduce((sum, chunk) => sum + chunk.length, 0));
    }
    expect(given.filter((length) => length > 0)).toEqual([40, 80, 160, 160, 160]);
    expect(given.indexOf(40)).toBe(1);
  });

  it('cuts what comes at once', () => {
    const packer = new ChunkPacker(RATE_HZ);
    expect([...packer.push(new Int16Array(500))].map((chunk) => chunk.length)).toEqual([80, 400]);
    expect(packer.flush().length).toBe(20);
    expect(packer.flush().length).toBe(0);
  });

  it('loses nothing and makes no chunk over 400 ms, however the pieces come', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(700), { maxLength: 30 }), (lengths) => {
        const packer = new ChunkPacker(RATE_HZ);
        let next = 0;
        const pieces = lengths.map((length) => Int16Array.from({ length }, () => next++ % 30_000));
        const chunks = [...pieces.flatMap((piece) => [...packer.push(piece)]), packer.flush()];
        expect(concatInt16(chunks)).toEqual(concatInt16(pieces));
        expect(Math.max(...chunks.map((chunk) => chunk.length))).toBeLessThanOrEqual(400);
      }),
    );
  });
});

import { concatInt16, writeWav } from '@parley/audio';
import { describe, expect, it } from 'vitest';
import { WavStream } from './wav-stream.ts';

const spoken = Int16Array.from({ length: 1_000 }, (_, index) => index * 3);

function decode(bytes: Uint8Array, size: number): Int16Array {
  const stream = new WavStream();
  const chunks: Int16Array[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    const chunk = stream.push(bytes.subarray(at, at + size));
    if (chunk !== undefined) chunks.push(chunk.samples);
  }
  stream.end();
  return concatInt16(chunks);
}

describe('a WAV stream', () => {
  it.each([1, 13, 44, 45, 1_000, 100_000])('is read in pieces of %i bytes', (size) => {
    expect(decode(writeWav(spoken, 24_000), size)).toEqual(spoken);
  });

  it('ignores what follows the samples, and chunks before them', () => {
    const wav = Buffer.from(writeWav(spoken, 24_000));
    const list = Buffer.from('LIST\x03\x00\x00\x00abc\x00', 'latin1');
    expect(decode(Buffer.concat([wav.subarray(0, 36), list, wav.subarray(36), list]), 7)).toEqual(spoken);
  });

  it('is mixed down to one channel', () => {
    const wav = Buffer.from(writeWav(Int16Array.of(10, 20, 30, 50), 24_000));
    wav.writeUInt16LE(2, 22);
    expect(decode(wav, 1)).toEqual(Int16Array.of(15, 40));
  });

  it('is refused when it holds no PCM16, or breaks off in its header', () => {
    const float = Buffer.from(writeWav(spoken, 24_000));
    float.writeUInt16LE(3, 20);
    expect(() => decode(float, 100)).toThrow('WAV of encoding 3');
    expect(() => decode(Buffer.from('RIFF0000WAVEfmt '), 100)).toThrow('ended inside its header');
    expect(() => decode(Buffer.alloc(100_000, 'RIFF'), 1_000)).toThrow('no data');
  });
});

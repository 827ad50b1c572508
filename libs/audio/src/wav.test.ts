import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import wavefile from 'wavefile';
import { concatInt16 } from './pcm.ts';
import { readWav, writeWav } from './wav.ts';

const RECORDING = new URL('../../testkit/fixtures/speech/slt-01.wav', import.meta.url);

function fileOf(channels: number[][] | number[], bitDepth: string, sampleRateHz = 8_000): Uint8Array {
  const wav = new wavefile.WaveFile();
  wav.fromScratch(Array.isArray(channels[0]) ? channels.length : 1, sampleRateHz, bitDepth, channels);
  return wav.toBuffer();
}

function badWav(message: RegExp) {
  return expect.objectContaining({ code: 'bad_wav', message: expect.stringMatching(message) });
}

test('what was written is read back', () => {
  const samples = fc.int16Array({ minLength: 1, maxLength: 300 });
  fc.assert(
    fc.property(samples, fc.constantFrom(8_000, 16_000, 22_050, 44_100, 48_000), (pcm, sampleRateHz) => {
      expect(readWav(writeWav(pcm, sampleRateHz))).toEqual({ sampleRateHz, channels: 1, samples: pcm });
    }),
  );
});

test('a recording is read whole, and written the same byte for byte', () => {
  const bytes = new Uint8Array(readFileSync(RECORDING));
  const { sampleRateHz, channels, samples } = readWav(bytes);
  expect({ sampleRateHz, channels }).toEqual({ sampleRateHz: 16_000, channels: 1 });
  expect(samples.length).toBe((bytes.length - 44) / 2);
  expect(Buffer.compare(writeWav(samples, sampleRateHz), bytes)).toBe(0);
});

describe('every usual encoding is read as PCM16', () => {
  test.each([
    ['8', [128, 192, 64, 0]],
    ['16', [0, 16_384, -16_384, -32_768]],
    ['24', [0, 4_194_304, -4_194_304, -8_388_608]],
    ['32', [0, 1_073_741_824, -1_073_741_824, -2_147_483_648]],
    ['32f', [0, 0.5, -0.5, -1]],
    ['64', [0, 0.5, -0.5, -1]],
  ])('%s bit', (bitDepth, values) => {
    expect(readWav(fileOf(values, bitDepth)).samples).toEqual(Int16Array.of(0, 16_384, -16_384, -32_768));
  });

  test.each(['toALaw', 'toMuLaw'] as const)('G.711 through %s', (convert) => {
    const wav = new wavefile.WaveFile();
    const values = [0, 1_000, -1_000, 20_000, -20_000, 5];
    wav.fromScratch(1, 8_000, '16', values);
    wav[convert]();
    const { samples } = readWav(wav.toBuffer());
    expect(samples).toHaveLength(values.length);
    values.forEach((value, i) => {
      expect(Math.abs((samples[i] ?? 0) - value)).toBeLessThanOrEqual(Math.abs(value) / 16 + 8);
    });
  });

  test('floats beyond full scale clip', () => {
    expect(readWav(fileOf([1.5, -1.5], '32f')).samples).toEqual(Int16Array.of(32_767, -32_768));
  });
});

test('an odd number of G.711 bytes gives as many samples, without the padding byte', () => {
  const wav = new wavefile.WaveFile();
  wav.fromScratch(1, 8_000, '16', [0, 1_000, 2_000, 3_000]);
  wav.toMuLaw();
  const bytes = wav.toBuffer();
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(bytes.length - 8, 3, true);
  expect(readWav(bytes).samples).toHaveLength(3);
});

test('channels are mixed to their mean', () => {
  const { channels, samples } = readWav(fileOf([[100, 32_767, -7], [300, 32_767, 7]], '16')); // biome-ignore format: a row a channel
  expect(channels).toBe(2);
  expect(samples).toEqual(Int16Array.of(200, 32_767, 0));
});

test('a file whose writer left the length open is read to its end', () => {
  const bytes = writeWav(Int16Array.of(1, 2, 3), 16_000);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  for (const open of [0xffff_ffff, 0x7fff_ffff, 0]) {
    view.setUint32(4, open, true);
    view.setUint32(40, open, true);
    expect(readWav(bytes).samples).toEqual(Int16Array.of(1, 2, 3));
  }
});

test('chunks after the audio are passed over', () => {
  const wav = new wavefile.WaveFile();
  wav.fromScratch(1, 16_000, '16', [1, 2, 3]);
  wav.setTag('ICMT', 'a comment');
  expect(readWav(wav.toBuffer()).samples).toEqual(Int16Array.of(1, 2, 3));
});

test('a file at an odd place in memory is read', () => {
  const bytes = writeWav(Int16Array.of(1, 2, 3), 16_000);
  const moved = new Uint8Array(bytes.length + 1);
  moved.set(bytes, 1);
  expect(readWav(moved.subarray(1)).samples).toEqual(Int16Array.of(1, 2, 3));
});

describe('what is no usable WAV file is refused with a code and a reason', () => {
  const whole = writeWav(Int16Array.of(1, 2, 3, 4), 16_000);

  test('an empty file', () => {
    expect(() => readWav(new Uint8Array(0))).toThrow(badWav(/empty/));
  });

  test('another format', () => {
    expect(() => readWav(new TextEncoder().encode('ID3 this is music, not a WAV'))).toThrow(badWav(/not a WAV file/));
  });

  test('a file cut short anywhere', () => {
    for (let length = 1; length < whole.length; length++) {
      expect(() => readWav(whole.subarray(0, length))).toThrow(badWav(/cut short|not a WAV file/));
    }
  });

  test('a file without a sample', () => {
    expect(() => readWav(writeWav(new Int16Array(0), 16_000))).toThrow(badWav(/no audio/));
  });

  test('an unsupported encoding', () => {
    const wav = new wavefile.WaveFile();
    wav.fromScratch(1, 8_000, '16', new Int16Array(505));
    wav.toIMAADPCM();
    expect(() => readWav(wav.toBuffer())).toThrow(badWav(/supported/));
  });

  test('any garbage gives the same error class and nothing else', () => {
    const head = whole.slice(0, 44);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(43), concatAt(head), (garbage, at, join) => {
        try {
          readWav(join(garbage, at));
        } catch (error) {
          expect(error).toMatchObject({ name: 'AudioError', code: 'bad_wav' });
        }
      }),
      { numRuns: 500 },
    );
  });
});

function concatAt(head: Uint8Array) {
  return fc.constant((garbage: Uint8Array, at: number) => {
    const joined = new Uint8Array(head.length + garbage.length);
    joined.set(head);
    joined.set(garbage, at);
    return joined;
  });
}

test('a long recording is joined and read again', () => {
  const minute = concatInt16(Array.from({ length: 60 }, (_, i) => new Int16Array(16_000).fill(i)));
  expect(readWav(writeWav(minute, 16_000)).samples).toEqual(minute);
});

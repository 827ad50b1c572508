import { describe, expect, test } from 'vitest';
import { PowerSpectrum } from './power-spectrum.ts';

/** As the definition says, slowly. */
function slowly(samples: Float64Array): number[] {
  return Array.from({ length: samples.length / 2 + 1 }, (_, bin) => {
    let re = 0;
    let im = 0;
    samples.forEach((sample, i) => {
      const angle = (2 * Math.PI * bin * i) / samples.length;
      re += sample * Math.cos(angle);
      im += sample * Math.sin(angle);
    });
    return re * re + im * im;
  });
}

describe('the power spectrum', () => {
  test.each([2, 4, 12, 30, 34, 50, 160, 400])('of %i samples is the one of the definition', (length) => {
    const samples = Float64Array.from({ length }, (_, i) => Math.sin(i * i) + 0.3 * Math.cos(i / 3));
    const spectrum = new PowerSpectrum(length);
    for (let round = 0; round < 2; round++) spectrum.compute(samples, 0, new Float64Array(length).fill(1));
    slowly(samples).forEach((power, bin) => {
      expect(spectrum.powers[bin]).toBeCloseTo(power, 8);
    });
  });

  test('takes the frame at an offset, weighted', () => {
    const samples = new Float32Array(20).fill(1);
    const window = Float64Array.from({ length: 10 }, (_, i) => i);
    const spectrum = new PowerSpectrum(10);
    spectrum.compute(samples, 7, window);
    slowly(window).forEach((power, bin) => {
      expect(spectrum.powers[bin]).toBeCloseTo(power, 8);
    });
  });

  test('of an odd number of samples is refused', () => {
    expect(() => new PowerSpectrum(25)).toThrow('even');
  });
});

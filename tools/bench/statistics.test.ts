import { describe, expect, it } from 'vitest';
import { slope, summarize } from './statistics.ts';

describe('summaries of measurements', () => {
  it('gives percentiles that were measured, whatever the order', () => {
    const values = Array.from({ length: 200 }, (_, index) => 200 - index);
    expect(summarize(values)).toEqual({ count: 200, mean: 100.5, p50: 100, p95: 190, p99: 198, max: 200 });
  });

  it('is all zero without measurements', () => {
    expect(summarize([])).toEqual({ count: 0, mean: 0, p50: 0, p95: 0, p99: 0, max: 0 });
  });

  it('finds the slope of a line, and none in a single point', () => {
    expect(
      slope([
        [0, 5],
        [1, 7],
        [2, 9],
      ]),
    ).toBeCloseTo(2);
    expect(slope([[3, 4]])).toBe(0);
  });
});

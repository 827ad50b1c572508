import { expect, it } from 'vitest';
import { drawCurve } from './curve.ts';

it('draws a point and a label for each value, inside of the picture', () => {
  const points = [
    { label: '0', x: 250, y: 12 },
    { label: '50', x: 390, y: 4 },
  ];
  const svg = drawCurve([{ name: 'with', points }], {
    title: 'a < b',
    x: 'wait',
    y: 'share',
    target: { x: 400, y: 5 },
  });
  const centres = [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)].map(([, x, y]) => [Number(x), Number(y)]);
  expect(centres).toHaveLength(2);
  for (const [x = 0, y = 0] of centres) {
    expect(x).toBeGreaterThan(0);
    expect(x).toBeLessThan(720);
    expect(y).toBeGreaterThan(0);
    expect(y).toBeLessThan(440);
  }
  expect(svg).toContain('a &lt; b');
});

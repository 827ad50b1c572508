/** A line of the curve: one point for each patience. */
export interface CurveLine {
  readonly name: string;
  readonly points: readonly { readonly label: string; readonly x: number; readonly y: number }[];
}

export interface CurveAxes {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  /** Where the targets lie. */
  readonly target?: { readonly x: number; readonly y: number };
}

const WIDTH = 720;
const HEIGHT = 440;
const MARGIN = { left: 64, right: 24, top: 44, bottom: 56 };
const COLOURS = ['#1f6feb', '#d1572a', '#2d8a4e', '#8250df'];
const TICKS = 5;

/** Draws lines with labelled points as SVG. */
export function drawCurve(lines: readonly CurveLine[], { title, x, y, target }: CurveAxes): string {
  const all = lines.flatMap(({ points }) => points);
  const limitX = niceLimit(Math.max(target?.x ?? 0, ...all.map((point) => point.x)));
  const limitY = niceLimit(Math.max(target?.y ?? 0, ...all.map((point) => point.y)));
  const atX = (value: number): number => MARGIN.left + (value / limitX) * (WIDTH - MARGIN.left - MARGIN.right);
  const atY = (value: number): number =>
    HEIGHT - MARGIN.bottom - (value / limitY) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const shapes: string[] = [
    `<text x="${MARGIN.left}" y="24" font-size="15" font-weight="bold">${escaped(title)}</text>`,
  ];
  if (target) {
    const [right, top] = [atX(target.x), atY(target.y)];
    shapes.push(rect(MARGIN.left, top, right - MARGIN.left, HEIGHT - MARGIN.bottom - top, '#dff3e4'));
    shapes.push(text(right - 4, top + 14, 'target', 'end', '#2d8a4e'));
  }
  for (let tick = 0; tick <= TICKS; tick += 1) {
    const [valueX, valueY] = [(limitX * tick) / TICKS, (limitY * tick) / TICKS];
    shapes.push(line(MARGIN.left, atY(valueY), WIDTH - MARGIN.right, atY(valueY), '#e4e4e4'));
    shapes.push(text(MARGIN.left - 8, atY(valueY) + 4, short(valueY), 'end'));
    shapes.push(text(atX(valueX), HEIGHT - MARGIN.bottom + 18, short(valueX), 'middle'));
  }
  shapes.push(line(MARGIN.left, atY(0), WIDTH - MARGIN.right, atY(0), '#333'));
  shapes.push(line(MARGIN.left, MARGIN.top, MARGIN.left, atY(0), '#333'));
  shapes.push(text((MARGIN.left + WIDTH - MARGIN.right) / 2, HEIGHT - 14, x, 'middle'));
  const middle = (MARGIN.top + HEIGHT - MARGIN.bottom) / 2;
  shapes.push(
    `<text x="18" y="${middle}" text-anchor="middle" transform="rotate(-90 18 ${middle})">${escaped(y)}</text>`,
  );
  for (const [index, { name, points }] of lines.entries()) {
    const colour = COLOURS[index % COLOURS.length] ?? '#333';
    const path = points.map((point) => `${round(atX(point.x))},${round(atY(point.y))}`).join(' ');
    shapes.push(`<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`);
    for (const point of points) {
      shapes.push(`<circle cx="${round(atX(point.x))}" cy="${round(atY(point.y))}" r="4" fill="${colour}"/>`);
      shapes.push(text(atX(point.x) + 7, atY(point.y) - 6, point.label, 'start', colour));
    }
    const legendY = MARGIN.top + 16 * index + 8;
    const legendX = WIDTH - MARGIN.right;
    shapes.push(rect(legendX - 12, legendY - 8, 12, 4, colour), text(legendX - 18, legendY - 2, name, 'end'));
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<title>False cut-offs against added latency</title>`,
    rect(0, 0, WIDTH, HEIGHT, '#fff'),
    ...shapes,
    '</svg>\n',
  ].join('\n');
}

const round = (value: number): number => Math.round(value * 10) / 10;
const short = (value: number): string => String(round(value));
const escaped = (value: string): string => value.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

const rect = (x: number, y: number, width: number, height: number, fill: string): string =>
  `<rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}" fill="${fill}"/>`;

const line = (x1: number, y1: number, x2: number, y2: number, stroke: string): string =>
  `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="${stroke}"/>`;

const text = (x: number, y: number, value: string, anchor: 'start' | 'middle' | 'end', fill = '#333'): string =>
  `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}" fill="${fill}">${escaped(value)}</text>`;

/** The next number above that divides well. */
function niceLimit(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  const step = [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((factor) => factor * power >= value) ?? 10;
  return step * power;
}

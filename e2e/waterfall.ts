import type { CollectedSpan } from '@parley/testkit';

const COLOURS: Readonly<Record<string, string>> = {
  gateway: '#3b6fb6',
  'stt-worker': '#2f8f5b',
  'llm-worker': '#b3702b',
  'tts-worker': '#8a4fa3',
};
const LABEL_WIDTH = 190;
const BAR_WIDTH = 720;
const ROW = 20;
const FONT = 'font-family="ui-sans-serif, system-ui, sans-serif"';

interface Row {
  readonly span: CollectedSpan;
  readonly depth: number;
}

interface Panel {
  readonly title: string;
  readonly rows: readonly Row[];
  readonly fromMs: number;
  readonly toMs: number;
}

/** Spans as a picture: the whole turn, and below it the moments between the last speech and the first audio. */
export function drawWaterfall(spans: readonly CollectedSpan[]): string {
  const rows = inTreeOrder(spans);
  const root = rows[0]?.span;
  if (!root) throw new Error('a trace without a root cannot be drawn');
  const decided = spans.find(({ name }) => name === 'end-of-turn')?.endMs ?? root.startMs;
  const sent = spans.find(({ name }) => name === 'first send')?.endMs ?? root.endMs;
  const [from, to] = [decided - 25, sent + 25];
  const near = rows.filter(({ span }) => span.startMs < sent && span.endMs > decided - 1 && span.name !== 'turn');
  const panels: Panel[] = [
    { title: 'the whole turn', rows, fromMs: root.startMs, toMs: root.endMs },
    { title: 'from the decision that the user is done to the first audio', rows: near, fromMs: from, toMs: to },
  ];
  let y = 34;
  let body = legend();
  for (const panel of panels) {
    body += drawPanel(panel, y);
    y += (panel.rows.length + 3) * ROW + 14;
  }
  const width = LABEL_WIDTH + BAR_WIDTH + 90;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" width="${width}" height="${y}" ${FONT}>`,
    `<title>One turn, traced through every process</title>`,
    `<rect width="${width}" height="${y}" fill="#ffffff"/>`,
    body,
    '</svg>\n',
  ].join('\n');
}

function legend(): string {
  return Object.entries(COLOURS)
    .map(([service, colour], index) => {
      const x = 10 + index * 120;
      return `<rect x="${x}" y="9" width="12" height="12" fill="${colour}"/><text x="${x + 17}" y="19" font-size="12" fill="#222">${service}</text>`;
    })
    .join('\n');
}

function drawPanel({ title, rows, fromMs, toMs }: Panel, top: number): string {
  const x = (ms: number): number =>
    LABEL_WIDTH + ((Math.min(Math.max(ms, fromMs), toMs) - fromMs) / (toMs - fromMs)) * BAR_WIDTH;
  const lines = [`<text x="10" y="${top + 14}" font-size="13" font-weight="600" fill="#222">${title}</text>`];
  const bottom = top + (rows.length + 1) * ROW + 6;
  for (const at of ticks(toMs - fromMs)) {
    const position = x(fromMs + at).toFixed(1);
    lines.push(
      `<line x1="${position}" x2="${position}" y1="${top + ROW}" y2="${bottom}" stroke="#ddd"/>`,
      `<text x="${position}" y="${bottom + 13}" font-size="10" fill="#777" text-anchor="middle">${at} ms</text>`,
    );
  }
  for (const [index, { span, depth }] of rows.entries()) {
    const y = top + (index + 1) * ROW;
    const from = x(span.startMs);
    const width = Math.max(1.5, x(span.endMs) - from);
    lines.push(
      `<text x="${10 + depth * 14}" y="${y + 14}" font-size="12" fill="#222">${labelOf(span)}</text>`,
      `<rect x="${from.toFixed(1)}" y="${y + 4}" width="${width.toFixed(1)}" height="12" rx="2" fill="${COLOURS[span.service] ?? '#777'}"/>`,
      `<text x="${(from + width + 4).toFixed(1)}" y="${y + 14}" font-size="10" fill="#555">${milliseconds(span)}</text>`,
    );
  }
  return lines.join('\n');
}

/** Some ten round numbers. */
function ticks(lengthMs: number): number[] {
  const steps = [5, 10, 20, 25, 50, 100, 200, 250, 500, 1_000, 2_000];
  const step = steps.find((candidate) => lengthMs / candidate <= 12) ?? 5_000;
  return Array.from({ length: Math.floor(lengthMs / step) + 1 }, (_, index) => index * step);
}

const labelOf = ({ name, attributes }: CollectedSpan): string =>
  attributes['parley.clause'] === undefined || name.startsWith('first')
    ? name
    : `${name} ${attributes['parley.clause']}`;

const milliseconds = ({ startMs, endMs }: CollectedSpan): string => {
  const ms = endMs - startMs;
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
};

/** Children below their parent, by start. */
function inTreeOrder(spans: readonly CollectedSpan[]): Row[] {
  const rows: Row[] = [];
  const add = (parent: string | undefined, depth: number): void => {
    const children = spans.filter(({ parentSpanId }) => parentSpanId === parent);
    for (const span of children.sort((a, b) => a.startMs - b.startMs || a.endMs - b.endMs)) {
      rows.push({ span, depth });
      add(span.spanId, depth + 1);
    }
  };
  add(undefined, 0);
  return rows;
}

import type { ResultTable } from '../part.ts';
import { summarize } from '../statistics.ts';
import { drawCurve } from './curve.ts';
import type { EndFound } from './endpointing.ts';
import { asks, UTTERANCE_CLASSES, type UtteranceClass } from './seeds.ts';

export const DEFAULT_PATIENCE = 50;
export const PATIENCES = [0, 25, 50, 75, 100];
const END_TARGETS = { falseCutOffs: 0.05, waitP50Ms: 400, waitP90Ms: 900 };

/** What was measured with one set of settings. */
export interface EndRun {
  readonly model: boolean;
  readonly patience: number;
  readonly found: readonly EndFound[];
}

export const percent = (share: number): string => (Number.isNaN(share) ? '–' : `${(100 * share).toFixed(1)} %`);
export const share = <T>(items: readonly T[], which: (item: T) => boolean): number =>
  items.filter(which).length / items.length;
export const known = (values: readonly (number | undefined)[]): number[] =>
  values.filter((value) => value !== undefined);
export const whole = (value: number): string => value.toFixed(0);
export const modelName = (model: boolean): string => (model ? 'with' : 'without');

/** The 90th percentile, a measurement. */
const p90 = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.max(0, Math.ceil(0.9 * values.length) - 1)] ?? Number.NaN;

const ofKind = (found: readonly EndFound[], kind: UtteranceClass) => found.filter((one) => one.kind === kind);

/** Which utterances a row is about: a kind, questions and requests alone, statements alone, or all. */
const GROUPS: readonly (readonly [name: string, which: (one: EndFound) => boolean])[] = [
  ['complete', ({ kind }) => kind === 'complete'],
  ['  questions, requests', ({ kind, text }) => kind === 'complete' && asks(text)],
  ['  statements', ({ kind, text }) => kind === 'complete' && !asks(text)],
  ...UTTERANCE_CLASSES.filter((kind) => kind !== 'complete').map(
    (kind) => [kind, (one: EndFound) => one.kind === kind] as const,
  ),
  ['all', () => true],
];

function endFigures(found: readonly EndFound[]) {
  const waits = known(found.map(({ waitMs }) => waitMs));
  const chosen = known(found.map(({ chosenMs }) => chosenMs));
  return {
    count: found.length,
    falseCutOffs: share(found, ({ cutOffInMs }) => cutOffInMs.length > 0),
    missing: found.filter(({ waitMs }) => waitMs === undefined).length,
    waitP50Ms: summarize(waits).p50,
    waitP90Ms: p90(waits),
    chosenP50Ms: summarize(chosen).p50,
    eagerPerUtterance: found.reduce((sum, { eager }) => sum + eager, 0) / Math.max(1, found.length),
    resumedPerUtterance: found.reduce((sum, { resumed }) => sum + resumed, 0) / Math.max(1, found.length),
  };
}

export function endsTable(ends: readonly EndRun[], waitedFor: string): ResultTable {
  return {
    title: `Ends of turns: false cut-offs against the wait from the last loud sample to ${waitedFor}, ms`,
    head: [
      'Patience',
      'Smart Turn',
      'Kind',
      'n',
      'false cut-offs',
      'wait p50',
      'p90',
      'chosen p50',
      'eager',
      'resumed',
    ],
    rows: ends.flatMap(({ model, patience, found }) =>
      GROUPS.map(([name, which]) => {
        const figures = endFigures(found.filter(which));
        return [
          ...[patience, modelName(model), name, figures.count, percent(figures.falseCutOffs)],
          ...[whole(figures.waitP50Ms), whole(figures.waitP90Ms), whole(figures.chosenP50Ms)],
          ...[figures.eagerPerUtterance.toFixed(2), figures.resumedPerUtterance.toFixed(2)],
        ];
      }),
    ),
  };
}

/** False cut-offs by the length of the pause, at default patience. */
export function pausesTable(ends: readonly EndRun[]): ResultTable {
  const runs = ends.filter(({ patience }) => patience === DEFAULT_PATIENCE);
  const lengths = [...new Set(runs.flatMap(({ found }) => found.flatMap(({ pausesMs }) => pausesMs)))].sort(
    (a, b) => a - b,
  );
  return {
    title: `Pauses taken for the end, by their length, patience ${DEFAULT_PATIENCE}`,
    head: ['Smart Turn', 'Kind', ...lengths.map((lengthMs) => `${lengthMs} ms`), 'all'],
    rows: runs.flatMap(({ model, found }) =>
      UTTERANCE_CLASSES.filter((kind) => kind !== 'complete').map((kind) => {
        const own = ofKind(found, kind);
        const pauses = own.flatMap(({ pausesMs }) => pausesMs);
        const cuts = own.flatMap(({ cutOffInMs }) => cutOffInMs);
        const counted = (which: (lengthMs: number) => boolean): string => {
          const count = pauses.filter(which).length;
          return count === 0 ? '' : `${cuts.filter(which).length} of ${count}`;
        };
        return [
          ...[modelName(model), kind],
          ...lengths.map((lengthMs) => counted((pause) => pause === lengthMs)),
          counted(() => true),
        ];
      }),
    ),
  };
}

/** Draws a line for each group of runs, a point for each patience: what it costs shows in the longer waits. */
export function curveOf(lines: readonly (readonly [name: string, runs: readonly EndRun[]])[]): string {
  const drawn = lines.flatMap(([name, runs]) => {
    const points = runs.map(({ patience, found }) => ({
      label: `${patience}`,
      x: endFigures(ofKind(found, 'complete')).waitP90Ms,
      y: 100 * endFigures(found).falseCutOffs,
    }));
    return points.length === 0 ? [] : [{ name, points }];
  });
  return drawCurve(drawn, {
    title: 'False cut-offs against wait, by patience',
    x: 'wait after complete sentences, p90, ms',
    y: 'utterances cut off, %',
    target: { x: END_TARGETS.waitP90Ms, y: 100 * END_TARGETS.falseCutOffs },
  });
}

/** What misses its target at default patience, and which ends were not found. */
export function endRemarks({ model, found }: EndRun): string[] {
  const name = `${modelName(model)} Smart Turn`;
  const complete = endFigures(ofKind(found, 'complete'));
  return [
    ...UTTERANCE_CLASSES.flatMap((kind) => {
      const { falseCutOffs, count } = endFigures(ofKind(found, kind));
      return falseCutOffs <= END_TARGETS.falseCutOffs
        ? []
        : [`${name}: ${percent(falseCutOffs)} of ${count} "${kind}" cut off, not 5 %`];
    }),
    ...(complete.waitP50Ms <= END_TARGETS.waitP50Ms
      ? []
      : [`${name}: wait p50 is ${whole(complete.waitP50Ms)} ms, not ${END_TARGETS.waitP50Ms}`]),
    ...(complete.waitP90Ms <= END_TARGETS.waitP90Ms
      ? []
      : [`${name}: wait p90 is ${whole(complete.waitP90Ms)} ms, not ${END_TARGETS.waitP90Ms}`]),
    ...found
      .filter(({ waitMs }) => waitMs === undefined)
      .map(({ text, voice }) => `${name}: no end of "${text}" (${voice})`),
  ];
}

/** The figures of a run and every single trial, for the JSON file. */
export const endData = ({ model, patience, found }: EndRun) => ({
  ...{ smartTurn: model, patience, all: endFigures(found) },
  byKind: Object.fromEntries(GROUPS.map(([name, which]) => [name.trim(), endFigures(found.filter(which))])),
  utterances: found,
});

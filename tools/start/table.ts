import { formatBytes, stageOf } from '@parley/models';
import Table from 'cli-table3';
import type { ModelStock } from './model-stock.ts';
import type { EngineReport } from './readiness.ts';

export interface StartUpFacts {
  readonly urls: readonly string[];
  readonly redis: string;
  readonly dataDir: string;
  readonly stages: Readonly<Record<string, readonly EngineReport[]>>;
  readonly models: ModelStock;
  /** Models that are missing will not be fetched. */
  readonly offline: boolean;
  readonly colour: boolean;
}

const STAGE_NAMES: Readonly<Record<string, string>> = { stt: 'hears', llm: 'thinks', tts: 'speaks' };
const PURPOSES = { stt: 'hearing', tts: 'speaking', turn: 'ends of turns', part: 'other models' } as const;

/** What runs where, which engine serves each stage and why, what would bring a better one, and which models are used. */
export function startUpTable({ urls, redis, dataDir, stages, models, offline, colour }: StartUpFacts): string {
  const style = colour ? { head: ['cyan'], border: ['grey'] } : { head: [], border: [] };
  const places = new Table({ style });
  places.push(
    { Gateways: urls.join('\n') },
    { 'Programs connect to': urls.map((url) => `${url.replace(/^http/, 'ws')}/v1/session`).join('\n') },
    { Redis: redis },
    { 'Data folder': dataDir },
  );
  const engines = new Table({
    head: ['Stage', 'Engine', 'Workers', 'Why this one', 'For a better one'],
    colWidths: [14, 16, 9, 38, 44],
    wordWrap: true,
    style,
  });
  for (const [stage, workers] of Object.entries(stages)) {
    for (const { engine, why, hint, count } of distinct(workers)) {
      const model = engine === 'sherpa' ? models.modelOf(stage) : undefined;
      const reason = model === undefined ? why : `the model ${model} is here`;
      const isComing = !offline && models.missing().some((wanted) => wanted.stage === stage);
      const better = isComing ? 'A model is being fetched: see below.' : hint;
      engines.push([`${stage} (${STAGE_NAMES[stage] ?? stage})`, engine, String(count), reason, better]);
    }
  }
  const parts = [places, engines, ...(models.wanted.length > 0 ? [modelTable(models, offline, style)] : [])];
  return parts.join('\n');
}

type Style = NonNullable<Table.TableConstructorOptions['style']>;

function modelTable(models: ModelStock, offline: boolean, style: Style): Table.Table {
  const table = new Table({
    head: ['Model', 'For', 'Size', 'Licence', 'State'],
    colWidths: [56, 15, 10, 26, 15],
    wordWrap: true,
    style,
  });
  for (const wanted of models.wanted) {
    const { model } = wanted;
    const state = models.has(wanted) ? 'here' : offline ? 'not here' : 'being fetched';
    table.push([
      model.name,
      PURPOSES[stageOf(model)],
      `≈ ${formatBytes(model.approximateBytes)}`,
      model.licence,
      state,
    ]);
  }
  return table;
}

/** Workers of one pool mostly have the same to say. */
function distinct(workers: readonly EngineReport[]): (EngineReport & { count: number })[] {
  const byEngine = new Map<string, EngineReport & { count: number }>();
  for (const worker of workers) {
    const key = JSON.stringify([worker.engine, worker.why, worker.hint]);
    const known = byEngine.get(key);
    if (known) known.count += 1;
    else byEngine.set(key, { ...worker, count: 1 });
  }
  return [...byEngine.values()];
}

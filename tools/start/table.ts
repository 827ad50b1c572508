import Table from 'cli-table3';
import type { EngineReport } from './readiness.ts';

export interface StartUpFacts {
  readonly urls: readonly string[];
  readonly redis: string;
  readonly dataDir: string;
  readonly stages: Readonly<Record<string, readonly EngineReport[]>>;
  readonly colour: boolean;
}

const STAGE_NAMES: Readonly<Record<string, string>> = { stt: 'hears', llm: 'thinks', tts: 'speaks' };

/** What runs where, which engine serves each stage and why, and what would bring a better one. */
export function startUpTable({ urls, redis, dataDir, stages, colour }: StartUpFacts): string {
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
      engines.push([`${stage} (${STAGE_NAMES[stage] ?? stage})`, engine, String(count), why, hint]);
    }
  }
  return `${places.toString()}\n${engines.toString()}`;
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

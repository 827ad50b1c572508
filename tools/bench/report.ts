import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import Table from 'cli-table3';
import type { PartResult, ResultTable } from './part.ts';

/** What the figures were measured on. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly node: string;
  readonly redis: string;
  readonly platform: string;
}

export function describeMachine(): Machine {
  const redis = /v=(\S+)/.exec(execFileSync('redis-server', ['--version']).toString())?.[1] ?? 'unknown';
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    redis,
    platform: `${process.platform} ${process.arch}`,
  };
}

/** A table for the terminal. */
export function formatTable({ title, head, rows }: ResultTable): string {
  const table = new Table({ head: [...head], style: { head: [], border: [] } });
  table.push(...rows.map((row) => [...row]));
  return `\n${title}\n${table.toString()}`;
}

/** Writes everything as JSON; answers the file's name. */
export async function writeResults(
  folder: string,
  results: ReadonlyMap<string, PartResult>,
  machine: Machine,
): Promise<string> {
  await mkdir(folder, { recursive: true });
  const at = new Date().toISOString();
  const file = join(folder, `${at.replaceAll(':', '-')}.json`);
  const parts = Object.fromEntries([...results].map(([name, { remarks, data }]) => [name, { remarks, data }]));
  await writeFile(file, `${JSON.stringify({ at, machine, parts }, null, 2)}\n`);
  return file;
}

import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { RunResult } from './run.ts';

interface Setting {
  readonly env: string;
  readonly describe: string;
  readonly required: boolean;
  readonly allowed: string;
  readonly default?: string;
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const README = `${ROOT}README.md`;
const SERVICES = ['gateway', 'stt-worker', 'llm-worker', 'tts-worker'];
const BEGIN = '<!-- settings:begin (written by `npm run settings-table`) -->';
const END = '<!-- settings:end -->';

/** Checks that the README's configuration table is what the services themselves say, or with `write` makes it so. */
export async function checkSettingsTable({ write = false } = {}): Promise<RunResult> {
  const readme = await readFile(README, 'utf8');
  const begin = readme.indexOf(BEGIN);
  const end = readme.indexOf(END);
  if (begin < 0 || end < begin)
    return { passed: false, output: 'README.md lacks the marks of the configuration table' };
  const wanted = `${readme.slice(0, begin)}${BEGIN}\n\n${await table()}\n${readme.slice(end)}`;
  if (write) await writeFile(README, wanted);
  const passed = write || wanted === readme;
  return {
    passed,
    output: passed ? '' : 'The configuration table in README.md is out of date: npm run settings-table',
  };
}

async function table(): Promise<string> {
  const perService = await Promise.all(SERVICES.map(settingsOf));
  const common = perService[0]?.filter(({ env }) =>
    perService.every((settings) => settings.some((s) => s.env === env)),
  );
  const shared = new Set(common?.map(({ env }) => env));
  const sections = [section('All processes', common ?? [])];
  for (const [index, service] of SERVICES.entries()) {
    const own = perService[index]?.filter(({ env }) => !shared.has(env)) ?? [];
    sections.push(section(service, own));
  }
  return sections.join('\n');
}

async function settingsOf(service: string): Promise<Setting[]> {
  const main = `${ROOT}apps/${service}/src/main.ts`;
  const { stdout } = await promisify(execFile)(process.execPath, [main, '--help=json'], {
    env: { PATH: process.env.PATH },
  });
  return JSON.parse(stdout) as Setting[];
}

function section(title: string, settings: readonly Setting[]): string {
  const cell = (text: string) => text.replaceAll('|', '\\|');
  const rows = settings.map(({ env, describe, allowed, default: fallback }) => {
    const range = allowed === '' ? '' : ` (${allowed})`;
    return `| \`${env}\` | ${fallback ? `\`${cell(fallback)}\`` : ''} | ${cell(describe + range)} |\n`;
  });
  return `**${title}**\n\n| Variable | Default | Meaning |\n| --- | --- | --- |\n${rows.join('')}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await checkSettingsTable({ write: true });

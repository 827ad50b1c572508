// Runs every check, one line each, and what a failed one had to say.

import { checkKnownBad } from './known-bad.ts';
import { type RunResult, run } from './run.ts';
import { checkSettingsTable } from './settings-table.ts';

const colour = process.stdout.isTTY === true;

/** In the order of what a reader wants to know first; all of them run even if one fails. */
const steps: [name: string, check: () => Promise<RunResult>][] = [
  ['format and lint', () => run('biome', ['ci', '--error-on-warnings', `--colors=${colour ? 'force' : 'off'}`, '.'])],
  ['promises and boundaries', () => run('nx', ['run-many', '-t', 'lint'])],
  ['types', () => run('nx', ['run-many', '-t', 'types'])],
  ['unused code', () => run('knip', [])],
  ['configuration table', checkSettingsTable],
  ['the rules still bite', checkKnownBad],
];

let failures = 0;
for (const [name, check] of steps) {
  const startMs = performance.now();
  const { passed, output } = await check();
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  console.log(`${passed ? '✓' : '✗'} ${name.padEnd(24)} ${seconds.padStart(5)} s`);
  if (!passed) {
    failures += 1;
    console.log(`\n${output.trim()}\n`);
  }
}
if (failures > 0) console.log(`${failures} of ${steps.length} checks failed`);
process.exitCode = failures > 0 ? 1 : 0;

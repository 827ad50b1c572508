import { type RunResult, run } from './run.ts';

const folder = 'tools/check/known-bad';

/** What each tool must complain about there, as it says it. */
const complaints: [command: string, args: string[], expected: string[]][] = [
  [
    'eslint',
    ['--no-ignore', `${folder}/lint`],
    [
      '@nx/enforce-module-boundaries',
      '@typescript-eslint/no-floating-promises',
      '@typescript-eslint/no-misused-promises',
      '@typescript-eslint/switch-exhaustiveness-check',
    ],
  ],
  ['tsc', ['-p', `${folder}/types`], ["node-import.ts(2,30): error TS2591: Cannot find name 'node:fs'"]],
];

/**
 * Requires that the mistakes in `known-bad` are found. The boundary rule, for one, skips itself without a word when it
 * has no project graph, and a library for the browser may import Node once its types slip in.
 */
export async function checkKnownBad(): Promise<RunResult> {
  const missed: string[] = [];
  for (const [command, args, expected] of complaints) {
    const { output } = await run(command, args);
    const absent = expected.filter((complaint) => !output.includes(complaint));
    missed.push(...absent.map((complaint) => `${command} ${args.join(' ')} did not report: ${complaint}`));
  }
  return { passed: missed.length === 0, output: missed.join('\n') };
}

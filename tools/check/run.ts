import { spawn } from 'node:child_process';
import { delimiter, join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const path = `${join(root, 'node_modules/.bin')}${delimiter}${process.env.PATH ?? ''}`;

/** How a tool ended, with its standard output and error as they came. */
export interface RunResult {
  readonly passed: boolean;
  readonly output: string;
}

/** Runs a tool of this repository in its root. A tool that cannot be started counts as failed. */
export async function run(command: string, args: readonly string[]): Promise<RunResult> {
  const child = spawn(command, args, {
    cwd: root,
    env: { ...process.env, PATH: path, NX_DAEMON: 'false' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  return new Promise((resolve) => {
    child.on('error', (error) => resolve({ passed: false, output: `${command}: ${error.message}` }));
    child.on('close', (code, signal) => {
      if (signal !== null) output += `\n${command} was ended by ${signal}`;
      resolve({ passed: code === 0, output });
    });
  });
}

import { execFileSync } from 'node:child_process';

/** Process ids of a process's children whose command line contains the words, the newest last. */
export function childProcesses(words: string, parent = process.pid): number[] {
  const table = execFileSync('ps', ['-ww', '-o', 'pid=,args=', '--ppid', String(parent)], { encoding: 'utf8' });
  return table
    .split('\n')
    .filter((line) => line.includes(words))
    .map((line) => Number.parseInt(line, 10));
}

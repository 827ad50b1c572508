import { Command, InvalidArgumentError } from 'commander';
import type { BenchOptions, Part } from './part.ts';
import { PARTS } from './parts.ts';

interface Given {
  readonly turns: number;
  readonly sessions?: number[];
  readonly minutes: number;
  readonly soakSessions: number;
  readonly profile?: string;
}

/** Reads the arguments; prints the help or what is wrong with them and ends the process where that is called for. */
export function parseCommandLine(argv: readonly string[]): { parts: readonly Part[]; options: BenchOptions } {
  const names = PARTS.map(({ name, summary }) => `  ${name.padEnd(12)}${summary}`);
  const command = new Command('npm run bench --')
    .description('Measures what the pipeline itself costs, on scripted engines. Without a part: all but the soak.')
    .argument('[parts...]', 'parts to run, in this order', (name, before: Part[] | undefined) => [
      ...(before ?? []),
      partNamed(name),
    ])
    .option('--turns <n>', 'turns measured at each number of sessions', positive, 300)
    .option('--sessions <list>', 'numbers of sessions to measure at, separated by commas', numbers)
    .option('--minutes <n>', 'length of the soak', positive, 10)
    .option('--soak-sessions <n>', 'sessions of the soak', positive, 200)
    .option('--profile <folder>', 'write a CPU profile of every process there, for the DevTools of Chrome')
    .addHelpText(
      'after',
      `\nParts:\n${names.join('\n')}\n\nResults are also written to PARLEY_DATA_DIR/bench, as JSON.`,
    )
    .parse([...argv]);
  const { turns, sessions, minutes, soakSessions, profile } = command.opts<Given>();
  const [parts] = command.processedArgs as [Part[] | undefined];
  return {
    parts: parts ?? PARTS.filter(({ name }) => name !== 'soak'),
    options: { turns, sessions, minutes, soakSessions, profileDir: profile },
  };
}

function partNamed(name: string): Part {
  const part = PARTS.find((candidate) => candidate.name === name);
  if (part) return part;
  throw new InvalidArgumentError(`There are ${PARTS.map((known) => known.name).join(', ')}.`);
}

function positive(text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError('It must be a number above zero.');
}

const numbers = (text: string): number[] => text.split(',').map(positive);

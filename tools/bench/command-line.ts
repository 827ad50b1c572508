import { Command, InvalidArgumentError, Option } from 'commander';
import type { BenchOptions, Part } from './part.ts';
import { PARTS } from './parts.ts';

interface Given {
  readonly turns: number;
  readonly sessions?: number[];
  readonly minutes: number;
  readonly soakSessions: number;
  readonly profile?: string;
  readonly quick: boolean;
  readonly recognizer: 'pocketsphinx' | 'sherpa';
  readonly patience?: number[];
  readonly speakers: number;
  readonly ends: boolean;
  readonly tuning: boolean;
  readonly words?: string;
  readonly draw?: string;
}

/** Reads the arguments; prints the help or what is wrong with them and ends the process where that is called for. */
export function parseCommandLine(argv: readonly string[]): { parts: readonly Part[]; options: BenchOptions } {
  const names = PARTS.map(({ name, summary }) => `  ${name.padEnd(12)}${summary}`);
  const command = new Command('npm run bench --')
    .description(
      'Measures what the pipeline itself costs, on scripted engines. Without a part: all but ends, turns and soak.',
    )
    .argument('[parts...]', 'parts to run, in this order', (name, before: Part[] | undefined) => [
      ...(before ?? []),
      partNamed(name),
    ])
    .option('--turns <n>', 'turns measured at each number of sessions', positive, 300)
    .option('--sessions <list>', 'numbers of sessions to measure at, separated by commas', numbers)
    .option('--minutes <n>', 'length of the soak', positive, 10)
    .option('--soak-sessions <n>', 'sessions of the soak', positive, 200)
    .option('--profile <folder>', 'write a CPU profile of every process there, for the DevTools of Chrome')
    .option('--quick', 'ends, turns: a run of a few minutes', false)
    .addOption(
      new Option('--recognizer <engine>', 'ends, turns: what recognises speech, sherpa being the small model for tests')
        .choices(['pocketsphinx', 'sherpa'])
        .default('pocketsphinx'),
    )
    .option('--patience <list>', 'ends, turns: values of patience to measure at, separated by commas', percentages)
    .option('--speakers <n>', 'turns: people who speak at the same time', positive, 5)
    .option('--no-ends', 'turns: leave the ends of turns out, which the part ends measures without waiting for them')
    .option('--tuning', 'ends, turns: take the part of the corpus to tune on, not the held-out one', false)
    .option('--words <file>', 'ends: keep what was understood there, and take it from there the next time')
    .option('--draw <file>', 'ends, turns: draw the curve of false cut-offs against waits there, as SVG')
    .addHelpText(
      'after',
      `\nParts:\n${names.join('\n')}\n\nResults are also written to PARLEY_DATA_DIR/bench, as JSON.`,
    )
    .parse([...argv]);
  const { profile, patience, words, draw, ...given } = command.opts<Given>();
  const [parts] = command.processedArgs as [Part[] | undefined];
  return {
    parts: parts ?? PARTS.filter(({ name }) => name !== 'soak' && name !== 'turns' && name !== 'ends'),
    options: {
      sessions: undefined,
      ...given,
      profileDir: profile,
      patiences: patience,
      wordsFile: words,
      drawFile: draw,
    },
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

function percentages(text: string): number[] {
  const values = text.split(',').map(Number);
  if (values.every((value) => value >= 0 && value <= 100)) return values;
  throw new InvalidArgumentError('They must be numbers from 0 to 100.');
}

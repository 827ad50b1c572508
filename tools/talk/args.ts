import { Command, InvalidArgumentError, Option } from 'commander';

/** What the command line asks for. */
export interface TalkOptions {
  /** WAV files, each a turn, in order. */
  readonly recordings: readonly string[];
  /** Typed turns, after the spoken ones. */
  readonly texts: readonly string[];
  /** Spoken over the first reply, so long after its first sample was played. */
  readonly interruption: { readonly file: string; readonly afterMs: number } | undefined;
  readonly urls: readonly string[];
  readonly key: string | undefined;
  readonly json: boolean;
  readonly out: string | undefined;
  readonly timeoutMs: number;
}

const DEFAULT_PORT = '8080';

/** Reads the command line. Prints help or what is wrong with it, and leaves with 0 or 2. */
export function parseArgs(args: readonly string[], env: Readonly<Record<string, string | undefined>>): TalkOptions {
  const defaultUrl = `ws://127.0.0.1:${env.PORT ?? DEFAULT_PORT}`;
  const command = new Command('npm run talk --')
    .description('Talks to Parley: each WAV file is a question, spoken in real time when the answer before it is over.')
    .argument('[wav...]', 'recordings to speak: any rate, mono or stereo')
    .option('--text <text>', 'type this instead of speaking; may be given several times', collect)
    .option('--interrupt <wav>', 'speak this over the first reply')
    .addOption(
      new Option('--after <ms>', 'interrupt so long after the first sample of the reply was played')
        .argParser(milliseconds)
        .default(1_500),
    )
    .option('--out <wav>', 'write the reply audio that was heard, joined')
    .option('--url <urls>', 'gateways, separated by commas; resumes on the next one', list, [defaultUrl])
    .option('--key <key>', 'API key')
    .option('--json', 'print one JSON object a line')
    .option('--timeout <s>', 'seconds without any progress after which a turn has failed', seconds, 30)
    .addHelpText('after', HELP)
    .showHelpAfterError('(--help explains)')
    .exitOverride((stop) => process.exit(stop.exitCode === 0 ? 0 : 2));
  command.parse(args, { from: 'user' });
  const given = command.opts<{
    text?: string[];
    interrupt?: string;
    after: number;
    out?: string;
    url: string[];
    key?: string;
    json?: boolean;
    timeout: number;
  }>();
  if (command.args.length === 0 && given.text === undefined) command.error('error: a WAV file or --text is needed');
  if (given.interrupt === undefined && command.getOptionValueSource('after') === 'cli') {
    command.error('error: --after goes with --interrupt');
  }
  return {
    recordings: command.args,
    texts: given.text ?? [],
    interruption: given.interrupt === undefined ? undefined : { file: given.interrupt, afterMs: given.after },
    urls: given.url,
    key: given.key,
    json: given.json ?? false,
    out: given.out,
    timeoutMs: given.timeout * 1_000,
  };
}

const HELP = `
Typed turns follow the spoken ones. Silence is sent wherever nothing is spoken, as by a microphone that is left on.
Exit code: 0 when every turn got a spoken answer, 1 otherwise with the reason on standard error, 2 for a wrong command.

Examples:
  npm run talk -- question.wav
  npm run talk -- question.wav --json --out reply.wav
  npm run talk -- --text "What time is it?"
  npm run talk -- story.wav --interrupt stop.wav --after 2000`;

const collect = (value: string, before: string[] | undefined): string[] => {
  if (value.trim() === '') throw new InvalidArgumentError('It is empty.');
  return [...(before ?? []), value];
};

const list = (value: string): string[] => {
  const items = value.split(',').map((item) => item.trim());
  if (items.some((item) => item === '')) throw new InvalidArgumentError('An address is empty.');
  return items;
};

function milliseconds(value: string): number {
  const ms = Number(value);
  if (value.trim() === '' || !Number.isFinite(ms) || ms < 0) throw new InvalidArgumentError('Milliseconds are needed.');
  return ms;
}

function seconds(value: string): number {
  const s = Number(value);
  if (!Number.isFinite(s) || s <= 0) throw new InvalidArgumentError('A number of seconds above 0 is needed.');
  return s;
}

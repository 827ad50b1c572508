import { styleText } from 'node:util';

type Colour = Parameters<typeof styleText>[0];

const COLOURS: readonly Colour[] = ['cyan', 'yellow', 'green', 'magenta', 'blue', 'cyanBright', 'yellowBright', 'red'];

/** Where the supervisor and its children speak, one line at a time. */
export interface Output {
  /** A line of a child, behind its name. */
  line(name: string, text: string): void;
  /** A line of the supervisor itself. */
  say(text: string): void;
}

export interface OutputOptions {
  readonly write: (text: string) => void;
  readonly colour: boolean;
  /** The longest name, so that lines stand in columns. */
  readonly nameWidth: number;
}

/** Puts each child's name before its lines, in a colour of its own. */
export function createOutput({ write, colour, nameWidth }: OutputOptions): Output {
  const prefixes = new Map<string, string>();
  const paint = (style: Colour, text: string): string =>
    colour ? styleText(style, text, { validateStream: false }) : text;
  const prefixOf = (name: string): string => {
    const known = prefixes.get(name);
    if (known !== undefined) return known;
    const prefix = paint(COLOURS[prefixes.size % COLOURS.length] ?? 'cyan', `${name.padEnd(nameWidth)} │ `);
    prefixes.set(name, prefix);
    return prefix;
  };
  return {
    line: (name, text) => write(`${prefixOf(name)}${text}\n`),
    say: (text) => write(`${paint('bold', text)}\n`),
  };
}

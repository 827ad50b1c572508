import { styleText } from 'node:util';

type Colour = Parameters<typeof styleText>[0];

const COLOURS: readonly Colour[] = ['cyan', 'yellow', 'green', 'magenta', 'blue', 'cyanBright', 'yellowBright', 'red'];
const CLEAR_LINE = '\r\u001b[K';

/** Where the supervisor and its children speak, one line at a time. */
export interface Output {
  /** A line of a child, behind its name. */
  line(name: string, text: string): void;
  /** A line of the supervisor itself. */
  say(text: string): void;
  /** Several lines of the supervisor, such as a table, as they are. */
  show(text: string): void;
  /** What is going on at the moment, below everything else on a terminal; undefined takes it away. */
  status(text: string | undefined): void;
}

export interface OutputOptions {
  readonly write: (text: string) => void;
  readonly colour: boolean;
  /** The longest name, so that lines stand in columns. */
  readonly nameWidth: number;
  /** Columns of the terminal, asked each time; undefined for anything else, which gets no status. */
  readonly columns?: () => number | undefined;
}

/** Puts each child's name before its lines, in a colour of its own. */
export function createOutput({ write, colour, nameWidth, columns = () => undefined }: OutputOptions): Output {
  const prefixes = new Map<string, string>();
  let status: string | undefined;
  const paint = (style: Colour, text: string): string =>
    colour ? styleText(style, text, { validateStream: false }) : text;
  const prefixOf = (name: string): string => {
    const known = prefixes.get(name);
    if (known !== undefined) return known;
    const prefix = paint(COLOURS[prefixes.size % COLOURS.length] ?? 'cyan', `${name.padEnd(nameWidth)} │ `);
    prefixes.set(name, prefix);
    return prefix;
  };
  const above = (text: string): void => {
    if (status === undefined) return write(`${text}\n`);
    write(`${CLEAR_LINE}${text}\n${status}`);
  };
  return {
    line: (name, text) => above(`${prefixOf(name)}${text}`),
    say: (text) => above(paint('bold', text)),
    show: above,
    status: (text) => {
      const width = columns();
      if (width === undefined) return;
      const hadOne = status !== undefined;
      // A status that fills more than one line could not be cleared again.
      status = text?.slice(0, Math.max(0, width - 1));
      if (hadOne || status !== undefined) write(`${CLEAR_LINE}${status ?? ''}`);
    },
  };
}

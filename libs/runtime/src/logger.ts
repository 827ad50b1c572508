import { hostname } from 'node:os';
import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from 'pino';
import { prettyFactory } from 'pino-pretty';

export type { Logger } from 'pino';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LoggerOptions {
  readonly name: string;
  readonly level?: LogLevel;
  /** One readable line per entry instead of JSON. */
  readonly pretty?: boolean;
  /** Colours in the readable form. */
  readonly colour?: boolean;
  /** Shows what people said. For debugging one's own conversation only. */
  readonly showPii?: boolean;
  /** Where lines go; standard output when not given. */
  readonly stream?: DestinationStream;
}

/**
 * A structured logger. Fields whose name starts with `pii` and strings in fields named like a secret are replaced, at the
 * top and one level down, in entries and in a child's bindings.
 */
export function createLogger(options: LoggerOptions): Logger {
  const { name, level = 'info', pretty = false, showPii = false } = options;
  const hide = (fields: Record<string, unknown>): Record<string, unknown> => hideFields(fields, showPii, 2);
  const stream = options.stream ?? standardOutput();
  const logger = pino(
    {
      level,
      base: { service: name, host: hostname(), pid: process.pid },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: hide },
    },
    pretty ? prettyStream(stream, options.colour ?? false) : stream,
  );
  // The `bindings` formatter does not reach a child's bindings. Children inherit this method, and so do theirs.
  const child = logger.child;
  logger.child = function hidingChild(this: Logger, bindings, childOptions) {
    return child.call(this, hide(bindings), childOptions);
  } as typeof child;
  return logger;
}

/** Waits until what was logged has been handed to the operating system. */
export function flushLogger(logger: Logger): Promise<void> {
  return new Promise((resolve) => logger.flush(() => resolve()));
}

const MAX_BUFFERED_LOG_BYTES = 4 * 1024 * 1024;
let droppedLines = 0;

/** Lines lost so far because the reader of standard output did not keep up. */
export function droppedLogLines(): number {
  return droppedLines;
}

/**
 * Standard output without blocking: whoever reads it may stall (a stopped supervisor, a full log driver), and the event
 * loop must not stall with it. Beyond the buffer the newest lines are dropped and counted.
 */
function standardOutput(): DestinationStream {
  // With the default `minLength` of 0 its `flush` waits for nothing.
  const stream = destination({ dest: 1, sync: false, minLength: 1, maxLength: MAX_BUFFERED_LOG_BYTES });
  stream.on('drop', () => {
    droppedLines += 1;
  });
  // Its synchronous flush, called at exit and after a fatal entry, tries for ever once the reader is gone (EPIPE). The
  // process flushes with `flushLogger` before it leaves.
  stream.flushSync = () => {};
  return stream;
}

function prettyStream(stream: DestinationStream, colorize: boolean): DestinationStream {
  const format = prettyFactory({
    colorize,
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss.l',
    // Facts that a person at a terminal knows, and the long list of settings.
    ignore: 'pid,host,service,config',
  });
  return {
    write: (line) => stream.write(format(JSON.parse(line))),
    ...('flush' in stream && typeof stream.flush === 'function' ? { flush: stream.flush.bind(stream) } : {}),
  };
}

/** Only text is secret: `{ tokens: 30 }` is a count. */
const SECRET_NAME = /(authorization|cookie|password|secret|token|api[-_]?key)$/i;

function hideFields(fields: Record<string, unknown>, showPii: boolean, depth: number): Record<string, unknown> {
  let copy: Record<string, unknown> | undefined;
  for (const [key, value] of Object.entries(fields)) {
    const shown = hideValue(key, value, showPii, depth);
    if (shown === value) continue;
    copy ??= { ...fields };
    copy[key] = shown;
  }
  return copy ?? fields;
}

function hideValue(key: string, value: unknown, showPii: boolean, depth: number): unknown {
  if (value === undefined || value === null) return value;
  if (key.startsWith('pii')) return showPii ? value : '[pii]';
  if (typeof value === 'string') return SECRET_NAME.test(key) ? '[secret]' : value;
  return depth > 1 && isPlainObject(value) ? hideFields(value, showPii, depth - 1) : value;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

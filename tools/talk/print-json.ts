import type { Printer } from './printer.ts';

/** One JSON object a line, each with a `type`; only events of the session's log have an `id`. */
export function jsonPrinter(write: (text: string) => void): Printer {
  const print = (line: object): void => write(`${JSON.stringify(line)}\n`);
  const at = (ms: number): { atMs: number } => ({ atMs: Math.round(ms * 10) / 10 });
  return {
    session: (session) => print({ type: 'session', session }),
    asking: () => {},
    event: ({ type, id, turn, ...rest }, atMs) => print({ type, id, turn: turn ?? null, ...at(atMs), ...rest }),
    audio: ({ turn, clause, generation, startSample }, ms, atMs) =>
      print({ type: 'audio', turn, clause, generation, startSample, ms, ...at(atMs) }),
    volume: (change, atMs) => print({ ...change, ...at(atMs) }),
    error: ({ code, message, retryable }, atMs) => print({ type: 'error', code, message, retryable, ...at(atMs) }),
    resumed: ({ url, afterMs, lostSamples }, atMs) =>
      print({ type: 'resumed', url, afterMs: Math.round(afterMs), lostSamples, ...at(atMs) }),
    turn: () => {},
    summary: (resumes, turns) => print({ type: 'summary', resumes, turns }),
  };
}

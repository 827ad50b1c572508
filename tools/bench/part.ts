/** A table of results as it is printed. */
export interface ResultTable {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
}

/** What a part found out. */
export interface PartResult {
  readonly tables: readonly ResultTable[];
  /** Where a figure misses its target, or the measurement was not what it should be. */
  readonly remarks: readonly string[];
  /** For the JSON file. */
  readonly data: unknown;
}

export interface BenchOptions {
  /** Turns measured at each number of sessions, at least. */
  readonly turns: number;
  /** Numbers of sessions, where a part measures at several. */
  readonly sessions: readonly number[] | undefined;
  /** Length of the long part. */
  readonly minutes: number;
  readonly soakSessions: number;
  /** Writes CPU profiles of the processes there. */
  readonly profileDir: string | undefined;
  /** A few minutes' run of parts that would take long. */
  readonly quick: boolean;
  /** Ends, turns: what recognises speech. */
  readonly recognizer: 'pocketsphinx' | 'sherpa';
  /** Ends, turns: values of `patience` to measure at. */
  readonly patiences: readonly number[] | undefined;
  /** Turns: people who speak at the same time. */
  readonly speakers: number;
  /** Turns: the ends of turns are measured too. */
  readonly ends: boolean;
  /** Ends, turns: takes the part of the corpus that is there to tune on. */
  readonly tuning: boolean;
  /** Ends: what was understood is kept in this file, and taken from it where it is there already. */
  readonly wordsFile: string | undefined;
  /** Ends, turns: draws the curve there, as SVG. */
  readonly drawFile: string | undefined;
}

export interface PartContext {
  readonly options: BenchOptions;
  /** Shows how far a long measurement has come. */
  readonly progress: (text: string) => void;
}

/** One part of the benchmark. */
export interface Part {
  readonly name: string;
  /** One sentence for the help. */
  readonly summary: string;
  run(context: PartContext): Promise<PartResult>;
}

/** Milliseconds as printed. */
export const ms = (value: number): string => value.toFixed(value < 10 ? 2 : 1);

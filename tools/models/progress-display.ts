import { SingleBar } from 'cli-progress';
import { formatBytes } from './format-bytes.ts';
import type { ModelProgress } from './install.ts';
import { progressSentence } from './progress-sentence.ts';

/** Lines for a log may come this often, a bar is drawn by its own clock. */
const LINE_EVERY_MS = 5000;

export interface ProgressDisplay {
  show(progress: ModelProgress): void;
  /** Ends the bar's line, before anything else is written. */
  stop(): void;
}

/** Shows progress: a bar on a terminal, else a line now and then. */
export function progressDisplay(stream: NodeJS.WriteStream): ProgressDisplay {
  return stream.isTTY ? new Bar(stream) : new Lines(stream);
}

class Bar implements ProgressDisplay {
  readonly #stream: NodeJS.WriteStream;
  #bar: SingleBar | undefined;
  #phase = '';

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  show(progress: ModelProgress): void {
    const phase = `${progress.name} ${progress.phase}`;
    if (phase !== this.#phase) this.stop();
    this.#phase = phase;
    if (progress.phase !== 'downloading' && progress.phase !== 'unpacking') {
      this.#stream.write(`  ${progressSentence(progress)}\n`);
      return;
    }
    const { doneBytes, totalBytes } = progress;
    this.#bar ??= this.#start(progress.phase, totalBytes ?? doneBytes, doneBytes);
    if (totalBytes === undefined) this.#bar.setTotal(doneBytes);
    this.#bar.update(doneBytes);
  }

  stop(): void {
    this.#bar?.stop();
    this.#bar = undefined;
    this.#phase = '';
  }

  #start(label: string, totalBytes: number, doneBytes: number): SingleBar {
    const bar = new SingleBar({
      format: `  ${label.padEnd(11)} {bar} {percentage} %  {value} of {total}  {eta_formatted} left`,
      formatValue: (value, _options, type) =>
        type === 'value' || type === 'total' ? formatBytes(value) : String(value),
      stream: this.#stream,
      barsize: 30,
      hideCursor: true,
      etaBuffer: 100,
    });
    bar.start(totalBytes, doneBytes);
    return bar;
  }
}

class Lines implements ProgressDisplay {
  readonly #stream: NodeJS.WriteStream;
  #phase = '';
  #nextAtMs = 0;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  show(progress: ModelProgress): void {
    const phase = `${progress.name} ${progress.phase}`;
    const nowMs = performance.now();
    const isStep = progress.phase === 'downloading' || progress.phase === 'unpacking';
    if (isStep && phase === this.#phase && nowMs < this.#nextAtMs) return;
    this.#phase = phase;
    this.#nextAtMs = nowMs + LINE_EVERY_MS;
    this.#stream.write(`  ${progressSentence(progress)}\n`);
  }

  stop(): void {
    this.#phase = '';
  }
}

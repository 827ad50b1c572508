/** Lines for a log may come this often; on a terminal one line is written over and over. */
const LINE_EVERY_MS = 10_000;

export interface Progress {
  show(text: string): void;
  /** Leaves an empty line for what is printed next. */
  clear(): void;
}

/** Shows how far long work has come. */
export function createProgress(stream: NodeJS.WriteStream): Progress {
  let lastLineMs = Number.NEGATIVE_INFINITY;
  return {
    show(text) {
      if (stream.isTTY) {
        stream.write(`\r\u001b[K  ${text}`);
      } else if (performance.now() - lastLineMs >= LINE_EVERY_MS) {
        lastLineMs = performance.now();
        stream.write(`  ${text}\n`);
      }
    },
    clear() {
      if (stream.isTTY) stream.write('\r\u001b[K');
    },
  };
}

import type { SerializedError } from 'vitest';
import type { Reporter, TestModule } from 'vitest/node';
import { leftoverProcesses } from './leftover-processes.ts';

/**
 * Closes a run with one line that a machine can read: `312 passed, 0 failed, 2 skipped`. A file that cannot be loaded,
 * an unhandled error and a process that a test left behind count as failures.
 */
export class ClosingReporter implements Reporter {
  async onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): Promise<void> {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 };
    for (const module of modules) {
      counts.failed += module.errors().length;
      for (const suite of module.children.allSuites()) counts.failed += suite.errors().length;
      for (const test of module.children.allTests()) counts[test.result().state] += 1;
    }
    const leftovers = await leftoverProcesses(2000);
    for (const process of leftovers) console.log(`left behind by a test: ${process}`);
    counts.failed += leftovers.length + counts.pending;
    if (counts.failed > 0) process.exitCode = 1;
    const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
    console.log(`${counts.passed} passed, ${counts.failed} failed${skipped}`);
  }
}

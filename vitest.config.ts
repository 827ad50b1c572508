import { defineConfig } from 'vitest/config';
import { ClosingReporter } from './tools/check/vitest/closing-reporter.ts';
import { TEST_RUN_MARK } from './tools/check/vitest/leftover-processes.ts';

export default defineConfig({
  test: {
    // Real parts keep real time: few files at once, or a busy machine fails tests that watch deadlines.
    maxWorkers: 2,
    reporters: ['default', new ClosingReporter()],
    dangerouslyIgnoreUnhandledErrors: false,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['{apps,libs,tools,infra}/**/*.test.ts'],
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['e2e/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 60_000,
          // Whole systems, one after the other, once the units are done.
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
    setupFiles: ['./tools/check/vitest/no-open-handles.ts'],
    environment: 'node',
    pool: 'forks',
    env: TEST_RUN_MARK,
    // A shared machine may starve a process for seconds. What fails twice in a row is wrong.
    retry: 1,
    testTimeout: 15_000,
    hookTimeout: 15_000,
    restoreMocks: true,
    unstubEnvs: true,
    unstubGlobals: true,
  },
});

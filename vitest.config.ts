import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // No test is about time: this is for slow machines, and for traces of a hundred thousand rows.
    testTimeout: 120_000,
    // Many tests wait for a child process: leaving a core free, as vitest does, takes twice as long on two.
    maxWorkers: '100%',
    globalSetup: ['test/support/build.ts'],
  },
});

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Native libraries (onnxruntime, better-sqlite3) and worker threads want processes of their own.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // A condition may take its time on slow machines: a second is no bound.
    expect: { poll: { timeout: 60_000 } },
  },
});

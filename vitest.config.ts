import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

// Where a machine wants to read the counts: the path of a JSON file.
const report = process.env['FDEVENT_TEST_REPORT']

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // A crash in native code then ends one worker process and is reported as a failure.
    pool: 'forks',
    // Most of the time tests wait: for timeouts, for child processes.
    maxWorkers: Math.max(3, availableParallelism()),
    execArgv: ['--expose-gc'],
    testTimeout: 20_000,
    setupFiles: ['test/helpers/setup.ts'],
    reporters: report ? ['default', ['json', { outputFile: report }]] : ['default'],
  },
})

import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // A crash in native code then ends one worker process and is reported as a failure.
    pool: 'forks',
    execArgv: ['--expose-gc'],
    testTimeout: 20_000,
    setupFiles: ['test/helpers/setup.ts'],
  },
})

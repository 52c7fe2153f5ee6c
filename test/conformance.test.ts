// The suite that Bun and Deno run, too: npm run test:bun, npm run test:deno.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const suite = new URL('conformance/run.mjs', import.meta.url).pathname

for (const driver of ['nested', 'thread']) {
  test(`the conformance suite, by the ${driver} driver`, async () => {
    const env = { ...process.env, FDEVENT_DRIVER: driver }
    const { stdout } = await promisify(execFile)(process.execPath, [suite], { env }).catch((error: unknown) => {
      throw new Error((error as { stdout?: string }).stdout, { cause: error })
    })
    const result = JSON.parse(stdout.trim().split('\n').at(-1) as string) as Record<string, unknown>
    expect(result).toMatchObject({ runtime: 'node', driver, failed: 0, deviating: 0 })
    expect(result['passed']).toBeGreaterThanOrEqual(44)
  }, 120_000)
}

// Runs every case, one after the other, and prints how each ended: node|bun|deno run -A test/conformance/run.mjs [PART OF A NAME]
import { platform } from '../../dist/index.js'
import { deviations } from './deviations.mjs'
import { closeAll, runtime } from './harness.mjs'
import pollers from './pollers.mjs'
import streams from './streams.mjs'
import waits from './waits.mjs'
import watchers from './watchers.mjs'

const LIMIT = 30_000
const only = process.argv[2] ?? ''
const expected = deviations[runtime] ?? {}
const counts = { passed: 0, deviating: 0, failed: 0 }

const limit = () =>
  new Promise((_, reject) => setTimeout(reject, LIMIT, new Error(`not over after ${LIMIT} ms`)).unref())
for (const [name, body] of Object.entries({ ...streams, ...watchers, ...pollers, ...waits })) {
  if (!name.includes(only)) continue
  const error = await Promise.race([Promise.resolve().then(body), limit()]).then(
    () => undefined,
    (reason) => reason ?? new Error('rejected with nothing'),
  )
  closeAll()
  // What is said to fail must fail, or the table in the documentation is wrong.
  const outcome = (error === undefined) !== name in expected ? (error ? 'deviating' : 'passed') : 'failed'
  counts[outcome] += 1
  if (outcome !== 'passed')
    console.log(`${outcome}: ${name}\n  ${error?.stack ?? 'it passes, and is listed as a deviation'}`)
}
const { driver, backend } = platform()
console.log(JSON.stringify({ runtime, version: process.versions[runtime], driver, backend, ...counts }))
process.exit(counts.failed === 0 ? 0 : 1)

// Adds up the reports of a CI run: node count.mjs FOLDER BROKEN_STEPS. A step that failed without a failing test, or that
// left no count, counts as a failure of its own.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const [folder, brokenSteps] = process.argv.slice(2)
let passed = 0
let failed = 0

// vitest's reports; and what was printed: by doctest, by the conformance suite as JSON, by scripts that count for themselves.
const readers = {
  '.json': (text) =>
    [JSON.parse(text)].map(({ numPassedTests, numFailedTests }) => [numPassedTests, numFailedTests])[0],
  '.txt': (text) =>
    [
      /test cases: *\d+ *\| *(\d+) passed *\| *(\d+) failed/,
      /"passed":(\d+),.*"failed":(\d+)/,
      /^(\d+) passed, (\d+) failed$/m,
    ]
      .map((pattern) => pattern.exec(text))
      .find((match) => match !== null)
      ?.slice(1)
      .map(Number),
}

for (const name of readdirSync(folder).sort()) {
  const read = readers[name.slice(name.lastIndexOf('.'))]
  if (read === undefined) continue
  const [good, bad] = read(readFileSync(join(folder, name), 'utf8')) ?? [0, 1]
  console.log(`${name}: ${good} passed, ${bad} failed`)
  passed += good
  failed += bad
}

const broken = Number(brokenSteps)
if (broken > 0 && failed === 0) failed = broken
if (passed === 0) failed = Math.max(failed, 1)
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 && broken === 0 ? 0 : 1)

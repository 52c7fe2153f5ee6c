// Adds up the reports of a CI run: node count.mjs FOLDER BROKEN_STEPS. A step that failed without a failing test, or that
// left no report, counts as a failure of its own.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const [folder, brokenSteps] = process.argv.slice(2)
let passed = 0
let failed = 0

for (const name of readdirSync(folder).filter((name) => name.endsWith('.json'))) {
  const report = JSON.parse(readFileSync(join(folder, name), 'utf8'))
  console.log(`${name}: ${report.numPassedTests} passed, ${report.numFailedTests} failed`)
  passed += report.numPassedTests
  failed += report.numFailedTests
}

const native = join(folder, 'native.txt')
const counts =
  existsSync(native) && /test cases: *\d+ *\| *(\d+) passed *\| *(\d+) failed/.exec(readFileSync(native, 'utf8'))
if (counts) {
  console.log(`native: ${counts[1]} passed, ${counts[2]} failed`)
  passed += Number(counts[1])
  failed += Number(counts[2])
}

const broken = Number(brokenSteps)
if (broken > 0 && failed === 0) failed = broken
if (passed === 0) failed = Math.max(failed, 1)
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 && broken === 0 ? 0 : 1)

// Runs the test suite on other versions of Node: node scripts/test-node.mjs [VERSION...] [-- VITEST ARGUMENTS]
// One build serves all: the addon uses Node-API only, and libuv's ABI has been stable since 1.0.
import { spawnSync } from 'node:child_process'
import process from 'node:process'
import { installNode } from './node-versions.mjs'

const OLDEST_TO_NEWEST = ['20.19.0', '22', '24', '26']

const separator = process.argv.indexOf('--')
const versions = process.argv.slice(2, separator < 0 ? undefined : separator)
const vitestArguments = separator < 0 ? [] : process.argv.slice(separator + 1)
const root = new URL('..', import.meta.url).pathname
const results = []

for (const version of versions.length > 0 ? versions : OLDEST_TO_NEWEST) {
  const node = installNode(version)
  const { stdout: exact } = spawnSync(node, ['--version'], { encoding: 'utf8' })
  console.log(`\n== Node ${exact.trim()}`)
  const { status } = spawnSync(node, [`${root}node_modules/vitest/vitest.mjs`, 'run', ...vitestArguments], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...report(version) },
  })
  results.push({ exact: exact.trim(), passed: status === 0 })
}

console.log()
for (const { exact, passed } of results) console.log(`Node ${exact}: ${passed ? 'passed' : 'FAILED'}`)
process.exit(results.every(({ passed }) => passed) ? 0 : 1)

// Each version's report gets a file of its own; see vitest.config.ts.
function report(version) {
  const file = process.env.FDEVENT_TEST_REPORT
  return file ? { FDEVENT_TEST_REPORT: file.replace(/(\.json)?$/, `-node-${version}.json`) } : {}
}

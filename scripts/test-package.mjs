// Makes the tarball and tries it as its users do: npm run test:package
// In an empty folder, without install scripts, by import and by require, on this Node and on the newest. What it carries, its size
// and its loading time are checked, too, and publint and attw have their say. Needs `npm run prebuild`, for this system at least.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { installNode } from './node-versions.mjs'

const NEWEST = '26'
const LARGEST = 2 * 2 ** 20
const SLOWEST_MS = 5
// The quickest of so many is what loading costs, the others were kept waiting by somebody else's work; and what Node itself takes
// for it is another figure on each machine and at each hour. The benchmark `load` has the whole.
const LOADS = 25

process.chdir(fileURLToPath(new URL('..', import.meta.url)))
const folder = mkdtempSync(join(tmpdir(), 'fdevent-package-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
const run = (program, args, cwd = folder) => execFileSync(program, args, { cwd, encoding: 'utf8', stdio: 'pipe' })
const npm = (...args) => run('npm', args, process.cwd())

const [packed] = JSON.parse(npm('pack', '--json', '--pack-destination', folder))
const tarball = join(folder, packed.filename)
const files = packed.files.map(({ path }) => path)
const user = join(folder, 'user')
mkdirSync(user)
writeFileSync(join(user, 'package.json'), '{ "private": true, "type": "module" }')
run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', tarball], user)

const USE = `
  const [reader, writer] = io.pipe()
  if (await fdevent.readable(reader, 0.01)) throw new Error('readable, and empty')
  const wait = fdevent.readable(reader, 60)
  io.write(writer, new Uint8Array([42]))
  const buffer = new Uint8Array(1)
  if (!(await wait) || io.read(reader, buffer) !== 1 || buffer[0] !== 42) throw new Error('not what was written')
  if (!(await processes.exited(2 ** 22 - 1, 60))) throw new Error('a process that never was has not ended')
  if (typeof wsgi.gateway(() => []) !== 'function') throw new Error('no listener')
  console.log('used')
`
const names = { fdevent: 'fdevent', io: 'fdevent/io', processes: 'fdevent/process', wsgi: 'fdevent/wsgi' }
const each = (line) => Object.entries(names).map(([name, specifier]) => line(name, specifier))
writeFileSync(
  join(user, 'import.mjs'),
  `${each((name, from) => `import * as ${name} from '${from}'\n`).join('')}${USE}`,
)
writeFileSync(
  join(user, 'require.cjs'),
  `${each((name, from) => `const ${name} = require('${from}')\n`).join('')}void (async () => {${USE}})()\n`,
)
writeFileSync(join(user, 'empty.js'), 'export {}\n')

const checks = {
  'nothing is in it that builds it': () => {
    assert.deepEqual(
      files.filter((path) => /binding\.gyp|\.cc$|^(test|src|native|benchmarks|build)\//.test(path)),
      [],
    )
  },
  'it runs no script when it is installed, and depends on nothing': () => {
    const { scripts = {}, dependencies = {} } = JSON.parse(
      run('npm', ['pkg', 'get'], join(user, 'node_modules/fdevent')),
    )
    assert.deepEqual(
      Object.keys(scripts).filter((name) => /^(pre|post)?install$|^prepare$/.test(name)),
      [],
    )
    assert.deepEqual(dependencies, {})
    assert.deepEqual(
      readdirSync(join(user, 'node_modules')).filter((name) => !name.startsWith('.')),
      ['fdevent'],
    )
  },
  'it has the addon of every system that was prebuilt': () => {
    assert.ok(existsSync('prebuilds'), 'npm run prebuild makes them')
    const made = readdirSync('prebuilds').map((name) => `prebuilds/${name}/fdevent.node`)
    assert.deepEqual(files.filter((path) => path.startsWith('prebuilds/')).sort(), made.sort())
  },
  [`it is no larger than ${LARGEST / 2 ** 20} MiB`]: () => {
    console.log(`  ${(packed.size / 1024).toFixed(0)} KiB, ${files.length} files`)
    assert.ok(packed.size <= LARGEST, `${packed.size} bytes`)
  },
  'publint has nothing to say': () => run('npx', ['publint', '--strict', tarball], process.cwd()),
  'its types are found by whoever can load it': () =>
    run('npx', ['attw', tarball, '--profile', 'esm-only'], process.cwd()),
  'its command runs': () => {
    assert.equal(run('npx', ['fdevent-serve', '--version'], user).trim(), packed.version)
  },
  [`it adds at most ${SLOWEST_MS} ms to what loading an empty ES module takes`]: () => {
    const quickest = (specifier) => {
      const load = ['benchmarks/contestants/load.mjs', 'require', specifier, user]
      return Math.min(
        ...Array.from({ length: LOADS }, () => JSON.parse(run(process.execPath, load, process.cwd())).value),
      )
    }
    const [ours, empty] = [quickest('fdevent'), quickest('./empty.js')]
    console.log(`  ${ours.toFixed(2)} ms, of which an empty module takes ${empty.toFixed(2)} ms`)
    assert.ok(ours - empty <= SLOWEST_MS, `${ours - empty} ms`)
  },
}
for (const [name, node] of [
  [process.version, process.execPath],
  [`v${NEWEST}`, installNode(NEWEST)],
]) {
  for (const program of ['import.mjs', 'require.cjs']) {
    checks[`Node ${name}: ${program}`] = () => assert.equal(run(node, [program], user).trim(), 'used')
  }
}

let failed = 0
for (const [name, check] of Object.entries(checks)) {
  try {
    check()
    console.log(`ok      ${name}`)
  } catch (error) {
    failed += 1
    console.log(`FAILED  ${name}\n${error.message}\n${error.stdout ?? ''}${error.stderr ?? ''}`)
  }
}
console.log(`${Object.keys(checks).length - failed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)

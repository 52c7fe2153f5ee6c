// Builds the layers below Node-API with their tests into one executable, under AddressSanitizer and
// UndefinedBehaviorSanitizer, and runs it: npm run test:native -- [--backend=epoll|kqueue] [doctest options]
// On Linux kqueue is libkqueue's, where pkg-config finds it (PKG_CONFIG_PATH).
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const LINUX = process.platform === 'linux'
const BACKENDS = { epoll: ['epoll'], kqueue: ['kqueue', 'kqueue_events', ...(LINUX ? ['libkqueue'] : [])] }
const [backend, doctest] = parse(process.argv.slice(2))
const OUT = `build/native-tests/${backend}`
const JOBS = 2
const SANITIZE = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all']
const FLAGS = [
  '-std=c++17',
  '-g',
  '-O1',
  ...SANITIZE,
  '-fno-omit-frame-pointer',
  ...['-Wall', '-Wextra', '-Wpedantic', '-Wconversion', '-Wshadow', '-Werror'],
  '-Inative',
  `-DFDEVENT_BACKEND_HEADER="backend/${backend}.h"`,
  ...library('headers'),
]
// libkqueue keeps what belonged to a closed queue.
const SUPPRESSED = 'leak:libkqueue\n'

function parse(args) {
  const prefix = '--backend='
  const chosen = args.findLast((arg) => arg.startsWith(prefix))
  const name = chosen?.slice(prefix.length) ?? (LINUX ? 'epoll' : 'kqueue')
  if (!Object.hasOwn(BACKENDS, name)) fail(`test:native: --backend is one of ${Object.keys(BACKENDS).join(', ')}`)
  return [name, args.filter((arg) => !arg.startsWith(prefix))]
}

// By folders, because libkqueue 2.2's own flags name neither of them.
function library(what) {
  if (!BACKENDS[backend].includes('libkqueue')) return []
  const folder = (name) => {
    const found = spawnSync('pkg-config', [`--variable=${name}`, 'libkqueue'], { encoding: 'utf8' })
    if (found.status !== 0) fail('test:native: pkg-config finds no libkqueue (set PKG_CONFIG_PATH)')
    return found.stdout.trim()
  }
  if (what === 'libraries') return [`-L${folder('libdir')}`, `-Wl,-rpath,${folder('libdir')}`, '-lkqueue']
  return ['', '/kqueue'].flatMap((below) => ['-isystem', `${folder('includedir')}${below}`])
}

function runs(command, args, input) {
  const result = spawnSync(command, args, { input, stdio: ['pipe', 'ignore', 'ignore'] })
  return !result.error && result.status === 0
}

function fail(message) {
  console.error(message)
  process.exit(1)
}

function sources() {
  const folders = ['native/sys', 'native/core', 'test/native']
  const found = folders.flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith('.cc') && !foreign(name))
      .map((name) => join(folder, name)),
  )
  return [...found, ...BACKENDS[backend].map((name) => `native/backend/${name}.cc`)]
}

// What tests one backend's own ways is named after it.
function foreign(name) {
  return Object.keys(BACKENDS).some((other) => other !== backend && name.startsWith(other))
}

const objectOf = (source) => join(OUT, `${basename(dirname(source))}-${basename(source, '.cc')}.o`)

function compile(compiler, source) {
  return new Promise((resolve) => {
    const args = [...FLAGS, '-c', source, '-o', objectOf(source)]
    spawn(compiler, args, { stdio: 'inherit' }).on('close', (code) => resolve(code === 0))
  })
}

async function compileAll(compiler, queue) {
  let good = true
  const job = async () => {
    for (let source = queue.shift(); source && good; source = queue.shift()) {
      if (!(await compile(compiler, source))) good = false
    }
  }
  await Promise.all(Array.from({ length: JOBS }, job))
  return good
}

process.chdir(ROOT)
const compilers = process.env.CXX ? [process.env.CXX] : ['clang++', 'g++']
const compiler = compilers.find((name) => runs(name, ['--version']))
if (!compiler) fail(`test:native needs a C++17 compiler, and found no ${compilers.join(' or ')}`)
if (!runs(compiler, ['-x', 'c++', '-fsyntax-only', '-'], '#include <doctest/doctest.h>\n')) {
  fail('test:native needs the header <doctest/doctest.h>: install doctest (Debian, Ubuntu: apt install doctest-dev)')
}
mkdirSync(OUT, { recursive: true })
const all = sources()
if (!(await compileAll(compiler, [...all]))) fail('test:native: compilation failed')

const executable = join(OUT, 'native-tests')
const linked = spawnSync(
  compiler,
  [...SANITIZE, '-pthread', ...all.map(objectOf), ...library('libraries'), '-o', executable],
  {
    stdio: 'inherit',
  },
)
if (linked.status !== 0) fail('test:native: linking failed')
const suppressions = join(OUT, 'suppressed')
writeFileSync(suppressions, SUPPRESSED)
const env = backend === 'kqueue' && LINUX ? { LSAN_OPTIONS: `suppressions=${suppressions}:print_suppressions=0` } : {}
const ran = spawnSync(executable, doctest, { stdio: 'inherit', env: { ...env, ...process.env } })
if (ran.signal) fail(`test:native: ended by ${ran.signal}`)
process.exit(ran.status ?? 1)

// Builds the layers below Node-API with their tests into one executable, under AddressSanitizer and
// UndefinedBehaviorSanitizer, and runs it: npm run test:native -- [doctest options]
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const OUT = 'build/native-tests'
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
  '-DFDEVENT_BACKEND_HEADER="backend/epoll.h"',
]

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
      .filter((name) => name.endsWith('.cc'))
      .map((name) => join(folder, name)),
  )
  return [...found, 'native/backend/epoll.cc']
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
const linked = spawnSync(compiler, [...SANITIZE, '-pthread', ...all.map(objectOf), '-o', executable], {
  stdio: 'inherit',
})
if (linked.status !== 0) fail('test:native: linking failed')
const ran = spawnSync(executable, process.argv.slice(2), { stdio: 'inherit' })
if (ran.signal) fail(`test:native: ended by ${ran.signal}`)
process.exit(ran.status ?? 1)

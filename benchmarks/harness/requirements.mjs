/**
 * What a contestant needs beside Node. Each is a function of the settings that returns `{ version?, missing? }`, `missing`
 * being the reason in words; it also builds what has to be built.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe } from '../peers/adapter.mjs'
import { BUILD, here, ROOT } from './paths.mjs'

const known = new Map()
/** A compiler runs once, for however many contestants. */
const once = (key, find) => () => {
  if (!known.has(key)) known.set(key, find())
  return known.get(key)
}

function run(command, args, options) {
  const { status, error, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', ...options })
  if (error) return { missing: error.code === 'ENOENT' ? `${command} is not installed` : error.message }
  const output = `${stdout}${stderr}`.trim()
  return status === 0 ? { output } : { missing: output.split('\n').at(-1) || `${command} failed` }
}

const lastWord = (text) => text.trim().split(/\s+/).at(-1)

/** A program of benchmarks/native. */
export const native = (name) =>
  once(`native ${name}`, () => {
    mkdirSync(BUILD, { recursive: true })
    const source = here(`native/${name}.c`)
    const built = run(process.env.CC ?? 'cc', ['-O2', '-pthread', source, '-o', join(BUILD, name)])
    return built.missing === undefined ? {} : { missing: `not compiled: ${built.missing}` }
  })

/** An addon of benchmarks/native. Node's headers are where those are that the library itself was built with. */
export const addon = (name) =>
  once(`addon ${name}`, () => {
    mkdirSync(BUILD, { recursive: true })
    const config = /"nodedir": (".*")/.exec(readFileSync(join(ROOT, 'build', 'config.gypi'), 'utf8'))
    const include = `-I${join(JSON.parse(config[1]), 'include', 'node')}`
    const flags = ['-O3', '-shared', '-fPIC', include]
    const built = run(process.env.CC ?? 'cc', [...flags, here(`native/${name}.c`), '-o', join(BUILD, `${name}.node`)])
    return built.missing === undefined ? {} : { missing: `not compiled: ${built.missing}` }
  })

/** A package among the peers, by the name of its adapter. */
export const peer = (file) => async (settings) => {
  const { version } = await describe(file, settings.peers)
  return version === undefined ? { missing: 'not installed (npm install --prefix benchmarks/peers)' } : { version }
}

/** Something that the library exports. */
export const exported = (specifier, name) =>
  once(`${specifier} ${name}`, async () => {
    const module = await import(specifier)
    return module[name] === undefined ? { missing: `${specifier} does not export ${name}` } : {}
  })

export const python = (module) =>
  once(`python ${module}`, () => {
    const script = `import sys, ${module}; print(getattr(${module}, '__version__', sys.version.split()[0]))`
    const found = run('python3', ['-c', script])
    if (found.missing === undefined) return { version: lastWord(found.output) }
    return { missing: found.missing.includes('No module') ? 'not installed for python3' : found.missing }
  })

export const go = once('go', () => {
  const found = run('go', ['env', 'GOVERSION'])
  if (found.missing !== undefined) return found
  const built = run('go', ['build', '-o', join(BUILD, 'go-chain'), '.'], { cwd: here('peers/go') })
  return built.missing === undefined ? { version: found.output.replace('go', '') } : { missing: built.missing }
})

export const tokio = once('tokio', () => {
  // In a copy, because cargo writes beside the sources.
  const folder = join(BUILD, 'tokio')
  cpSync(here('peers/tokio'), folder, { recursive: true })
  // Where there is no network, it says so at once.
  const env = { ...process.env, CARGO_NET_RETRY: '0', CARGO_HTTP_TIMEOUT: '10' }
  const build = (...options) => run('cargo', ['build', '--release', ...options], { cwd: folder, env, timeout: 120_000 })
  let built = build('--offline')
  if (built.missing !== undefined && !built.missing.includes('not installed')) built = build()
  if (built.missing !== undefined) return { missing: `not built: ${built.missing}` }
  const { output } = run('cargo', ['tree', '--offline', '--package', 'tokio', '--depth', '0'], { cwd: folder })
  return { version: /tokio v(\S+)/.exec(output ?? '')?.[1] }
})

/** A program that only has to be there and to work here. */
export const tool = (name, ...probe) =>
  once(`tool ${name}`, () => {
    const found = run(name, probe)
    return found.missing === undefined ? {} : { missing: found.missing }
  })

/** strace, and the right to use it. */
export const strace = tool('strace', '-o', '/dev/null', 'true')

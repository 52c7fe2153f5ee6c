import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { platform } from 'fdevent'
import { expect, onTestFinished, test } from 'vitest'

const root = new URL('..', import.meta.url).pathname
const dist = `${root}dist`

function run(program: string, env: NodeJS.ProcessEnv = {}) {
  const args = ['--input-type=module', '-e', program]
  const { stdout, stderr, status } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    env: { ...process.env, FDEVENT_DRIVER: '', ...env },
  })
  return { stdout: stdout.trim(), stderr, status }
}

test('platform() names the backend and the driver', () => {
  expect(['epoll', 'kqueue']).toContain(platform().backend)
  expect(platform().driver).toBe(process.env['FDEVENT_DRIVER'] || 'nested')
})

for (const driver of ['nested', 'thread']) {
  test(`FDEVENT_DRIVER=${driver} forces it`, () => {
    const program = `import { platform } from '${dist}/index.js'; console.log(platform().driver)`
    expect(run(program, { FDEVENT_DRIVER: driver })).toMatchObject({ stdout: driver, status: 0 })
  })
}

test('another FDEVENT_DRIVER is an error that says so', () => {
  const program = `await import('${dist}/index.js').catch((error) => console.log(error.code, error.message))`
  const { stdout } = run(program, { FDEVENT_DRIVER: 'fast' })
  expect(stdout).toBe(`ERR_FDEVENT_DRIVER the environment variable FDEVENT_DRIVER is 'thread' or 'nested', not "fast"`)
})

test('where the system is not supported, importing works and every call fails with ERR_FDEVENT_PLATFORM', () => {
  const program = `
    Object.defineProperty(process, 'platform', { value: 'win32' })
    const fdevent = await import('${dist}/index.js')
    const io = await import('${dist}/io/index.js')
    const { exited } = await import('${dist}/process.js')
    const bytes = new Uint8Array(1)
    const calls = {
      readable: () => fdevent.readable(0), writable: () => fdevent.writable(0, 0), select: () => fdevent.select([0], [], [], 1),
      exited: () => exited(1), closing: () => fdevent.closing(0), watch: () => fdevent.watch(0, 1, () => {}),
      Poller: () => new fdevent.Poller(), platform: () => fdevent.platform(), pipe: () => io.pipe(), dup: () => io.dup(0),
      read: () => io.read(0, bytes), write: () => io.write(0, bytes), accept: () => io.accept(0), AsyncFd: () => new io.AsyncFd(0),
    }
    const seen = {}
    for (const [name, call] of Object.entries(calls)) {
      try {
        const result = call()
        seen[name] = await result.then(() => 'resolves', (error) => 'rejects ' + error.code)
      } catch (error) {
        seen[name] = 'throws ' + error.code
      }
    }
    console.log(JSON.stringify(seen))`
  const { stdout, stderr } = run(program)
  expect(stderr).toBe('')
  const seen = JSON.parse(stdout) as Record<string, string>
  expect(Object.keys(seen)).toHaveLength(14)
  for (const [name, outcome] of Object.entries(seen)) {
    const asynchronous = ['readable', 'writable', 'select', 'exited'].includes(name)
    expect(outcome, name).toBe(`${asynchronous ? 'rejects' : 'throws'} ERR_FDEVENT_PLATFORM`)
  }
})

test('an addon that was built in a checkout is taken before one that came with the package; one that does not load is passed over', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fdevent-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  cpSync(dist, join(folder, 'dist'), { recursive: true })
  cpSync(join(root, 'package.json'), join(folder, 'package.json'))
  const load = () =>
    run(
      `await import('${folder}/dist/index.js').then(() => console.log('loaded'), (e) => console.log(e.code, e.message))`,
    )
  expect(load().stdout).toMatch(
    new RegExp(`^ERR_FDEVENT_PLATFORM .*${process.platform} ${process.arch}.*npm run build`),
  )
  const prebuilt = join(folder, 'prebuilds', `${process.platform}-${process.arch}`)
  cpSync(join(root, 'package.json'), join(prebuilt, 'fdevent.node'))
  expect(load().stdout).toMatch(/^ERR_FDEVENT_PLATFORM .*does not load/)
  const addon = execFileSync(process.execPath, ['-p', `require.resolve('${root}build/Release/fdevent.node')`], {
    encoding: 'utf8',
  })
  cpSync(addon.trim(), join(folder, 'build/Release/fdevent.node'))
  expect(load().stdout).toBe('loaded')
  cpSync(addon.trim(), join(prebuilt, 'fdevent.node'))
  rmSync(join(folder, 'build'), { recursive: true })
  expect(load().stdout).toBe('loaded')
})

import { AsyncLocalStorage } from 'node:async_hooks'
import { openSync, readFileSync } from 'node:fs'
import vm from 'node:vm'
import { closing, readable, select, writable } from 'fdevent'
import { expect, onTestFinished, test } from 'vitest'
import * as c from './helpers/libc.js'
import { report, run } from './helpers/run.js'

function pipe() {
  const fds = c.pipe()
  onTestFinished(() => fds.forEach(c.close))
  return fds
}

/** Runs test/fixtures/lifecycle.mjs; what it printed, line by line. */
async function live(mode: string, argument = '') {
  const { code, signal, stdout, stderr } = await run('lifecycle.mjs', [mode, argument])
  return {
    code,
    signal,
    stderr,
    printed: stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
  }
}

const clean = (...printed: unknown[]) => ({ code: 0, signal: null, stderr: '', printed: [...printed, 'exit 0'] })

test('a pending wait keeps the process alive', async () => {
  expect(await live('referenced', 'default')).toEqual(clean(true))
})

test('ref: true keeps the process alive', async () => {
  expect(await live('referenced', 'true')).toEqual(clean(true))
})

test('ref: false does not keep the process alive', async () => {
  expect(await live('unreferenced')).toEqual(clean())
})

test('ref: false is served as long as something else keeps the process alive', async () => {
  expect(await live('unreferenced but served')).toEqual(clean(true))
})

test('a timeout alone keeps the process alive until it has passed, and no longer', async () => {
  expect(await live('timeout')).toEqual(clean(false))
})

test('a select without descriptors is a sleep that keeps the process alive', async () => {
  expect(await live('sleep')).toEqual(clean({ readable: [], writable: [], exceptional: [] }))
})

test('an aborted wait lets the process end', async () => {
  expect(await live('aborted')).toEqual(clean('ABORT_ERR'))
})

test('an announced close lets the process end', async () => {
  expect(await live('closed')).toEqual(clean('EBADF'))
})

test('the last referenced wait of a descriptor takes the process along', async () => {
  expect(await live('one of two')).toEqual(clean(false))
})

test('a wait started in beforeExit revives the loop', async () => {
  expect(await live('beforeExit')).toEqual(clean(false))
})

test('a wait started in the exit event changes nothing', async () => {
  expect(await live('in exit')).toEqual(clean())
})

test('process.exit with 5,000 waits pending ends the process with its code', async () => {
  expect(await live('many pending')).toEqual({ code: 3, signal: null, stderr: '', printed: ['exit 3'] })
})

test('process.exit in the continuation of a wait, 500 of them in one batch', async () => {
  expect(await live('exit in a continuation')).toEqual({ code: 4, signal: null, stderr: '', printed: ['exit 4'] })
})

test('an uncaught exception with waits pending ends the process as always', async () => {
  const ended = await live('uncaught')
  expect(ended).toMatchObject({ code: 1, signal: null, printed: ['exit 1'] })
  expect(ended.stderr).toContain('nobody catches this')
})

test('exceptions in ticks after two waits of one batch both reach uncaughtException, and waits go on', async () => {
  expect(await live('uncaught in a tick')).toEqual(clean({ seen: ['first', 'second'], later: true }))
})

test('a pending wait survives garbage collection', async () => {
  const [r, w] = pipe()
  let settled: boolean | undefined
  const start = () => {
    readable(r, 10).then((ready) => {
      settled = ready
    })
  }
  start()
  for (let i = 0; i < 5; i += 1) {
    globalThis.gc?.()
    await new Promise(setImmediate)
  }
  expect(globalThis.gc).toBeTypeOf('function')
  c.write(w)
  await expect.poll(() => settled).toBe(true)
})

const workers: [string, string, unknown][] = [
  ['two workers wait independently', 'independent', [1, 0]],
  ['two workers and the main thread wait on one descriptor', 'shared', [true, 'ready', 'ready']],
  ['terminate() with waits pending leaves no descriptor, 20 times', 'terminate', { left: 0 }],
  ['terminate() in the middle of a busy loop leaves no descriptor, 20 times', 'terminate while busy', { left: 0 }],
  ['process.exit in a worker with waits pending leaves no descriptor, 20 times', 'exit', { left: 0 }],
  ['process.exit in a continuation in a worker leaves no descriptor, 20 times', 'exit in a continuation', { left: 0 }],
  ['an exception in a worker with waits pending leaves no descriptor, 20 times', 'throw', { left: 0 }],
  ['a worker with only unreferenced waits ends by itself and leaves no descriptor, 20 times', 'end', { left: 0 }],
  ['the main thread waits while workers come and go', 'main waits meanwhile', { served: 20, ended: 'ABORT_ERR' }],
]
for (const [name, mode, result] of workers) {
  test(name, { timeout: 60_000 }, async () => {
    expect(await report('workers.mjs', [mode])).toEqual(result)
  })
}

/** Status flags with O_CLOEXEC, and the position. */
const state = (fd: number) => readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8').match(/^(pos|flags):.*$/gm)

const descriptors: Record<string, () => number[]> = {
  'a non-blocking pipe': () => c.pipe(),
  'a blocking pipe': () => {
    const fds = c.pipe()
    for (const fd of fds) c.setFlags(fd, c.flags(fd) & ~c.O.NONBLOCK)
    return fds
  },
  'a non-blocking socket': () => c.socketpair(),
  'a blocking socket': () => {
    const fds = c.socketpair()
    for (const fd of fds) c.setFlags(fd, c.flags(fd) & ~c.O.NONBLOCK)
    return fds
  },
  'a blocking pty': () => {
    const { master, slavePath } = c.pty()
    c.setFlags(master, c.flags(master) & ~c.O.NONBLOCK)
    return [master, openSync(slavePath, 'r+')]
  },
  'a regular file': () => [openSync(import.meta.filename, 'r')],
}
for (const [name, open] of Object.entries(descriptors)) {
  test(`the flags of ${name} are the same after any wait`, async () => {
    const fds = open()
    onTestFinished(() => fds.forEach(c.close))
    const before = fds.map(state)
    for (const fd of fds) {
      for (const timeout of [0, 0.005]) {
        await readable(fd, timeout)
        await writable(fd, timeout)
        await select([fd], [fd], [fd], timeout)
      }
      const pending = readable(fd, 0.005).catch(() => 'closed')
      expect(fds.map(state)).toEqual(before)
      closing(fd)
      await pending
    }
    expect(fds.map(state)).toEqual(before)
    await new Promise(setImmediate)
  })
}

test('AsyncLocalStorage flows across the await of each wait, in one batch too', async () => {
  const storage = new AsyncLocalStorage<number>()
  const pipes = Array.from({ length: 20 }, pipe)
  const seen = pipes.map(([r], i) =>
    storage.run(i, async () => {
      await readable(r, 10)
      return storage.getStore()
    }),
  )
  storage.run(-1, () => pipes.forEach(([, w]) => void c.write(w)))
  expect(await Promise.all(seen)).toEqual(pipes.map((_, i) => i))
})

test('AsyncLocalStorage flows across timeouts, aborts and closes', async () => {
  const storage = new AsyncLocalStorage<string>()
  const [r] = pipe()
  const [r2] = pipe()
  const controller = new AbortController()
  const store = () => storage.getStore()
  const seen = [
    storage.run('timeout', () => readable(r, 0.01).then(store)),
    storage.run('abort', () => readable(r, { signal: controller.signal }).catch(store)),
    storage.run('close', () => readable(r2).catch(store)),
  ]
  controller.abort()
  closing(r2)
  expect(await Promise.all(seen)).toEqual(['timeout', 'abort', 'close'])
})

test('import and require give the same functions, and both copies work', async () => {
  expect(await report('module.mjs')).toEqual({ same: true, ready: true })
})

test('waits work from another realm, with options, signals and lists of that realm', async () => {
  const [r, w] = pipe()
  const context = vm.createContext({ readable, select, r, AbortSignal })
  const run = (code: string) => vm.runInContext(`(async () => ${code})()`, context) as Promise<unknown>
  expect(await run('await readable(r, 0.005, { ref: true })')).toBe(false)
  expect(await run('await readable(r, { signal: AbortSignal.abort() }).catch(e => e.code)')).toBe('ABORT_ERR')
  c.write(w)
  expect(await run('await readable(r, 10)')).toBe(true)
  expect(await run('(await select([r], [], new Set(), 10)).readable[0]')).toBe(r)
})

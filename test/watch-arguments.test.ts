import { openSync } from 'node:fs'
import net from 'node:net'
import { FdError, fileno, READABLE, statistics, watch, Watcher, WRITABLE } from 'fdevent'
import { close, socketpair } from 'fdevent/io'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import * as c from './helpers/libc.js'
import { closedNumber, eventually, openPath, pipe, tcpPair, temporaryDirectory } from './helpers/owned.js'
import { listening, watching } from './helpers/watching.js'

const ignore = () => {}
/** What a call throws. */
function thrown(call: () => unknown): unknown {
  try {
    call()
  } catch (error) {
    return error
  }
  return undefined
}
const code = (error: unknown) => (error as { code?: unknown } | undefined)?.code

function expectNothing() {
  expect(statistics()).toMatchObject({ waits: 0, watches: 0, armed: 0 })
}

// What the library opens for its first watch must not take the numbers that the tests call closed.
beforeAll(() => {
  const ends = socketpair()
  watch(ends[0], READABLE, ignore).close()
  for (const fd of ends) close(fd)
})

for (const [what, listener] of [
  ['a listener', ignore],
  ['an iterator', null],
] as const) {
  for (const mode of ['level', 'edge'] as const) {
    test(`a closed number is EBADF at once, for ${what}, ${mode}`, () => {
      const fd = closedNumber()
      const error = thrown(() => watching(fd, READABLE, listener, { mode }))
      expect(error).toBeInstanceOf(FdError)
      expect(error).toMatchObject({ name: 'FdError', code: 'EBADF', fd })
      expectNothing()
    })

    test(`a closed number is EBADF also with interest 0, for ${what}, ${mode}`, () => {
      expect(code(thrown(() => watching(closedNumber(), 0, listener, { mode })))).toBe('EBADF')
      expectNothing()
    })

    test(`what has no readiness is EPERM with a reason, for ${what}, ${mode}`, () => {
      const directory = temporaryDirectory()
      const fds = [openPath(import.meta.filename, 'r'), openPath(directory, 'r'), openPath('/dev/null', 'r+')]
      for (const fd of fds) {
        for (const interest of [READABLE, WRITABLE, 0]) {
          const error = thrown(() => watching(fd, interest, listener, { mode }))
          expect(error).toBeInstanceOf(FdError)
          expect(error).toMatchObject({ code: 'EPERM', fd })
          expect((error as Error).message).toMatch(/always ready|regular file|cannot be watched/)
        }
      }
      expectNothing()
    })
  }
}

test('a number that was never open is EBADF', () => {
  for (const fd of [19_999, 2 ** 31 - 1]) expect(code(thrown(() => watching(fd, READABLE, ignore)))).toBe('EBADF')
  expectNothing()
})

test('numbers that can be no descriptor are ERR_OUT_OF_RANGE', () => {
  for (const fd of [-1, 1.5, Number.NaN, Infinity, 2 ** 31]) {
    const error = thrown(() => watching(fd, READABLE, ignore))
    expect(error).toBeInstanceOf(RangeError)
    expect(code(error)).toBe('ERR_OUT_OF_RANGE')
  }
})

test('what is no descriptor at all is ERR_INVALID_ARG_TYPE', () => {
  for (const fd of ['3', null, undefined, {}, [], true, 3n, ignore]) {
    const error = thrown(() => watching(fd as never, READABLE, ignore))
    expect(error).toBeInstanceOf(TypeError)
    expect(code(error)).toBe('ERR_INVALID_ARG_TYPE')
  }
})

test('an interest with unknown bits is ERR_OUT_OF_RANGE', () => {
  const [r] = pipe()
  for (const interest of [32, 64, -1, 0.5, Number.NaN, Infinity, 2 ** 32 + 1]) {
    expect(code(thrown(() => watching(r, interest, ignore)))).toBe('ERR_OUT_OF_RANGE')
  }
  expectNothing()
})

test('an interest that is no number is ERR_INVALID_ARG_TYPE', () => {
  const [r] = pipe()
  for (const interest of ['1', null, undefined, {}, true, 1n, ignore]) {
    expect(code(thrown(() => watching(r, interest as never, ignore)))).toBe('ERR_INVALID_ARG_TYPE')
  }
  expectNothing()
})

test('a listener that is no function is ERR_INVALID_ARG_TYPE', () => {
  const [r] = pipe()
  for (const listener of [1, 'x', {}, [], true]) {
    expect(code(thrown(() => watching(r, READABLE, listener as never)))).toBe('ERR_INVALID_ARG_TYPE')
  }
  expectNothing()
})

test('options of the wrong type are ERR_INVALID_ARG_TYPE', () => {
  const [r] = pipe()
  for (const options of [
    1,
    'level',
    true,
    ignore,
    { ref: 1 },
    { ref: null },
    { signal: {} },
    { signal: 1 },
    { mode: 1 },
  ]) {
    expect(code(thrown(() => watching(r, READABLE, ignore, options as never)))).toBe('ERR_INVALID_ARG_TYPE')
  }
  expectNothing()
})

test('a mode that watchers do not have is ERR_OUT_OF_RANGE', () => {
  const [r] = pipe()
  for (const mode of ['oneshot', 'LEVEL', '', 'both']) {
    expect(code(thrown(() => watching(r, READABLE, ignore, { mode: mode as never })))).toBe('ERR_OUT_OF_RANGE')
  }
  expectNothing()
})

test('arguments are checked before the descriptor', () => {
  const fd = closedNumber()
  expect(code(thrown(() => watching(fd, 32, ignore)))).toBe('ERR_OUT_OF_RANGE')
  expect(code(thrown(() => watching(fd, READABLE, 1 as never)))).toBe('ERR_INVALID_ARG_TYPE')
})

test('null stands for an absent listener and absent options', () => {
  const [r] = pipe()
  for (const watcher of [watching(r, READABLE, null, null), watching(r, READABLE, undefined, undefined)]) {
    expect(watcher).toBeInstanceOf(Watcher)
    expect(watcher.hasRef()).toBe(true)
  }
  const told = listening(r, READABLE, { mode: undefined, ref: undefined, signal: undefined })
  expect(told.watcher.hasRef()).toBe(true)
})

test('fd is the number, and cannot be replaced', () => {
  const [r] = pipe()
  const watcher = watching({ fileno: () => r }, READABLE, ignore)
  expect(watcher.fd).toBe(r)
  watcher.close()
  expect(watcher.fd).toBe(r)
})

test('an object with a descriptor is asked once, when it is watched', () => {
  const [r] = pipe()
  let asked = 0
  const target = {
    fileno: () => {
      asked += 1
      return r
    },
  }
  watching(target, READABLE, ignore).interest = WRITABLE
  expect(asked).toBe(1)
})

test('a socket of Node is watched like its number', async () => {
  const [a, b] = tcpPair()
  const duplicate = c.dup(a)
  const socket = new net.Socket({ fd: duplicate, readable: false, writable: true })
  onTestFinished(() => void socket.destroy())
  const { told, watcher } = listening(fileno(socket), READABLE)
  expect(watching(socket, 0, ignore).fd).toBe(watcher.fd)
  c.write(b)
  await eventually(() => told.length).toBeGreaterThan(0)
})

test('a failed watch leaves the watchers of the number alone', async () => {
  const [r, w] = pipe()
  const { told } = listening(r, READABLE)
  const file = openSync(import.meta.filename, 'r')
  expect(() => watching(file, READABLE, ignore)).toThrow()
  expect(() => watching(r, 99, ignore)).toThrow()
  c.close(file)
  c.write(w)
  await eventually(() => told.length).toBeGreaterThan(0)
})

test('a Watcher comes from watch() alone', () => {
  const [r] = pipe()
  const Constructor = Watcher as unknown as new (...args: unknown[]) => Watcher
  for (const args of [[], [r, READABLE, ignore], [r], [{}]]) {
    expect(() => new Constructor(...args).close()).toThrow(TypeError)
    expectNothing()
  }
})

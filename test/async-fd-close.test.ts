import { getEventListeners } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { closing, platform, readable, READABLE, statistics, watch } from 'fdevent'
import { AsyncFd, close as closeFd, WOULD_BLOCK } from 'fdevent/io'
import { describe, expect, test } from 'vitest'
import { asyncFd, bytes, connected, failure, MIB, random, reading, text } from './helpers/async-fds.js'
import * as c from './helpers/libc.js'
import { close, eventually, openPath, own, pipe, socketpair, turns, watched } from './helpers/owned.js'
import * as parked from './helpers/parked.js'

/** Everything that may be pending on one object, each with what it rejects with. */
const everything = (file: AsyncFd) =>
  [
    file.read(new Uint8Array(1)),
    file.read(new Uint8Array(1)),
    file.readable(),
    file.write(random(MIB)),
    file.write(random(10)),
  ].map(failure)

const ends: Record<string, [(file: AsyncFd) => unknown, string]> = {
  'close()': [(file) => file.close(), 'EBADF'],
  'Symbol.asyncDispose': [(file) => file[Symbol.asyncDispose](), 'EBADF'],
  'closing(fd)': [(file) => closing(file.fd), 'EBADF'],
}
for (const [name, [end, code]] of Object.entries(ends)) {
  test(`${name} rejects all that is pending with ${code}, and leaves the descriptor open`, async () => {
    const { file, fd } = connected()
    const failures = everything(file)
    await turns()
    await end(file)
    for (const error of await Promise.all(failures)) expect(error).toMatchObject({ name: 'FdError', code, fd })
    expect(file.closed).toBe(true)
    expect(statistics()).toMatchObject({ waits: 0, streams: 0, armed: 0 })
    expect(c.isOpen(fd)).toBe(true)
  })
}

test('close of fdevent/io ends the object', async () => {
  const [a] = parked.pipe()
  const file = asyncFd(a)
  const read = failure(file.read(new Uint8Array(1)))
  closeFd(a)
  expect(await read).toMatchObject({ code: 'EBADF', fd: a })
  expect(file.closed).toBe(true)
  expect(statistics().streams).toBe(0)
})

test('closing(fd) ends every AsyncFd on the descriptor, and none on its duplicate', async () => {
  const [r, w] = pipe()
  const duplicate = own(c.dup(r))
  const files = [asyncFd(r), asyncFd(r)]
  const other = asyncFd(duplicate)
  const failures = files.map((file) => failure(file.read(new Uint8Array(1))))
  const read = other.read(new Uint8Array(1))
  closing(r)
  expect((await Promise.all(failures)).map(({ code }) => code)).toEqual(['EBADF', 'EBADF'])
  expect([...files, other].map(({ closed }) => closed)).toEqual([true, true, false])
  c.write(w)
  expect(await read).toBe(1)
})

test('close: true closes the descriptor', async () => {
  const [a] = parked.pipe()
  const file = asyncFd(a, { close: true })
  await file.close()
  expect(c.isOpen(a)).toBe(false)
})

test('close: true ends the plain waits and watchers on the descriptor too', async () => {
  const [a] = parked.pipe()
  const file = asyncFd(a, { close: true })
  const wait = failure(readable(a))
  const watcher = watch(a, READABLE, () => {})
  await file.close()
  expect(await wait).toMatchObject({ code: 'EBADF' })
  expect(watcher.closed).toBe(true)
})

test('close() without close: true leaves plain waits and watchers on the descriptor alone', async () => {
  const { file, fd, peer } = reading()
  const wait = readable(fd)
  const watcher = watch(fd, READABLE)
  const next = watcher[Symbol.asyncIterator]().next()
  await file.close()
  c.write(peer)
  expect(await wait).toBe(true)
  expect(await next).toMatchObject({ value: READABLE })
  watcher.close()
})

test('close() twice is close() once', async () => {
  const [a] = parked.pipe()
  const file = asyncFd(a, { close: true })
  await file.close()
  await file.close()
  await file[Symbol.asyncDispose]()
})

test('close() with close: true rejects with EBADF where the descriptor was closed by somebody else', async () => {
  const [a] = parked.pipe()
  const file = asyncFd(a, { close: true })
  c.close(a)
  expect(await failure(file.close())).toMatchObject({ code: 'EBADF', syscall: 'close' })
})

test('use after close rejects with EBADF, or throws it', async () => {
  const { file } = connected()
  await file.close()
  const calls = [
    () => file.read(new Uint8Array(1)),
    () => file.read(new Uint8Array(0)),
    () => file.write(bytes('x')),
    () => file.readable(),
    () => file.writable(0),
    () => file[Symbol.asyncIterator]().next(),
  ]
  for (const call of calls) expect(await failure(call())).toMatchObject({ name: 'FdError', code: 'EBADF' })
  for (const call of [() => file.duplex(), () => file.web()]) {
    expect(call).toThrow(expect.objectContaining({ code: 'EBADF' }))
  }
})

test('a read of a regular file that is pending at close() rejects, and the number may mean another file at once', async () => {
  const fd = parked.park(c.dup(openPath(import.meta.filename, 'r')))
  const file = asyncFd(fd)
  const buffer = new Uint8Array(5)
  const read = failure(file.read(buffer))
  await file.close()
  const [r, w] = pipe()
  parked.replace(fd, r)
  c.write(w, 'other')
  expect(await read).toMatchObject({ code: 'EBADF' })
  expect(text(c.read(r) as Uint8Array)).toBe('other')
})

test('a write to a regular file that is pending at close() rejects', async () => {
  const file = asyncFd(openPath('/dev/null', 'w'))
  const write = failure(file.write(bytes('x')))
  await file.close()
  expect(await write).toMatchObject({ code: 'EBADF' })
})

describe('a signal', () => {
  test('of the constructor closes the object: what is pending rejects with AbortError', async () => {
    const abort = new AbortController()
    const { file, fd } = connected({ signal: abort.signal })
    const failures = everything(file)
    abort.abort(new Error('over'))
    for (const error of await Promise.all(failures)) {
      expect(error).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: { message: 'over' } })
    }
    expect(file.closed).toBe(true)
    expect(c.isOpen(fd)).toBe(true)
  })

  test('of the constructor with close: true closes the descriptor', () => {
    const abort = new AbortController()
    const [a] = parked.pipe()
    asyncFd(a, { close: true, signal: abort.signal })
    abort.abort()
    expect(c.isOpen(a)).toBe(false)
  })

  test('of the constructor ends a read of a regular file', async () => {
    const abort = new AbortController()
    const file = asyncFd(openPath(import.meta.filename, 'r'), { signal: abort.signal })
    const read = failure(file.read(new Uint8Array(5)))
    abort.abort()
    expect(await read).toMatchObject({ code: 'ABORT_ERR' })
  })

  test('of the constructor, aborted before: throws AbortError and leaves nothing', () => {
    const [r] = pipe()
    const create = () => new AsyncFd(r, { signal: AbortSignal.abort(new Error('before')) })
    expect(create).toThrow(expect.objectContaining({ code: 'ABORT_ERR', cause: new Error('before') }))
    expect(statistics()).toMatchObject({ streams: 0, registered: 0 })
  })

  test('of the constructor, aborted when the descriptor has gone already: rejects nowhere', async () => {
    const abort = new AbortController()
    const [a] = parked.pipe()
    const file = asyncFd(a, { close: true, signal: abort.signal })
    const unhandled: unknown[] = []
    const note = (reason: unknown) => void unhandled.push(reason)
    const others = process.listeners('unhandledRejection')
    process.removeAllListeners('unhandledRejection').on('unhandledRejection', note)
    c.close(a)
    abort.abort()
    await turns()
    process.off('unhandledRejection', note)
    for (const other of others) process.on('unhandledRejection', other)
    expect(file.closed).toBe(true)
    expect(unhandled).toEqual([])
  })

  test('of a read ends that read alone, and takes no data', async () => {
    const { file, peer } = reading()
    const abort = new AbortController()
    const first = failure(file.read(new Uint8Array(10), null, { signal: abort.signal }))
    const second = file.read(new Uint8Array(10))
    await turns()
    abort.abort('reason')
    expect(await first).toMatchObject({ code: 'ABORT_ERR', cause: 'reason' })
    c.write(peer, 'kept')
    expect(await second).toBe(4)
  })

  test('aborted before the call: no data is taken', async () => {
    const { file, peer } = reading()
    c.write(peer, 'kept')
    expect(await failure(file.read(new Uint8Array(10), null, { signal: AbortSignal.abort() }))).toMatchObject({
      code: 'ABORT_ERR',
    })
    expect(await file.read(new Uint8Array(10))).toBe(4)
  })

  test('of what is done at once is let go', async () => {
    const { file, peer } = connected()
    const { signal } = new AbortController()
    const listeners = () => getEventListeners(signal, 'abort').length
    for (let i = 0; i < 10; i += 1) {
      c.write(peer)
      expect(await file.read(new Uint8Array(1), null, { signal })).toBe(1)
      expect(await file.write(bytes('x'), null, { signal })).toBe(1)
    }
    expect(await file.read(new Uint8Array(1), 0.001, { signal })).toBe(WOULD_BLOCK)
    expect(listeners()).toBe(0)
  })

  test('of a write in the middle lets the next one follow', async () => {
    const { file, peer } = connected()
    const abort = new AbortController()
    const first = failure(file.write(new Uint8Array(MIB).fill(1), null, { signal: abort.signal }))
    const second = file.write(bytes('next'))
    await turns()
    abort.abort()
    const { bytesWritten } = await first
    const came = c.read(peer, bytesWritten) as Uint8Array
    let rest = came.length
    while (rest < bytesWritten) rest += (c.read(peer, bytesWritten - rest) as Uint8Array).length
    expect(await second).toBe(4)
    expect(text(c.read(peer) as Uint8Array)).toBe('next')
  })
})

describe('a descriptor closed without a word', () => {
  test('and not used again: a pending read ends at its timeout, with EBADF', async () => {
    const [r] = parked.pipe()
    const file = asyncFd(r)
    const read = failure(file.read(new Uint8Array(1), 0.05))
    c.close(r)
    expect(await read).toMatchObject({ code: 'EBADF', fd: r })
    expect(await failure(file.read(new Uint8Array(1)))).toMatchObject({ code: 'EBADF' })
    expect(await failure(file.readable())).toMatchObject({ code: 'EBADF' })
  })

  test('whose number is used again: a pending read takes nothing of the new object, and ends with EBADF', async () => {
    const [r] = parked.pipe()
    const [other, w] = pipe()
    const file = asyncFd(r)
    const buffer = new Uint8Array(10)
    const read = failure(file.read(buffer, 0.1))
    parked.replace(r, other)
    c.write(w, 'not yours')
    expect(await read).toMatchObject({ code: 'EBADF', fd: r })
    expect(text(c.read(other) as Uint8Array)).toBe('not yours')
    expect(buffer.every((byte) => byte === 0)).toBe(true)
  })

  test('costs no CPU, whatever becomes of the number', async () => {
    const [r, w] = parked.pipe()
    const file = asyncFd(r)
    const read = watched(file.read(new Uint8Array(1)))
    parked.replace(r, pipe()[0])
    c.close(w)
    expect(await parked.idleCpu()).toBeLessThan(parked.GENEROUS)
    await file.close()
    await turns()
    expect(read.state).toBe('rejected')
  })

  test('can be closed here all the same, and the number served anew', async () => {
    const [r] = parked.pipe()
    const file = asyncFd(r)
    const read = failure(file.read(new Uint8Array(1)))
    const [other, w] = pipe()
    parked.replace(r, other)
    await file.close()
    expect(await read).toMatchObject({ code: 'EBADF' })
    const fresh = asyncFd(r)
    const next = fresh.read(new Uint8Array(4))
    c.write(w, 'new')
    expect(await next).toBe(3)
  })

  test('a new AsyncFd on the number is served while the old one is still open', async () => {
    const [r] = parked.pipe()
    const old = asyncFd(r)
    const read = watched(old.read(new Uint8Array(4)))
    const [other, w] = pipe()
    parked.replace(r, other)
    const fresh = asyncFd(r)
    const next = fresh.read(new Uint8Array(4))
    c.write(w, 'new')
    expect(await next).toBe(3)
    await old.close()
    await turns()
    expect(read.state).toBe('rejected')
  })
})

test('1,000 AsyncFds opened, used and closed leave nothing', async () => {
  const { file: first } = reading()
  await first.readable(0)
  const before = statistics()
  for (let i = 0; i < 1000; i += 1) {
    const [a, b] = socketpair()
    const file = new AsyncFd(a, { close: i % 2 === 0 })
    const read = failure(file.read(new Uint8Array(1)))
    if (i % 3 === 0) await setImmediate()
    await file.close()
    await read
    if (i % 2) close(a)
    close(b)
  }
  expect(statistics()).toEqual(before)
})

// Over libkqueue pollers are nested too deeply for so many.
const libkqueue = platform().backend === 'kqueue' && process.platform === 'linux'
test.skipIf(libkqueue)('50 AsyncFds on one descriptor are all served', async () => {
  const [r, w] = pipe()
  const waits: Promise<boolean>[] = []
  for (let i = 0; i < 50; i += 1) waits.push(asyncFd(r).readable())
  c.write(w)
  expect(new Set(await Promise.all(waits))).toEqual(new Set([true]))
})

describe('garbage collection', () => {
  const collectGarbage = async () => {
    for (let i = 0; i < 3; i += 1) {
      globalThis.gc?.()
      await setImmediate()
    }
  }

  test('a dropped AsyncFd gives its registration back', async () => {
    const fds = Array.from({ length: 20 }, () => pipe()[0])
    ;(() => fds.forEach((fd) => new AsyncFd(fd)))()
    expect(statistics().streams).toBe(20)
    await eventually(() => {
      globalThis.gc?.()
      return statistics().streams
    }).toBe(0)
    expect(fds.every(c.isOpen)).toBe(true)
  })

  test('a pending read keeps the object and the buffer', async () => {
    const [r, w] = pipe()
    let result: unknown
    ;(() => {
      const buffer = new Uint8Array(100)
      new AsyncFd(r).read(buffer).then((count) => (result = text(buffer, count)))
    })()
    await collectGarbage()
    c.write(w, 'still here')
    await eventually(() => result).toBe('still here')
    await eventually(() => {
      globalThis.gc?.()
      return statistics().streams
    }).toBe(0)
  })

  test('a pending write keeps the object and the buffer', async () => {
    const [a, b] = socketpair()
    let result: unknown
    ;(() => new AsyncFd(a).write(new Uint8Array(MIB)).then((count) => (result = count)))()
    await collectGarbage()
    await eventually(() => (c.drain(b), result)).toBe(MIB)
    await eventually(() => {
      globalThis.gc?.()
      return statistics().streams
    }).toBe(0)
  })
})

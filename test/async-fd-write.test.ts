import { statistics } from 'fdevent'
import { describe, expect, test } from 'vitest'
import {
  asyncFd,
  bytes,
  collect,
  connected,
  failure,
  MIB,
  narrow,
  random,
  terminal,
  text,
} from './helpers/async-fds.js'
import * as c from './helpers/libc.js'
import { close, cpuSeconds, openPath, pipe, socketpair, tcpPair, turns, watched } from './helpers/owned.js'
import { makeRaw, sealedFile } from './helpers/rare.js'

/** Reads from a raw descriptor, now and then, until so much has come. */
async function slowly(fd: number, length: number): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for (let total = 0; total < length;) {
    const data = c.read(fd, 10_000)
    if (data === null) await new Promise(setImmediate)
    else if (data.length === 0) break
    else {
      total += data.length
      parts.push(data.slice())
    }
  }
  return Buffer.concat(parts)
}

describe('all of it', () => {
  const pairs: Record<string, () => c.Pair> = {
    'a pipe': () => pipe().toReversed() as c.Pair,
    'a UNIX socket': () => socketpair(),
    'a UNIX socket with tiny buffers': narrow,
    'a TCP socket': tcpPair,
  }
  for (const [kind, make] of Object.entries(pairs)) {
    test(`goes through ${kind}, however slowly it is read`, async () => {
      const [a, b] = make()
      const data = random(MIB)
      const read = slowly(b, MIB)
      expect(await asyncFd(a).write(data)).toBe(MIB)
      expect(Buffer.compare(await read, data)).toBe(0)
    })

    test(`concurrent writes to ${kind} arrive one after the other`, async () => {
      const [a, b] = make()
      const file = asyncFd(a)
      const parts = [random(MIB), random(MIB), bytes('small'), random(MIB)]
      const read = slowly(b, 3 * MIB + 5)
      const counts = await Promise.all(parts.map((part) => file.write(part)))
      expect(counts).toEqual(parts.map((part) => part.length))
      expect(Buffer.compare(await read, Buffer.concat(parts))).toBe(0)
    })
  }

  test('goes at once where there is room, before any turn of the loop', async () => {
    const { file, peer } = connected()
    let turned = false
    setImmediate(() => (turned = true))
    expect(await file.write(bytes('hello'))).toBe(5)
    expect(turned).toBe(false)
    expect(text(c.read(peer) as Uint8Array)).toBe('hello')
  })

  test('of an empty buffer is nothing, at once', async () => {
    const { file, fd } = connected()
    c.fill(fd)
    expect(await file.write(new Uint8Array(0))).toBe(0)
  })

  test('of a subarray is that part', async () => {
    const { file, peer } = connected()
    expect(await file.write(bytes('abcdef').subarray(2, 4))).toBe(2)
    expect(text(c.read(peer) as Uint8Array)).toBe('cd')
  })

  test('of shared memory is what it holds', async () => {
    const { file, peer } = connected()
    const shared = new Uint8Array(new SharedArrayBuffer(8), 2, 4)
    shared.set(bytes('mine'))
    expect(await file.write(shared)).toBe(4)
    expect(text(c.read(peer) as Uint8Array)).toBe('mine')
  })

  test('goes in both directions at once', async () => {
    const [a, b] = narrow()
    const [one, other] = [asyncFd(a), asyncFd(b)]
    const [there, back] = [random(MIB), random(MIB)]
    const [, , gotThere, gotBack] = await Promise.all([
      one.write(there),
      other.write(back),
      collect(other, MIB),
      collect(one, MIB),
    ])
    expect(Buffer.compare(gotThere, there)).toBe(0)
    expect(Buffer.compare(gotBack, back)).toBe(0)
  })

  test('goes to a datagram socket whose peer has a full queue', async () => {
    const [a, b] = socketpair('dgram')
    const file = asyncFd(a)
    let sent = 0
    for (; c.write(a, 'x') !== null; sent += 1);
    const write = file.write(bytes('last'))
    await turns()
    for (let i = 0; i < sent; i += 1) c.read(b)
    expect(await write).toBe(4)
    expect(text(c.read(b) as Uint8Array)).toBe('last')
  })
})

describe('a timeout', () => {
  test('says how much went', async () => {
    const { file, peer } = connected()
    const data = random(MIB)
    const start = performance.now()
    const count = await file.write(data, 0.05)
    expect(performance.now() - start).toBeGreaterThanOrEqual(50)
    expect(count).toBeGreaterThan(0)
    expect(count).toBeLessThan(MIB)
    expect(Buffer.compare(await slowly(peer, count), data.subarray(0, count))).toBe(0)
    expect(c.read(peer)).toBeNull()
  })

  test('of 0 writes what there is room for', async () => {
    const { file, peer } = connected()
    const count = await file.write(new Uint8Array(MIB), 0)
    expect(count).toBeGreaterThan(0)
    expect(count).toBe(c.drain(peer))
  })

  test('of 0 sees the room that came in this very turn', async () => {
    const { file, peer } = connected()
    await file.write(new Uint8Array(MIB), 0)
    c.drain(peer)
    expect(await file.write(bytes('hello'), 0)).toBe(5)
  })

  test('without any room resolves with 0', async () => {
    const { file, fd } = connected()
    c.fill(fd)
    expect(await file.write(bytes('hello'), 0.01)).toBe(0)
  })

  test('of a write that waits for its turn adds nothing in the middle of the one before it', async () => {
    const { file, peer } = connected()
    const ROOM = 65_536
    const first = new Uint8Array(MIB).fill(1)
    const writing = watched(file.write(first))
    const waiting = file.write(new Uint8Array(1000).fill(2), 0.05)
    // Room for some bytes, and not so much that the kernel calls the socket writable.
    c.read(peer, ROOM)
    expect(await waiting).toBe(0)
    expect(writing.state).toBe('pending')
    const rest = await slowly(peer, MIB - ROOM)
    expect(rest.every((byte) => byte === 1)).toBe(true)
    await expect.poll(() => writing.value).toBe(MIB)
  })

  test('of the write in front lets the next one begin', async () => {
    const { file, peer } = connected()
    const first = file.write(new Uint8Array(MIB).fill(1), 0.05)
    const second = file.write(bytes('next'))
    const count = await first
    await turns()
    const read = await slowly(peer, count + 4)
    expect(text(read.subarray(count))).toBe('next')
    expect(await second).toBe(4)
  })
})

describe('what an error says of the bytes that had gone', () => {
  test('a peer that goes in the middle', async () => {
    const { file, peer } = connected()
    const write = failure(file.write(random(MIB)))
    await turns()
    c.read(peer, 10_000)
    close(peer)
    const error = await write
    expect(error).toMatchObject({ name: 'FdError', code: 'EPIPE', syscall: 'write' })
    expect(error.bytesWritten).toBeGreaterThan(0)
    expect(error.bytesWritten).toBeLessThan(MIB)
  })

  test('a peer that had gone before: 0', async () => {
    const { file, peer } = connected()
    close(peer)
    expect(await failure(file.write(bytes('hello')))).toMatchObject({ code: 'EPIPE', bytesWritten: 0 })
  })

  test('a datagram that is too large: 0', async () => {
    const [a] = socketpair('dgram')
    expect(await failure(asyncFd(a).write(new Uint8Array(16 * MIB)))).toMatchObject({
      code: 'EMSGSIZE',
      bytesWritten: 0,
    })
  })

  test('a peer that resets the connection', async () => {
    const [a, b] = tcpPair()
    const write = failure(asyncFd(a).write(new Uint8Array(32 * MIB)))
    await turns()
    c.resetOnClose(b)
    close(b)
    const error = await write
    expect(error.code).toBe('ECONNRESET')
    expect(error.bytesWritten).toBeGreaterThan(0)
    expect(error.bytesWritten).toBeLessThan(32 * MIB)
  })

  test('an abort in the middle', async () => {
    const { file, peer } = connected()
    const abort = new AbortController()
    const write = failure(file.write(random(MIB), null, { signal: abort.signal }))
    await turns()
    abort.abort(new Error('enough'))
    const error = await write
    expect(error).toMatchObject({ code: 'ABORT_ERR', cause: { message: 'enough' } })
    expect(error.bytesWritten).toBe(c.drain(peer))
    expect(error.bytesWritten).toBeGreaterThan(0)
  })

  test('an abort before its turn came: 0', async () => {
    const { file } = connected()
    const abort = new AbortController()
    const first = failure(file.write(random(MIB)))
    const second = failure(file.write(bytes('never'), null, { signal: abort.signal }))
    abort.abort()
    expect(await second).toMatchObject({ code: 'ABORT_ERR', bytesWritten: 0 })
    await file.close()
    expect((await first).bytesWritten).toBeGreaterThan(0)
  })

  test('an abort before the call: 0', async () => {
    const { file, peer } = connected()
    const error = await failure(file.write(bytes('never'), null, { signal: AbortSignal.abort() }))
    expect(error).toMatchObject({ code: 'ABORT_ERR', bytesWritten: 0 })
    expect(c.read(peer)).toBeNull()
  })

  test('an abort of a write that went in full and is still to be told', async () => {
    const { file, peer } = connected()
    // A turn carries only so many at once; the last of these is told in the next.
    const writes = Array.from({ length: 200 }, () => watched(file.write(bytes('12345'))))
    const abort = new AbortController()
    const write = file.write(bytes('12345'), null, { signal: abort.signal })
    const outcome = write.catch((error: { bytesWritten: number }) => error.bytesWritten)
    abort.abort()
    expect(await outcome).toBe(5)
    expect(c.drain(peer)).toBe(201 * 5)
    await expect.poll(() => writes.every(({ value }) => value === 5)).toBe(true)
  })

  test('close() in the middle', async () => {
    const { file, peer } = connected()
    const write = failure(file.write(random(MIB)))
    await turns()
    await file.close()
    const error = await write
    expect(error).toMatchObject({ name: 'FdError', code: 'EBADF' })
    expect(error.bytesWritten).toBe(c.drain(peer))
  })

  test('a regular file that takes only a part', async () => {
    const file = asyncFd(sealedFile(8192))
    expect(await failure(file.write(new Uint8Array(10_000)))).toMatchObject({ code: 'EPERM', bytesWritten: 8192 })
  })

  test('a device that is full: 0', async () => {
    const file = asyncFd(openPath('/dev/full', 'w'))
    expect(await failure(file.write(bytes('hello')))).toMatchObject({ code: 'ENOSPC', bytesWritten: 0 })
  })
})

test('a write to a closed peer raises no signal, and its waits are gone', async () => {
  const { file, peer } = connected()
  close(peer)
  const raised: string[] = []
  process.once('SIGPIPE', (name) => raised.push(name))
  expect(await failure(file.write(bytes('hello')))).toMatchObject({ code: 'EPIPE' })
  await turns()
  expect(raised).toEqual([])
  process.removeAllListeners('SIGPIPE')
  expect(statistics().waits).toBe(0)
})

describe('a terminal', () => {
  test('whose program does not read takes what fits, and waiting for the rest costs next to no CPU', async () => {
    const { master, slave } = terminal()
    makeRaw(slave)
    const file = asyncFd(master)
    let count = 0
    const cpu = await cpuSeconds(async () => {
      count = await file.write(random(MIB), 1)
    })
    expect(count).toBeGreaterThan(0)
    expect(count).toBeLessThan(MIB)
    expect(cpu).toBeLessThan(0.5)
  })

  test('takes a megabyte, byte for byte, while its program reads', async () => {
    const { master, slave } = terminal()
    makeRaw(slave)
    const data = random(MIB)
    const reader = asyncFd(slave)
    const read = collect(reader, MIB)
    expect(await asyncFd(master).write(data)).toBe(MIB)
    expect(Buffer.compare(await read, data)).toBe(0)
  })
})

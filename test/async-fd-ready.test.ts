import fc from 'fast-check'
import { readable, statistics } from 'fdevent'
import { type AsyncFd, dup, read, WOULD_BLOCK, write } from 'fdevent/io'
import { describe, expect, test } from 'vitest'
import { asyncFd, connected, failure, narrow, reading, terminal } from './helpers/async-fds.js'
import * as c from './helpers/libc.js'
import { packetPipe } from './helpers/rare.js'
import { close, openPath, own, pipe, socketpair, tcpPair, turns, watched } from './helpers/owned.js'

const seed = Number(process.env.FDEVENT_SEED ?? Date.now() % 2 ** 31)
const runs = Number(process.env.FDEVENT_RUNS ?? 60)

/** What select(2) says of a descriptor, asked about both directions as readable() and writable() do. */
const oracle = (fd: number) => ({
  readable: c.select([fd], [], []).readable.length + c.select([], [], [fd]).exceptional.length > 0,
  writable: c.select([], [fd], []).writable.length + c.select([], [], [fd]).exceptional.length > 0,
})
const now = async (file: AsyncFd) => ({ readable: await file.readable(0), writable: await file.writable(0) })

test('readable() is true again while a byte remains, and false after the last', async () => {
  const { file, fd, peer } = reading()
  c.write(peer, 'ab')
  const buffer = new Uint8Array(1)
  for (let i = 0; i < 2; i += 1) {
    expect(await file.readable()).toBe(true)
    expect(await file.readable()).toBe(true)
    expect(read(fd, buffer)).toBe(1)
  }
  expect(await file.readable(0.02)).toBe(false)
})

test('readable() is true while a byte remains after a read by the object itself', async () => {
  const { file, peer } = reading()
  c.write(peer, 'ab')
  expect(await file.read(new Uint8Array(1))).toBe(1)
  expect(await file.readable()).toBe(true)
})

test('readable() does not believe what others have read meanwhile', async () => {
  const { file, fd, peer } = reading()
  c.write(peer, 'abc')
  expect(await file.readable()).toBe(true)
  c.drain(fd)
  expect(await file.readable(0.02)).toBe(false)
  const wait = file.readable()
  await turns()
  c.write(peer)
  expect(await wait).toBe(true)
})

test('readable() with data that others read before the loop turns goes on waiting', async () => {
  const { file, fd, peer } = reading()
  const wait = watched(file.readable(10))
  c.write(peer)
  c.drain(fd)
  await turns()
  expect(wait.state).toBe('pending')
  c.write(peer)
  await expect.poll(() => wait.value).toBe(true)
})

test('writable() is false while the buffer is full, and true when the peer has drained it', async () => {
  const { file, fd, peer } = connected()
  expect(await file.writable()).toBe(true)
  c.fill(fd)
  expect(await file.writable(0)).toBe(false)
  const wait = file.writable()
  await turns()
  c.drain(peer)
  expect(await wait).toBe(true)
})

test('writable() does not believe what was so before others filled the buffer', async () => {
  const { file, fd } = connected()
  expect(await file.writable()).toBe(true)
  c.fill(fd)
  expect(await file.writable(0.02)).toBe(false)
})

test('the read end of a pipe never is writable, not even after its writer has gone', async () => {
  const { file, fd, peer } = reading()
  expect(await file.writable(0.01)).toBe(false)
  close(peer)
  await turns()
  expect(await file.writable(0.01)).toBe(oracle(fd).writable)
  expect(await file.writable(0.01)).toBe(false)
})

test('the write end of a pipe whose reader has gone is readable and writable, as select(2) has it', async () => {
  const [r, w] = pipe()
  const file = asyncFd(w)
  expect(await file.readable(0.01)).toBe(false)
  close(r)
  expect(oracle(w)).toEqual({ readable: true, writable: true })
  expect([await file.readable(), await file.writable()]).toEqual([true, true])
})

test('urgent data answers readable() and writable()', async () => {
  const [a, b] = tcpPair()
  const file = asyncFd(a)
  c.fill(a)
  const waits = [file.readable(), file.writable()]
  await turns()
  c.sendOutOfBand(b)
  expect(await Promise.all(waits)).toEqual([true, true])
})

test('a timeout of 0 asks about this moment', async () => {
  const { file, fd, peer } = connected()
  for (let i = 0; i < 3; i += 1) {
    expect(await now(file)).toEqual({ readable: false, writable: true })
    c.write(peer)
    expect(await file.readable(0)).toBe(true)
    c.drain(fd)
  }
})

test('a timeout that passes is never early', async () => {
  const { file } = reading()
  const start = performance.now()
  expect(await file.readable(0.0503)).toBe(false)
  expect(performance.now() - start).toBeGreaterThanOrEqual(50.3)
})

test('options are accepted in second place', async () => {
  const { file } = reading()
  const abort = new AbortController()
  const wait = failure(file.readable({ signal: abort.signal }))
  abort.abort()
  expect(await wait).toMatchObject({ code: 'ABORT_ERR' })
})

test('ten waits on one byte are all answered', async () => {
  const { file, peer } = reading()
  const waits = Array.from({ length: 10 }, () => file.readable())
  await turns()
  c.write(peer)
  expect(await Promise.all(waits)).toEqual(Array(10).fill(true))
})

test('another AsyncFd on the same descriptor that reads everything leaves this one exact', async () => {
  const [r, w] = pipe()
  const [one, other] = [asyncFd(r), asyncFd(r)]
  for (let i = 0; i < 5; i += 1) {
    const wait = one.readable()
    c.write(w, 'abc')
    expect(await wait).toBe(true)
    expect(await other.read(new Uint8Array(10))).toBe(3)
    expect(await one.readable(0)).toBe(false)
    expect(await one.readable(0.005)).toBe(false)
  }
})

test('the function readable() and the method agree on one descriptor', async () => {
  const { file, fd, peer } = reading()
  const waits = [file.readable(), readable(fd)]
  c.write(peer)
  expect(await Promise.all(waits)).toEqual([true, true])
  c.drain(fd)
  expect([await file.readable(0.005), await readable(fd, 0.005)]).toEqual([false, false])
})

test('a regular file always is readable and writable', async () => {
  const file = asyncFd(openPath(import.meta.filename, 'r'))
  expect(await now(file)).toEqual({ readable: true, writable: true })
  expect([await file.readable(), await file.writable()]).toEqual([true, true])
})

describe('beside select(2)', () => {
  const kinds: Record<string, () => [number, number]> = {
    pipe,
    'a pipe in packet mode': packetPipe,
    'UNIX sockets': socketpair,
    'narrow UNIX sockets': narrow,
    'datagram sockets': () => socketpair('dgram'),
    'TCP sockets': tcpPair,
  }
  type Step = (ends: { fd: number; peer: number; file: AsyncFd; buffer: Uint8Array }) => unknown
  const forgiving =
    (step: Step): Step =>
    async (ends) => {
      try {
        await step(ends)
      } catch (error) {
        expect(['EPIPE', 'ECONNRESET', 'EBADF', 'ENOTCONN', 'EAGAIN']).toContain((error as { code: unknown }).code)
      }
    }
  const steps: Record<string, Step> = {
    'the peer writes': ({ peer }) => write(peer, new Uint8Array(100)),
    'the peer writes much': ({ peer }) => write(peer, new Uint8Array(100_000)),
    'the peer drains': ({ peer }) => void c.drain(peer),
    'read behind its back': ({ fd }) => read(fd, new Uint8Array(50)),
    'drain behind its back': ({ fd }) => void c.drain(fd),
    'read little': ({ file, buffer }) => file.read(buffer.subarray(0, 30), 0),
    'read much': ({ file, buffer }) => file.read(buffer, 0),
    'write much': ({ file, buffer }) => file.write(buffer, 0),
    'write little': ({ file, buffer }) => file.write(buffer.subarray(0, 10), 0),
    'fill behind its back': ({ fd }) => void c.fill(fd),
    'let the loop turn': () => turns(1),
  }
  for (const [kind, make] of Object.entries(kinds)) {
    test(`a random program on ${kind} finds readable() and writable() exact (FDEVENT_SEED=${seed})`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(fc.constantFrom(...Object.keys(steps)), { maxLength: 25 }), async (program) => {
          const ends = make()
          const [fd, peer] = ends
          const file = asyncFd(fd)
          for (const name of program) {
            await forgiving(steps[name] as Step)({ fd, peer, file, buffer: new Uint8Array(100_000) })
            const is = oracle(fd)
            // What is so needs no timeout, at whose end a wait would look once more.
            expect(await file.readable(is.readable ? null : 0.001), `readable after: ${name}`).toBe(is.readable)
            expect(await file.writable(is.writable ? null : 0.001), `writable after: ${name}`).toBe(is.writable)
            expect(await now(file), `timeout 0 after: ${name}`).toEqual(is)
            await turns(1)
          }
          await file.close()
          for (const end of ends) close(end)
        }),
        { seed, numRuns: runs, timeout: 5000 },
      )
    }, 60_000)
  }
})

test('a reader of a terminal sees each line, and its end when the other side closes', async () => {
  const { master, slave } = terminal()
  const file = asyncFd(master)
  for (const line of ['one', 'two']) {
    const wait = file.readable()
    c.write(slave, line)
    expect(await wait).toBe(true)
    c.drain(master)
    expect(await file.readable(0)).toBe(false)
  }
  close(slave)
  expect(await file.readable()).toBe(true)
})

test('a duplicate has a registration of its own', async () => {
  const { file, fd, peer } = reading()
  const second = own(dup(fd))
  const other = asyncFd(second)
  expect(statistics()).toMatchObject({ streams: 2, registered: 2 })
  const waits = [file.readable(), other.readable()]
  c.write(peer)
  expect(await Promise.all(waits)).toEqual([true, true])
  await file.close()
  expect(await other.read(new Uint8Array(4))).toBe(1)
  expect(await other.read(new Uint8Array(4), 0)).toBe(WOULD_BLOCK)
})

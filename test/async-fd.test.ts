// Without timeouts wherever data must come: at its deadline a wait looks once more, and would find what it had missed.
import { setTimeout as sleep } from 'node:timers/promises'
import { READABLE, readable, statistics, watch } from 'fdevent'
import { AsyncFd, WOULD_BLOCK } from 'fdevent/io'
import { describe, expect, test } from 'vitest'
import { asyncFd, bytes, collect, connected, failure, MIB, random, reading, text } from './helpers/async-fds.js'
import * as c from './helpers/libc.js'
import { close, closedNumber, eventually, pipe, own, socketpair, tcpPair, turns, watched } from './helpers/owned.js'

const pairs = { pipe: () => pipe(), 'UNIX socket': () => socketpair(), 'TCP socket': () => tcpPair() }

describe('read', () => {
  for (const [kind, make] of Object.entries(pairs)) {
    test(`from a ${kind} takes what is there before any turn of the loop`, async () => {
      const [r, w] = make()
      c.write(w, 'hello')
      await readable(r, 10)
      const file = asyncFd(r)
      const buffer = new Uint8Array(10)
      let turned = false
      setImmediate(() => (turned = true))
      expect(await file.read(buffer)).toBe(5)
      expect(text(buffer, 5)).toBe('hello')
      expect(turned).toBe(false)
    })

    test(`from an empty ${kind} waits for the data`, async () => {
      const [r, w] = make()
      const file = asyncFd(r)
      const buffer = new Uint8Array(10)
      const read = file.read(buffer)
      await turns()
      expect(statistics()).toMatchObject({ waits: 1, streams: 1 })
      c.write(w, 'hello')
      expect(await read).toBe(5)
      expect(text(buffer, 5)).toBe('hello')
    })

    test(`from a ${kind} returns 0 at its end, again and again`, async () => {
      const [r, w] = make()
      const file = asyncFd(r)
      const read = file.read(new Uint8Array(10))
      close(w)
      expect(await read).toBe(0)
      expect(await file.read(new Uint8Array(10))).toBe(0)
      expect(await file.read(new Uint8Array(10), 0)).toBe(0)
    })

    test(`data and end of a ${kind} that come together are read one after the other`, async () => {
      const [r, w] = make()
      const file = asyncFd(r)
      const buffer = new Uint8Array(100)
      const read = file.read(buffer)
      await turns()
      c.write(w, 'the last words')
      close(w)
      expect(await read).toBe(14)
      expect(await file.read(buffer)).toBe(0)
    })

    test(`the end of a ${kind} that comes after a short read ends the next one`, async () => {
      const [r, w] = make()
      const file = asyncFd(r)
      const buffer = new Uint8Array(100)
      c.write(w, 'one')
      expect(await file.read(buffer)).toBe(3)
      const read = file.read(buffer)
      await turns()
      close(w)
      expect(await read).toBe(0)
    })

    test(`from a ${kind} in pieces smaller than what came loses nothing`, async () => {
      const [r, w] = make()
      const file = asyncFd(r)
      const data = random(1000)
      const first = file.read(new Uint8Array(0))
      c.write(w, data)
      close(w)
      expect(await first).toBe(0)
      expect(await collect(file, Infinity, 7)).toEqual(Buffer.from(data))
    })
  }

  test('resolves with WOULD_BLOCK when the time has passed, and not early', async () => {
    const { file, peer } = reading()
    const start = performance.now()
    expect(await file.read(new Uint8Array(1), 0.05)).toBe(WOULD_BLOCK)
    expect(performance.now() - start).toBeGreaterThanOrEqual(50)
    c.write(peer)
    expect(await file.read(new Uint8Array(1), 0.05)).toBe(1)
  })

  test('with timeout 0 tells the present state', async () => {
    const { file, peer } = reading()
    const buffer = new Uint8Array(1)
    expect(await file.read(buffer, 0)).toBe(WOULD_BLOCK)
    c.write(peer, 'a')
    await turns()
    expect(await file.read(buffer, 0)).toBe(1)
    expect(await file.read(buffer, 0)).toBe(WOULD_BLOCK)
  })

  test('with timeout 0 sees data that came in this very turn, when nothing was known before', async () => {
    const { file, peer } = reading()
    c.write(peer, 'a')
    expect(await file.read(new Uint8Array(1), 0)).toBe(1)
  })

  test('with timeout 0 sees data that came in this very turn, after a read that found none', async () => {
    const { file, peer } = reading()
    expect(await file.read(new Uint8Array(1), 0)).toBe(WOULD_BLOCK)
    c.write(peer, 'a')
    expect(await file.read(new Uint8Array(1), 0)).toBe(1)
  })

  test('into an empty buffer returns 0 at once and takes nothing', async () => {
    const { file, peer } = reading()
    expect(await file.read(new Uint8Array(0))).toBe(0)
    c.write(peer, 'a')
    expect(await file.read(new Uint8Array(0))).toBe(0)
    expect(await file.read(new Uint8Array(4))).toBe(1)
  })

  test('fills the part of memory that a subarray names, and nothing else', async () => {
    const { file, peer } = reading()
    const whole = new Uint8Array(8).fill(46)
    const read = file.read(whole.subarray(2, 5))
    c.write(peer, 'abcdef')
    expect(await read).toBe(3)
    expect(text(whole)).toBe('..abc...')
  })

  test('fills a Buffer out of the pool', async () => {
    const { file, peer } = reading()
    const buffer = Buffer.allocUnsafe(16)
    expect(buffer.buffer.byteLength).toBeGreaterThan(16)
    const read = file.read(buffer)
    c.write(peer, 'pool')
    expect(text(buffer, await read)).toBe('pool')
  })

  test('fills shared memory', async () => {
    const { file, peer } = reading()
    const shared = new Uint8Array(new SharedArrayBuffer(16), 4, 8)
    const read = file.read(shared)
    c.write(peer, 'shared')
    expect(await read).toBe(6)
    expect(text(Uint8Array.from(shared), 6)).toBe('shared')
  })

  test('several at once are served in their order', async () => {
    const { file, peer } = reading()
    const buffers = Array.from({ length: 5 }, () => new Uint8Array(2))
    const reads = buffers.map((buffer) => file.read(buffer))
    await turns()
    c.write(peer, 'aabbcc')
    await turns()
    c.write(peer, 'ddee')
    expect(await Promise.all(reads)).toEqual([2, 2, 2, 2, 2])
    expect(buffers.map((buffer) => text(buffer))).toEqual(['aa', 'bb', 'cc', 'dd', 'ee'])
  })

  test('several at once on one byte: the first has it, the others go on waiting', async () => {
    const { file, peer } = reading()
    const reads = [1, 2, 3].map(() => watched(file.read(new Uint8Array(4))))
    c.write(peer)
    await eventually(() => reads[0]?.state).toBe('resolved')
    await turns()
    expect(reads.map(({ state }) => state)).toEqual(['resolved', 'pending', 'pending'])
    await file.close()
    await turns()
  })

  test('several at once at the end: all get 0', async () => {
    const { file, peer } = reading()
    const reads = [1, 2, 3].map(() => file.read(new Uint8Array(4)))
    close(peer)
    expect(await Promise.all(reads)).toEqual([0, 0, 0])
  })

  test('does not overtake one that waits', async () => {
    const { file, peer } = reading()
    const [early, late] = [new Uint8Array(1), new Uint8Array(1)]
    const first = file.read(early)
    await turns()
    c.write(peer, 'ab')
    const second = file.read(late)
    expect(await Promise.all([first, second])).toEqual([1, 1])
    expect(text(early) + text(late)).toBe('ab')
  })

  test('that times out leaves its place to the next one', async () => {
    const { file, peer } = reading()
    const buffer = new Uint8Array(4)
    const short = file.read(new Uint8Array(4), 0.02)
    const long = file.read(buffer)
    expect(await short).toBe(WOULD_BLOCK)
    c.write(peer, 'kept')
    expect(await long).toBe(4)
    expect(text(buffer)).toBe('kept')
  })

  test('a peer that resets rejects with ECONNRESET', async () => {
    const [a, b] = tcpPair()
    const file = asyncFd(a)
    const read = failure(file.read(new Uint8Array(4)))
    c.resetOnClose(b)
    close(b)
    expect(await read).toMatchObject({ name: 'FdError', code: 'ECONNRESET', syscall: 'read', fd: a })
  })

  test('half-closed: data, then 0, while writing still works', async () => {
    const { file, peer } = connected()
    c.write(peer, 'bye')
    c.shutdown(peer, 'write')
    const buffer = new Uint8Array(64)
    expect(await file.read(buffer)).toBe(3)
    expect(await file.read(buffer)).toBe(0)
    expect(await file.write(bytes('still here'))).toBe(10)
    expect(text(c.read(peer) as Uint8Array)).toBe('still here')
  })

  test('of a megabyte in short reads comes to its end', async () => {
    const [a, b] = tcpPair()
    const file = asyncFd(a)
    const data = random(MIB)
    const writer = asyncFd(b)
    const written = writer.write(data).then(() => c.shutdown(b, 'write'))
    expect(Buffer.compare(await collect(file), data)).toBe(0)
    await written
  })
})

describe('the constructor', () => {
  test('of a closed number throws EBADF and leaves nothing', () => {
    const fd = closedNumber()
    expect(() => new AsyncFd(fd)).toThrow(expect.objectContaining({ name: 'FdError', code: 'EBADF', fd }))
    expect(statistics().streams).toBe(0)
  })

  const wrong: [string, unknown, unknown, string][] = [
    ['a fraction', 1.5, undefined, 'ERR_OUT_OF_RANGE'],
    ['a negative number', -1, undefined, 'ERR_OUT_OF_RANGE'],
    ['a string', '1', undefined, 'ERR_INVALID_ARG_TYPE'],
    ['options that are no object', 0, 'close', 'ERR_INVALID_ARG_TYPE'],
    ['close that is no boolean', 0, { close: 1 }, 'ERR_INVALID_ARG_TYPE'],
    ['a signal that is none', 0, { signal: {} }, 'ERR_INVALID_ARG_TYPE'],
  ]
  for (const [what, fd, options, code] of wrong) {
    test(`refuses ${what}`, () => {
      expect(() => new AsyncFd(fd as number, options as object)).toThrow(expect.objectContaining({ code }))
    })
  }

  test('takes an object with a descriptor', async () => {
    const [r, w] = pipe()
    const file = new AsyncFd({ fd: r })
    expect(file.fd).toBe(r)
    c.write(w)
    expect(await file.read(new Uint8Array(1))).toBe(1)
    await file.close()
  })
})

describe('arguments of read and write', () => {
  const wrong: [string, unknown[], string][] = [
    ['no buffer', [], 'ERR_INVALID_ARG_TYPE'],
    ['an ArrayBuffer', [new ArrayBuffer(1)], 'ERR_INVALID_ARG_TYPE'],
    ['a Uint16Array', [new Uint16Array(1)], 'ERR_INVALID_ARG_TYPE'],
    ['a string', ['text'], 'ERR_INVALID_ARG_TYPE'],
    ['a negative timeout', [new Uint8Array(1), -1], 'ERR_OUT_OF_RANGE'],
    ['NaN', [new Uint8Array(1), NaN], 'ERR_OUT_OF_RANGE'],
    ['a timeout that is a string', [new Uint8Array(1), '1'], 'ERR_INVALID_ARG_TYPE'],
    ['options that are a number', [new Uint8Array(1), 1, 1], 'ERR_INVALID_ARG_TYPE'],
    ['a signal that is none', [new Uint8Array(1), 1, { signal: 1 }], 'ERR_INVALID_ARG_TYPE'],
    ['ref that is no boolean', [new Uint8Array(1), 1, { ref: 1 }], 'ERR_INVALID_ARG_TYPE'],
  ]
  for (const [what, args, code] of wrong) {
    test(`${what}: they reject, and nothing is read or written`, async () => {
      const { file, peer } = connected()
      c.write(peer, 'x')
      for (const call of ['read', 'write'] as const) {
        expect(await failure((file[call] as (...all: unknown[]) => Promise<number>)(...args))).toMatchObject({ code })
      }
      expect(await file.read(new Uint8Array(4))).toBe(1)
      expect(c.read(peer)).toBeNull()
    })
  }
})

test('a loop over data that is always there starves neither timers nor others', async () => {
  const { file, peer } = connected()
  const { file: other, peer: otherPeer } = reading()
  const data = new Uint8Array(1)
  let rounds = 0
  let stop = false
  const loop = (async () => {
    while (!stop) {
      c.write(peer, data)
      await file.read(data)
      rounds += 1
    }
  })()
  const read = other.read(new Uint8Array(1))
  await sleep(5)
  c.write(otherPeer)
  expect(await read).toBe(1)
  stop = true
  await loop
  expect(rounds).toBeGreaterThan(0)
})

test('async iteration gives everything up to the end, in chunks of their own', async () => {
  const [r, w] = pipe()
  const file = asyncFd(r)
  const writer = asyncFd(w)
  const data = random(MIB)
  const written = writer.write(data).then(() => close(w))
  const chunks: Uint8Array[] = []
  for await (const chunk of file) chunks.push(chunk)
  await written
  expect(Buffer.compare(Buffer.concat(chunks), data)).toBe(0)
  expect(new Set(chunks.map(({ buffer }) => buffer)).size).toBe(chunks.length)
})

test('leaving an async iteration leaves the rest to be read', async () => {
  const { file, peer } = reading()
  c.write(peer, 'first')
  for await (const chunk of file) {
    expect(text(chunk)).toBe('first')
    break
  }
  c.write(peer, 'second')
  expect(await file.read(new Uint8Array(10))).toBe(6)
})

test('reads, plain waits, watchers, a second AsyncFd and a duplicate are independent of one another', async () => {
  const [r, w] = pipe()
  const duplicate = own(c.dup(r))
  const seen: number[] = []
  const watcher = watch(r, READABLE, (ready) => seen.push(ready), { mode: 'edge' })
  const waits = [asyncFd(r), asyncFd(r), asyncFd(duplicate)].map((file) => file.readable(10))
  waits.push(readable(r, 10), readable(duplicate, 10))
  await turns()
  c.write(w)
  expect(await Promise.all(waits)).toEqual(waits.map(() => true))
  await eventually(() => seen.length).toBe(1)
  watcher.close()
})

import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { closing, statistics } from 'fdevent'
import { close as closeFd } from 'fdevent/io'
import { describe, expect, test } from 'vitest'
import { asyncFd, duplexOf, everythingOf, MIB, random, terminal, text } from './helpers/async-fds.js'
import * as c from './helpers/libc.js'
import { close, eventually, openPath, pipe, socketpair, tcpPair, turns } from './helpers/owned.js'
import * as parked from './helpers/parked.js'

/** The names of a stream's events as they come. */
function events(stream: Duplex, ...names: string[]): string[] {
  const seen: string[] = []
  for (const name of names) stream.on(name, () => seen.push(name))
  return seen
}

describe('destroy', () => {
  test('ends what is pending and leaves the descriptor open', async () => {
    const [a] = socketpair()
    const stream = duplexOf(a)
    const seen = events(stream, 'error', 'end', 'close')
    stream.resume()
    const written = new Promise((resolve) => stream.write(random(MIB), resolve))
    await turns()
    stream.destroy()
    await once(stream, 'close')
    expect(await written).toBeInstanceOf(Error)
    expect(seen).toEqual(['close'])
    expect(statistics()).toMatchObject({ waits: 0, streams: 0 })
    expect(c.isOpen(a)).toBe(true)
  })

  test('closes the descriptor with close: true', async () => {
    const [a] = parked.pipe()
    const stream = asyncFd(a, { close: true }).duplex()
    stream.resume()
    stream.destroy()
    await once(stream, 'close')
    expect(c.isOpen(a)).toBe(false)
  })

  test('closes the AsyncFd', async () => {
    const file = asyncFd(socketpair()[0])
    const stream = file.duplex()
    stream.destroy()
    await once(stream, 'close')
    expect(file.closed).toBe(true)
  })

  test('with an error: error, then close', async () => {
    const stream = duplexOf(socketpair()[0])
    const seen = events(stream, 'error', 'close')
    stream.destroy(new Error('mine'))
    await eventually(() => seen).toEqual(['error', 'close'])
  })

  test('takes nothing that comes afterwards', async () => {
    const [a, b] = socketpair()
    const stream = duplexOf(a)
    stream.resume()
    await turns()
    stream.destroy()
    c.write(b, 'kept')
    await turns()
    expect(text(c.read(a) as Uint8Array)).toBe('kept')
  })
})

describe('errors', () => {
  test('a peer that resets: error ECONNRESET, then close', async () => {
    const [a, b] = tcpPair()
    const stream = duplexOf(a)
    const seen = events(stream, 'error', 'end', 'close')
    stream.resume()
    await turns()
    const error = once(stream, 'error')
    c.resetOnClose(b)
    close(b)
    expect((await error)[0]).toMatchObject({ name: 'FdError', code: 'ECONNRESET', fd: a })
    await eventually(() => seen).toEqual(['error', 'close'])
  })

  test('a peer that has gone: a write ends with EPIPE', async () => {
    const [a, b] = socketpair()
    const stream = duplexOf(a)
    close(b)
    const error = once(stream, 'error')
    stream.write('hello')
    expect((await error)[0]).toMatchObject({ code: 'EPIPE' })
    await eventually(() => stream.closed).toBe(true)
  })

  test('closing(fd) while it reads: error EBADF, then close', async () => {
    const [a] = socketpair()
    const stream = duplexOf(a)
    const seen = events(stream, 'error', 'end', 'close')
    stream.resume()
    await turns()
    const error = once(stream, 'error')
    closing(a)
    expect((await error)[0]).toMatchObject({ code: 'EBADF' })
    await eventually(() => seen).toEqual(['error', 'close'])
  })

  test('a descriptor closed by fdevent/io while nothing is pending: ending the stream touches no other object', async () => {
    const a = parked.park(c.dup(socketpair()[0]))
    const stream = duplexOf(a)
    closeFd(a)
    const [other, peer] = socketpair()
    parked.replace(a, other)
    stream.on('error', () => {})
    stream.end()
    await turns()
    expect(c.read(peer)).toBeNull()
    expect(c.write(other, 'works')).toBe(5)
    stream.destroy()
  })

  test('a signal of the constructor: AbortError', async () => {
    const abort = new AbortController()
    const stream = asyncFd(socketpair()[0], { signal: abort.signal }).duplex()
    stream.resume()
    const error = once(stream, 'error')
    await turns()
    abort.abort()
    expect((await error)[0]).toMatchObject({ code: 'ABORT_ERR' })
  })
})

describe('one-sided', () => {
  test('the read end of a pipe is readable and not writable, and ends by itself', async () => {
    const [r, w] = pipe()
    const stream = duplexOf(r)
    expect([stream.readable, stream.writable]).toEqual([true, false])
    c.write(w, 'hello')
    close(w)
    expect(String(await everythingOf(stream))).toBe('hello')
    await eventually(() => stream.closed).toBe(true)
    expect(statistics().streams).toBe(0)
  })

  test('the write end of a pipe is writable and not readable, and ends by itself', async () => {
    const [r, w] = pipe()
    const stream = duplexOf(w)
    expect([stream.readable, stream.writable]).toEqual([false, true])
    stream.end('hello')
    await once(stream, 'close')
    expect(text(c.read(r) as Uint8Array)).toBe('hello')
    expect(c.isOpen(w)).toBe(true)
  })

  test('with close: true the end of the write end is the end of the pipe', async () => {
    const [r, w] = parked.pipe()
    asyncFd(w, { close: true }).duplex().end('hello')
    expect(String(await everythingOf(duplexOf(r)))).toBe('hello')
    expect(c.isOpen(w)).toBe(false)
  })

  test('a regular file is read to its end', async () => {
    const stream = duplexOf(openPath(import.meta.filename, 'r'))
    expect(String(await everythingOf(stream))).toContain('is read to its end')
  })
})

describe('a terminal', () => {
  test('whose other side has gone ends, without an error', async () => {
    const { master, slave } = terminal()
    const stream = duplexOf(master)
    const seen = events(stream, 'error', 'end')
    c.write(slave, 'bye')
    const got: Buffer[] = []
    stream.on('data', (chunk: Buffer) => got.push(chunk))
    await eventually(() => Buffer.concat(got).toString()).toBe('bye')
    close(slave)
    await eventually(() => seen).toEqual(['end'])
    stream.destroy()
  })
})

import { type ReadableStream, TransformStream, WritableStream } from 'node:stream/web'
import fc from 'fast-check'
import { closing, statistics } from 'fdevent'
import { close as closeFd } from 'fdevent/io'
import { describe, expect, test } from 'vitest'
import { asyncFd, bytes, everythingOf, failure, MIB, narrow, random, terminal, text } from './helpers/async-fds.js'
import * as c from './helpers/libc.js'
import { close, eventually, pipe, socketpair, tcpPair, turns, watched } from './helpers/owned.js'
import * as parked from './helpers/parked.js'

const seed = Number(process.env.FDEVENT_SEED ?? Date.now() % 2 ** 31)
const runs = Number(process.env.FDEVENT_RUNS ?? 25)

interface Web {
  readable: ReadableStream<Uint8Array>
  writable: WritableStream<Uint8Array>
}
const webOf = (fd: number): Web => asyncFd(fd).web()
const pair = (make: () => c.Pair = socketpair): [Web, Web] => {
  const [a, b] = make()
  return [webOf(a), webOf(b)]
}
async function send(stream: WritableStream<Uint8Array>, data: Uint8Array, sizes: number[] = [10_000]): Promise<void> {
  const writer = stream.getWriter()
  for (let at = 0, i = 0; at < data.length; i += 1) {
    const size = sizes[i % sizes.length] as number
    await writer.ready
    await writer.write(data.subarray(at, at + size))
    at += size
  }
  await writer.close()
}

test('web() twice is the same pair', async () => {
  const file = asyncFd(socketpair()[0])
  expect(file.web()).toBe(file.web())
})

describe('an echo', () => {
  const kinds = { 'UNIX sockets': socketpair, 'UNIX sockets with tiny buffers': narrow, 'TCP sockets': tcpPair }
  for (const [kind, make] of Object.entries(kinds)) {
    test(`of a megabyte over ${kind}, both ways at once, is byte-exact and closes by itself`, async () => {
      const [near, far] = pair(make)
      const data = random(MIB)
      const [back] = await Promise.all([
        everythingOf(near.readable),
        send(near.writable, data),
        far.readable.pipeTo(far.writable),
      ])
      expect(Buffer.compare(back, data)).toBe(0)
      await eventually(() => statistics()).toMatchObject({ waits: 0, streams: 0 })
    })
  }

  test(`in random pieces is byte-exact, and ends cleanly wherever it is cancelled (FDEVENT_SEED=${seed})`, async () => {
    const sizes = fc.array(fc.integer({ min: 500, max: 200_000 }), { minLength: 1, maxLength: 5 })
    const cut = fc.option(fc.integer({ min: 0, max: 200_000 }), { freq: 2 })
    await fc.assert(
      fc.asyncProperty(sizes, fc.boolean(), cut, async (pieces, small, after) => {
        const fds = small ? narrow() : socketpair()
        const files = fds.map((fd) => asyncFd(fd))
        const [near, far] = files.map((file) => file.web()) as [Web, Web]
        const data = random(200_000)
        const got: Uint8Array[] = []
        let total = 0
        const echoed = far.readable.pipeTo(far.writable).catch((error: unknown) => error)
        const sent = send(near.writable, data, pieces).catch((error: unknown) => error)
        const reader = near.readable.getReader()
        for (;;) {
          const { value, done } = await reader.read()
          if (done) break
          got.push(value)
          total += value.length
          if (after !== null && total >= after) {
            await reader.cancel('enough')
            break
          }
        }
        expect(Buffer.compare(Buffer.concat(got), data.subarray(0, total))).toBe(0)
        if (after === null) expect([total, await sent, await echoed]).toEqual([data.length, undefined, undefined])
        for (const file of files) await file.close()
        await Promise.all([sent, echoed])
        await eventually(() => statistics()).toMatchObject({ waits: 0, streams: 0 })
        for (const fd of fds) close(fd)
      }),
      { seed, numRuns: runs, timeout: 10_000 },
    )
  }, 120_000)
})

describe('readable', () => {
  test("is a byte stream: a BYOB reader's own memory is filled", async () => {
    const [a, b] = socketpair()
    const reader = webOf(a).readable.getReader({ mode: 'byob' })
    c.write(b, 'hello')
    const { value, done } = await reader.read(new Uint8Array(new ArrayBuffer(100), 10, 3))
    expect(done).toBe(false)
    expect([text(value as Uint8Array), value?.byteOffset, value?.buffer.byteLength]).toEqual(['hel', 10, 100])
    expect(text((await reader.read(new Uint8Array(100))).value as Uint8Array)).toBe('lo')
  })

  test('a BYOB read that waits gets the data, and one at the end gets its memory back', async () => {
    const [r, w] = pipe()
    const reader = webOf(r).readable.getReader({ mode: 'byob' })
    const read = reader.read(new Uint8Array(10))
    await turns()
    c.write(w, 'late')
    expect(text((await read).value as Uint8Array)).toBe('late')
    const last = reader.read(new Uint8Array(10))
    close(w)
    expect(await last).toMatchObject({ done: true, value: { length: 0 } })
    await reader.closed
  })

  test('reads nothing before somebody asks', async () => {
    const [a, b] = socketpair()
    const { readable } = webOf(a)
    c.write(b, 'x')
    await turns()
    expect(statistics().waits).toBe(0)
    expect(c.drain(a)).toBe(1)
    await readable.cancel()
  })

  test('a reader that takes its time lets the sender wait', async () => {
    const [near, far] = pair()
    const sending = watched(send(near.writable, random(MIB)))
    const reader = far.readable.getReader()
    await reader.read()
    await turns(10)
    expect(sending.state).toBe('pending')
    reader.releaseLock()
    await everythingOf(far.readable)
    await eventually(() => sending.state).toBe('resolved')
  })

  test('tee gives both branches everything', async () => {
    const [near, far] = pair()
    const data = random(300_000)
    const sending = send(near.writable, data)
    const [one, other] = far.readable.tee()
    const both = await Promise.all([everythingOf(one), everythingOf(other)])
    await sending
    expect(both.map((got) => Buffer.compare(got, data))).toEqual([0, 0])
  })

  test('pipeThrough a transform', async () => {
    const [near, far] = pair()
    const upper = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        controller.enqueue(bytes(text(chunk).toUpperCase()))
      },
    })
    const sending = send(near.writable, bytes('shout'))
    expect(String(await everythingOf(far.readable.pipeThrough(upper)))).toBe('SHOUT')
    await sending
  })

  test('a lock released while a read is pending costs no data', async () => {
    const [r, w] = pipe()
    const { readable } = webOf(r)
    const reader = readable.getReader()
    const first = failure(reader.read())
    await turns()
    reader.releaseLock()
    expect(await first).toBeInstanceOf(TypeError)
    c.write(w, 'kept')
    close(w)
    expect(String(await everythingOf(readable))).toBe('kept')
  })

  test('chunks are memory of their own', async () => {
    const [r, w] = pipe()
    const reader = webOf(r).readable.getReader()
    const chunks: Uint8Array[] = []
    for (const word of ['first', 'other']) {
      c.write(w, word)
      chunks.push((await reader.read()).value as Uint8Array)
    }
    expect(chunks.map((chunk) => text(chunk))).toEqual(['first', 'other'])
  })
})

describe('cancel', () => {
  test('ends a pending read, and takes nothing that comes afterwards', async () => {
    const [a, b] = socketpair()
    const reader = webOf(a).readable.getReader()
    const read = watched(reader.read())
    await turns()
    await reader.cancel()
    await eventually(() => read.value).toEqual({ done: true, value: undefined })
    expect(statistics().waits).toBe(0)
    c.write(b, 'kept')
    await turns()
    expect(c.read(a)).toHaveLength(4)
  })

  test('leaves writing open, and closing that ends the object', async () => {
    const [a, b] = socketpair()
    const file = asyncFd(a)
    const { readable, writable } = file.web()
    await readable.cancel()
    expect(file.closed).toBe(false)
    await send(writable, bytes('still here'))
    expect(file.closed).toBe(true)
    expect(text(c.read(b) as Uint8Array)).toBe('still here')
  })

  test('of a one-sided stream closes a descriptor with close: true', async () => {
    const [r] = parked.pipe()
    await asyncFd(r, { close: true }).web().readable.cancel()
    expect(c.isOpen(r)).toBe(false)
  })
})

describe('writable', () => {
  test('close() shuts the sending half down, and reading goes on', async () => {
    const [a, b] = socketpair()
    const { readable, writable } = webOf(a)
    await send(writable, bytes('question'))
    expect(text(c.read(b) as Uint8Array)).toBe('question')
    expect(c.read(b)).toHaveLength(0)
    c.write(b, 'answer')
    c.shutdown(b, 'write')
    expect(String(await everythingOf(readable))).toBe('answer')
  })

  test('a write waits for room', async () => {
    const [a, b] = socketpair()
    const writer = webOf(a).writable.getWriter()
    const write = watched(writer.write(random(MIB)))
    await turns()
    expect([write.state, writer.desiredSize]).toEqual(['pending', 0])
    for (let total = 0; total < MIB;) {
      total += c.drain(b)
      await turns(1)
    }
    await eventually(() => write.state).toBe('resolved')
  })

  test('abort() ends a write that is stuck', async () => {
    const file = asyncFd(socketpair()[0])
    const writer = file.web().writable.getWriter()
    writer.closed.catch(() => {})
    const write = watched(writer.write(random(MIB)))
    await turns()
    await writer.abort(new Error('enough'))
    await eventually(() => write.state).toBe('rejected')
    expect(file.closed).toBe(true)
    expect(statistics().waits).toBe(0)
  }, 5000)

  // Where a write is stuck, pipeTo waits for it: so the standard has it.
  test('pipeTo with a signal aborts the destination, which ends reading too', async () => {
    const file = asyncFd(socketpair()[0])
    const { readable, writable } = file.web()
    const read = failure(readable.getReader().read())
    const abort = new AbortController()
    const silent = new TransformStream<Uint8Array, Uint8Array>()
    const piped = failure(silent.readable.pipeTo(writable, { signal: abort.signal }))
    await turns()
    abort.abort(new Error('enough'))
    expect(await piped).toMatchObject({ message: 'enough' })
    expect(file.closed).toBe(true)
    expect(await read).toMatchObject({ code: 'EBADF' })
  })

  test('pipeTo with a signal cancels the source, whose pending read takes nothing more', async () => {
    const [a, b] = socketpair()
    const { readable } = webOf(a)
    const abort = new AbortController()
    const piped = failure(readable.pipeTo(new WritableStream(), { signal: abort.signal }))
    await turns()
    abort.abort(new Error('enough'))
    expect(await piped).toMatchObject({ message: 'enough' })
    c.write(b, 'kept')
    await turns()
    expect(c.read(a)).toHaveLength(4)
  })

  test('abort() closes a descriptor with close: true, and ends reading', async () => {
    const [a] = parked.pipe()
    const socket = parked.park(c.dup(socketpair()[0]))
    const { readable, writable } = asyncFd(socket, { close: true }).web()
    const read = failure(readable.getReader().read())
    await writable.abort()
    expect(c.isOpen(socket)).toBe(false)
    expect(await read).toMatchObject({ code: 'EBADF' })
    expect(c.isOpen(a)).toBe(true)
  })

  test('what is no Uint8Array is refused', async () => {
    const writer = webOf(socketpair()[0]).writable.getWriter()
    writer.closed.catch(() => {})
    expect(await failure(writer.write('text' as never))).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' })
  })
})

describe('errors', () => {
  test('a peer that resets: reading rejects with ECONNRESET, and the object is closed', async () => {
    const [a, b] = tcpPair()
    const file = asyncFd(a)
    const read = failure(file.web().readable.getReader().read())
    await turns()
    c.resetOnClose(b)
    close(b)
    expect(await read).toMatchObject({ name: 'FdError', code: 'ECONNRESET', fd: a })
    await eventually(() => file.closed).toBe(true)
  })

  test('a peer that has gone: writing rejects with EPIPE, and the object is closed', async () => {
    const [a, b] = socketpair()
    const file = asyncFd(a)
    close(b)
    const writer = file.web().writable.getWriter()
    writer.closed.catch(() => {})
    expect(await failure(writer.write(bytes('x')))).toMatchObject({ code: 'EPIPE' })
    await eventually(() => file.closed).toBe(true)
  })

  test('closing(fd): what is pending rejects with EBADF', async () => {
    const [a] = socketpair()
    const { readable, writable } = webOf(a)
    const writer = writable.getWriter()
    writer.closed.catch(() => {})
    const failures = [failure(readable.getReader().read()), failure(writer.write(random(MIB)))]
    await turns()
    closing(a)
    expect((await Promise.all(failures)).map(({ code }) => code)).toEqual(['EBADF', 'EBADF'])
  })

  test('a descriptor closed by fdevent/io meanwhile: close() touches no other object', async () => {
    const a = parked.park(c.dup(socketpair()[0]))
    const { writable } = webOf(a)
    closeFd(a)
    const [other, peer] = socketpair()
    parked.replace(a, other)
    await writable.close().catch(() => {})
    expect(c.read(peer)).toBeNull()
    expect(c.write(other, 'works')).toBe(5)
  })
})

describe('one-sided', () => {
  test('the read end of a pipe: writing is refused, reading works and closes the object', async () => {
    const [r, w] = pipe()
    const file = asyncFd(r)
    const { readable, writable } = file.web()
    expect(await failure(writable.getWriter().closed)).toBeInstanceOf(TypeError)
    c.write(w, 'hello')
    close(w)
    expect(String(await everythingOf(readable))).toBe('hello')
    expect(file.closed).toBe(true)
  })

  test('the write end of a pipe: reading is at its end, writing works and closes the object', async () => {
    const [r, w] = pipe()
    const file = asyncFd(w)
    const { readable, writable } = file.web()
    expect(String(await everythingOf(readable))).toBe('')
    await send(writable, bytes('hello'))
    expect(text(c.read(r) as Uint8Array)).toBe('hello')
    expect(file.closed).toBe(true)
  })
})

test('a terminal whose other side has gone ends, without an error', async () => {
  const { master, slave } = terminal()
  const reader = webOf(master).readable.getReader()
  c.write(slave, 'bye')
  expect(text((await reader.read()).value as Uint8Array)).toBe('bye')
  const last = reader.read()
  close(slave)
  expect(await last).toMatchObject({ done: true })
})

test('async iteration of the AsyncFd on a terminal ends when its other side has gone', async () => {
  const { master, slave } = terminal()
  c.write(slave, 'bye')
  const got: string[] = []
  for await (const chunk of asyncFd(master)) {
    got.push(text(chunk))
    if (got.join('') === 'bye') close(slave)
  }
  expect(got.join('')).toBe('bye')
})

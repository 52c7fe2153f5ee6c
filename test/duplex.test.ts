import { once } from 'node:events'
import { type Duplex, PassThrough, Readable, Writable } from 'node:stream'
import { finished, pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { statistics } from 'fdevent'
import { describe, expect, test } from 'vitest'
import { asyncFd, bytes, duplexOf, everythingOf, MIB, narrow, random, text } from './helpers/async-fds.js'
import * as c from './helpers/libc.js'
import { close, eventually, socketpair, tcpPair, turns } from './helpers/owned.js'

const seed = Number(process.env.FDEVENT_SEED ?? Date.now() % 2 ** 31)
const runs = Number(process.env.FDEVENT_RUNS ?? 25)

const pair = (make: () => c.Pair = socketpair): [Duplex, Duplex] => {
  const [a, b] = make()
  return [duplexOf(a), duplexOf(b)]
}
/** Writes in pieces, waiting for drain whenever the stream says so, and ends. */
async function send(stream: Duplex, data: Uint8Array, sizes: number[] = [10_000]): Promise<void> {
  for (let at = 0, i = 0; at < data.length; i += 1) {
    const size = sizes[i % sizes.length] as number
    const more = stream.write(data.subarray(at, at + size))
    at += size
    if (!more) await once(stream, 'drain')
  }
  stream.end()
}

test('duplex() twice is the same object', () => {
  const file = asyncFd(socketpair()[0])
  expect(file.duplex()).toBe(file.duplex())
  file.duplex().destroy()
})

describe('an echo', () => {
  const kinds = { 'UNIX sockets': socketpair, 'UNIX sockets with tiny buffers': narrow, 'TCP sockets': tcpPair }
  for (const [kind, make] of Object.entries(kinds)) {
    test(`of a megabyte over ${kind}, both ways at once, is byte-exact and ends by itself`, async () => {
      const [near, far] = pair(make)
      const data = random(MIB)
      const echoed = pipeline(far, far)
      const [back] = await Promise.all([everythingOf(near), send(near, data)])
      await echoed
      expect(Buffer.compare(back, data)).toBe(0)
      await eventually(() => [near.destroyed, far.destroyed]).toEqual([true, true])
      expect(statistics()).toMatchObject({ waits: 0, streams: 0 })
    })
  }

  test(`in random pieces is byte-exact, and ends cleanly wherever it is destroyed (FDEVENT_SEED=${seed})`, async () => {
    const sizes = fc.array(fc.integer({ min: 500, max: 200_000 }), { minLength: 1, maxLength: 5 })
    const destroyed = fc.option(
      fc.record({ after: fc.integer({ min: 0, max: 300_000 }), near: fc.boolean(), error: fc.boolean() }),
      { freq: 2 },
    )
    await fc.assert(
      fc.asyncProperty(sizes, fc.boolean(), destroyed, async (pieces, small, cut) => {
        // Not owned by the test: closing them is the streams' part, and how the one learns of the other's end.
        const fds = c.socketpair()
        if (small) for (const fd of fds) c.setBuffers(fd, 1)
        const [near, far] = fds.map((fd) => asyncFd(fd, { close: true }).duplex()) as [Duplex, Duplex]
        const data = random(300_000)
        const cause = new Error('cut')
        const got: Buffer[] = []
        let total = 0
        let failed = false
        near.on('data', (chunk: Buffer) => {
          got.push(chunk)
          total += chunk.length
          const target = cut?.near ? near : far
          if (!cut || total < cut.after || target.destroyed) return
          failed ||= cut.error
          target.destroy(cut.error ? cause : undefined)
        })
        const ends = [near, far].map((stream) =>
          finished(stream).then(
            () => 'ok',
            (error: unknown) => error,
          ),
        )
        const echoed = pipeline(far, far).catch((error: unknown) => error)
        const sent = send(near, data, pieces).catch((error: unknown) => error)
        const [nearEnd, farEnd] = await Promise.all(ends)
        await echoed
        const back = Buffer.concat(got)
        expect(Buffer.compare(back, data.subarray(0, back.length))).toBe(0)
        if (!cut) {
          expect([nearEnd, farEnd, back.length, await sent]).toEqual(['ok', 'ok', data.length, undefined])
        } else if (failed) {
          expect([nearEnd, farEnd]).toContain(cause)
        }
        await eventually(() => statistics()).toMatchObject({ waits: 0, streams: 0 })
        expect(fds.map(c.isOpen)).toEqual([false, false])
      }),
      { seed, numRuns: runs, timeout: 10_000 },
    )
  }, 120_000)
})

describe('backpressure', () => {
  test('write() returns false when the peer does not read, and drain follows when it does', async () => {
    const [a, b] = socketpair()
    const stream = duplexOf(a)
    const data = random(MIB)
    expect(stream.write(data)).toBe(false)
    const drained = once(stream, 'drain')
    await turns()
    expect(stream.writableNeedDrain).toBe(true)
    const got: Uint8Array[] = []
    for (let total = 0; total < MIB;) {
      const part = c.read(b)
      if (part === null) await turns(1)
      else total += got[got.push(part.slice()) - 1]?.length as number
    }
    await drained
    expect(Buffer.compare(Buffer.concat(got), data)).toBe(0)
    stream.destroy()
  })

  test('a stream that nobody reads takes a bounded amount from the descriptor', async () => {
    const [a, b] = socketpair()
    const stream = duplexOf(a)
    let written = 0
    for (let i = 0; i < 30; i += 1) {
      written += c.write(b, new Uint8Array(65_536)) ?? 0
      await turns(1)
    }
    stream.read(0)
    await turns()
    const taken = stream.readableLength
    expect(taken).toBeLessThanOrEqual(200_000)
    expect(c.drain(a) + taken).toBe(written)
    stream.destroy()
  })

  test('a paused stream stops reading, and loses nothing when resumed', async () => {
    const [a, b] = socketpair()
    const stream = duplexOf(a)
    const data = random(2 * MIB)
    const sender = asyncFd(b)
    const sent = sender.write(data).then(() => c.shutdown(b, 'write'))
    const got: Buffer[] = []
    stream.on('data', (chunk: Buffer) => {
      got.push(chunk)
      stream.pause()
      setTimeout(() => stream.resume(), got.length % 3)
    })
    await once(stream, 'end')
    await sent
    expect(Buffer.compare(Buffer.concat(got), data)).toBe(0)
    stream.destroy()
  })

  test('chunks keep their content after later ones have come', async () => {
    const [near, far] = pair()
    const got: Buffer[] = []
    near.on('data', (chunk: Buffer) => got.push(chunk))
    for (const word of ['first', 'second', 'third']) {
      far.write(word)
      await eventually(() => got.length > 0 && String(got.at(-1))).toBe(word)
    }
    expect(got.map(String)).toEqual(['first', 'second', 'third'])
    near.destroy()
    far.destroy()
  })
})

describe('half-open', () => {
  test('end() shuts the sending half down: the peer reads the end, and can still answer', async () => {
    const [a, b] = socketpair()
    const stream = duplexOf(a)
    stream.end('question')
    await once(stream, 'finish')
    expect(text(c.read(b) as Uint8Array)).toBe('question')
    expect(c.read(b)).toHaveLength(0)
    c.write(b, 'answer')
    const [chunk] = (await once(stream, 'data')) as [Buffer]
    expect(String(chunk)).toBe('answer')
    c.shutdown(b, 'write')
    await once(stream, 'close')
    expect(c.isOpen(a)).toBe(true)
  })

  test("the peer's end is 'end', and writing goes on", async () => {
    const [a, b] = socketpair()
    const stream = duplexOf(a)
    c.shutdown(b, 'write')
    stream.resume()
    await once(stream, 'end')
    stream.write('still here')
    await eventually(() => c.poll(b, c.POLL.IN)).toBe(c.POLL.IN)
    expect(text(c.read(b) as Uint8Array)).toBe('still here')
    stream.end()
    await once(stream, 'close')
  })

  test('data and the end that come together are data, then end', async () => {
    const [a, b] = tcpPair()
    const stream = duplexOf(a)
    const collected = everythingOf(stream)
    await turns()
    c.write(b, 'the last words')
    close(b)
    expect(String(await collected)).toBe('the last words')
  })
})

describe('as a stream of Node', () => {
  test('pipeline through it', async () => {
    const [near, far] = pair()
    const parts: Buffer[] = []
    const data = random(MIB)
    const sink = new Writable({
      write(chunk: Buffer, _, done) {
        parts.push(chunk)
        setImmediate(done)
      },
    })
    const received = pipeline(far, sink)
    // It is over when both sides of the last stream are.
    far.end()
    await pipeline(Readable.from([data.subarray(0, 100), data.subarray(100)]), new PassThrough(), near.resume())
    await received
    expect(Buffer.compare(Buffer.concat(parts), data)).toBe(0)
    far.destroy()
    near.destroy()
  })

  test('finished() resolves when both sides have ended', async () => {
    const [near, far] = pair()
    const both = Promise.all([finished(near), finished(far)])
    near.resume().end()
    far.resume().end()
    await both
  })

  test('async iteration, left early, destroys it', async () => {
    const [near, far] = pair()
    far.write('x')
    for await (const chunk of near) {
      expect(String(chunk)).toBe('x')
      break
    }
    expect(near.destroyed).toBe(true)
    far.destroy()
  })

  test('setEncoding: no character is cut', async () => {
    const [near, far] = pair()
    near.setEncoding('utf8')
    let got = ''
    near.on('data', (part: string) => (got += part))
    for (const byte of bytes('grün, 世界')) {
      far.write(Uint8Array.of(byte))
      await turns(1)
    }
    await eventually(() => got).toBe('grün, 世界')
    near.destroy()
    far.destroy()
  })

  test('strings, Buffers and Uint8Arrays, corked or not, arrive in order', async () => {
    const [near, far] = pair()
    near.cork()
    near.write('one,')
    near.write(Buffer.from('two,'))
    near.write(bytes('three,'))
    near.write('Zm91cg==', 'base64')
    process.nextTick(() => near.uncork())
    near.end()
    expect(String(await everythingOf(far))).toBe('one,two,three,four')
    near.destroy()
  })

  test('a pending read keeps it alive: data comes though nobody else holds the stream', async () => {
    const [a, b] = socketpair()
    let got = ''
    ;(() => {
      // The end of the test ends it with an error.
      duplexOf(a)
        .on('data', (chunk: Buffer) => (got += String(chunk)))
        .on('error', () => {})
    })()
    globalThis.gc?.()
    await sleep(5)
    c.write(b, 'here')
    await eventually(() => got).toBe('here')
  })
})

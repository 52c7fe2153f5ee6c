import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { asyncFd, bytes, collect, connected, failure, MIB, random, reading, text } from './helpers/async-fds.js'
import * as c from './helpers/libc.js'
import { close, openPath, temporaryDirectory, turns, watched } from './helpers/owned.js'
import { report } from './helpers/run.js'

const detach = (array: Uint8Array): void =>
  void structuredClone(array.buffer, { transfer: [array.buffer as ArrayBuffer] })

/** A Uint8Array over all of a buffer that can be resized. */
function resizable(length: number, max = length) {
  // The types are those of an older language.
  const buffer = new (ArrayBuffer as any)(length, { maxByteLength: max }) as ArrayBuffer & { resize(to: number): void }
  return { buffer, array: new Uint8Array(buffer) }
}

describe('memory that changes under a pending read', () => {
  test('detached: EFAULT, and the data is for the next read', async () => {
    const { file, peer } = reading()
    const buffer = new Uint8Array(100)
    const read = failure(file.read(buffer))
    detach(buffer)
    c.write(peer, 'kept')
    expect(await read).toMatchObject({ name: 'FdError', code: 'EFAULT', fd: file.fd })
    expect(await file.read(new Uint8Array(10))).toBe(4)
  })

  test('detached, on a socket: EFAULT, not an end', async () => {
    const { file, peer } = connected()
    const buffer = new Uint8Array(100)
    const read = failure(file.read(buffer))
    await turns()
    detach(buffer)
    c.write(peer, 'kept')
    expect(await read).toMatchObject({ code: 'EFAULT' })
  })

  test('detached, and then the time passes: no crash, and no count of bytes', async () => {
    const { file } = reading()
    const buffer = new Uint8Array(100)
    const read = file.read(buffer, 0.02).catch((error: { code: string }) => error.code)
    detach(buffer)
    expect([-1, 'EFAULT']).toContain(await read)
  })

  test('detached under the first of two reads: the second has the data', async () => {
    const { file, peer } = reading()
    const [one, other] = [new Uint8Array(10), new Uint8Array(10)]
    const first = failure(file.read(one))
    const second = file.read(other)
    detach(one)
    c.write(peer, 'kept')
    expect(await first).toMatchObject({ code: 'EFAULT' })
    expect(text(other, await second)).toBe('kept')
  })

  test('moved away by ArrayBuffer.prototype.transfer: EFAULT', async ({ skip }) => {
    const { file, peer } = reading()
    const buffer = new Uint8Array(10)
    const { transfer } = ArrayBuffer.prototype as { transfer?: () => ArrayBuffer }
    skip(transfer === undefined, 'this Node has no ArrayBuffer.prototype.transfer')
    const read = failure(file.read(buffer))
    const moved = transfer?.call(buffer.buffer) as ArrayBuffer
    c.write(peer, 'kept')
    expect(await read).toMatchObject({ code: 'EFAULT' })
    expect(new Uint8Array(moved).every((byte) => byte === 0)).toBe(true)
  })

  test('resized to nothing: EFAULT, not an end', async () => {
    const { file, peer } = reading()
    const { buffer, array } = resizable(100)
    const read = failure(file.read(array))
    buffer.resize(0)
    c.write(peer, 'kept')
    expect(await read).toMatchObject({ code: 'EFAULT' })
  })

  test('resized out of bounds of a subarray: EFAULT', async () => {
    const { file, peer } = reading()
    const { buffer } = resizable(100)
    const read = failure(file.read(new Uint8Array(buffer, 50, 50)))
    buffer.resize(60)
    c.write(peer, 'kept')
    expect(await read).toMatchObject({ code: 'EFAULT' })
  })

  test('made larger: the read goes on', async () => {
    const { file, peer } = reading()
    const { buffer, array } = resizable(10, 10 * MIB)
    const read = file.read(array)
    buffer.resize(10 * MIB)
    c.write(peer, 'kept')
    expect(text(array, await read)).toBe('kept')
  })

  test('collected garbage around it: the data is right', async () => {
    const { file, peer } = connected()
    for (let i = 0; i < 20; i += 1) {
      const read = file.read(new Uint8Array(new ArrayBuffer(1000), 10, 50))
      globalThis.gc?.()
      Array.from({ length: 100 }, () => new Uint8Array(1000).fill(7))
      c.write(peer, 'x')
      expect(await read).toBe(1)
    }
  })
})

describe('memory that changes under a pending write', () => {
  test('detached: EFAULT, with what had gone', async () => {
    const { file, peer } = connected()
    const data = random(MIB)
    const write = failure(file.write(data))
    await turns()
    detach(data)
    const first = c.drain(peer)
    const error = await write
    expect(error).toMatchObject({ name: 'FdError', code: 'EFAULT' })
    expect(error.bytesWritten).toBe(first + c.drain(peer))
  })

  test('detached before anything went: EFAULT, not a success', async () => {
    const { file, fd, peer } = connected()
    c.fill(fd)
    const data = random(100)
    const write = failure(file.write(data))
    detach(data)
    c.drain(peer)
    expect(await write).toMatchObject({ code: 'EFAULT', bytesWritten: 0 })
  })

  test('made smaller than what had gone: EFAULT', async () => {
    const { file, peer } = connected()
    const { buffer, array } = resizable(MIB)
    const write = failure(file.write(array))
    await turns()
    buffer.resize(10)
    c.drain(peer)
    expect(await write).toMatchObject({ code: 'EFAULT' })
  })

  test('made smaller before anything went: EFAULT, not all of it', async () => {
    const { file, fd, peer } = connected()
    c.fill(fd)
    const { buffer, array } = resizable(1000)
    const write = failure(file.write(array))
    buffer.resize(10)
    c.drain(peer)
    expect(await write).toMatchObject({ code: 'EFAULT', bytesWritten: 0 })
  })

  test('detached under the first of two writes: the second goes', async () => {
    const { file, fd, peer } = connected()
    c.fill(fd)
    const data = random(100)
    const first = failure(file.write(data))
    const second = file.write(bytes('second'))
    detach(data)
    c.drain(peer)
    expect(await first).toMatchObject({ code: 'EFAULT' })
    expect(await second).toBe(6)
    await turns()
    expect(text(c.read(peer) as Uint8Array)).toBe('second')
  })
})

// In a process of its own, which is killed when its only thread blocks.
describe.concurrent('a descriptor without O_NONBLOCK', { timeout: 30_000 }, () => {
  interface Report {
    /** The longest time, in seconds, for which no timer ran. */
    longest: number
    [key: string]: unknown
  }
  const live = (mode: string, kind: string) =>
    report<Report>('async-fd.mjs', [mode, kind], { wrapper: ['timeout', '-s', 'KILL', '20'] })

  for (const kind of ['pipe', 'socket pair', 'pty', "pty's slave"]) {
    test(`${kind}: reading what is not there does not block the thread`, async () => {
      const { longest, counts } = await live('nothing comes', kind)
      expect(counts).toEqual([-1, 3, -1])
      expect(longest).toBeLessThan(1)
    })

    test(`${kind}: writing what nobody reads does not block the thread, and the flags stay`, async () => {
      const { longest, partly } = await live('nobody reads', kind)
      expect(partly).toBe(true)
      expect(longest).toBeLessThan(1)
    })

    test(`${kind}: what is read at the other end goes through, byte for byte`, async () => {
      const { longest, ...rest } = await live('read to the end', kind)
      expect(rest).toEqual({ all: true, equal: true, flags: [false, false] })
      expect(longest).toBeLessThan(1)
    })
  }
})

describe('regular files and devices', () => {
  test('a file is read to its end', async () => {
    const file = asyncFd(openPath(import.meta.filename, 'r'))
    expect(String(await collect(file))).toBe(readFileSync(import.meta.filename, 'utf8'))
    expect(await file.read(new Uint8Array(1), 0)).toBe(0)
  })

  test('a file is written in order by concurrent writes', async () => {
    const path = `${temporaryDirectory()}/file`
    const file = asyncFd(openPath(path, 'w'))
    const parts = [random(MIB), bytes('in the middle'), random(1000)]
    expect(await Promise.all(parts.map((part) => file.write(part)))).toEqual(parts.map((part) => part.length))
    expect(Buffer.compare(readFileSync(path), Buffer.concat(parts))).toBe(0)
  })

  test('/dev/null swallows, and is at its end', async () => {
    const file = asyncFd(openPath('/dev/null', 'r+'))
    expect(await file.write(new Uint8Array(MIB))).toBe(MIB)
    expect(await file.read(new Uint8Array(10))).toBe(0)
  })

  test('a directory rejects with EISDIR', async () => {
    expect(await failure(asyncFd(openPath('/', 'r')).read(new Uint8Array(10)))).toMatchObject({
      name: 'FdError',
      code: 'EISDIR',
      syscall: 'read',
    })
  })

  for (const path of ['/dev/zero', '/dev/urandom']) {
    test(`a loop of reads from ${path} starves neither timers, immediates nor other descriptors`, async () => {
      const file = asyncFd(openPath(path, 'r'))
      const { file: other, peer } = reading()
      const buffer = new Uint8Array(16)
      let stop = false
      let immediates = 0
      const loop = (async () => {
        while (!stop) expect(await file.read(buffer)).toBe(16)
      })()
      const count = () => {
        immediates += 1
        if (!stop) setImmediate(count)
      }
      setImmediate(count)
      const read = other.read(buffer.slice())
      await sleep(20)
      c.write(peer)
      expect(await read).toBe(1)
      stop = true
      await loop
      expect(immediates).toBeGreaterThan(1)
    })
  }
})

test('a fifo that gets a new writer after its end is read on', async () => {
  const { file, peer } = reading()
  expect(await file.read(new Uint8Array(1), 0)).toBe(-1)
  const again = openPath(`/proc/self/fd/${peer}`, 'w')
  close(peer)
  const read = watched(file.read(new Uint8Array(10)))
  await turns()
  expect(read.state).toBe('pending')
  close(again)
  await turns()
  expect(read.value).toBe(0)
  const third = openPath(`/proc/self/fd/${file.fd}`, 'r+')
  c.write(third, 'back')
  expect(await file.read(new Uint8Array(10))).toBe(4)
  expect(await file.readable(0.01)).toBe(false)
})

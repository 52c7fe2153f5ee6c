import { constants } from 'node:os'
import { readable } from 'fdevent'
import * as io from 'fdevent/io'
import { describe, expect, test } from 'vitest'
import { bytes, flagsOf, random, text, thrown } from './helpers/async-fds.js'
import * as c from './helpers/libc.js'
import { close, closedNumber, openPath, own, pipe, socketpair, tcpPair, turns } from './helpers/owned.js'

const { WOULD_BLOCK } = io
const NEW = { NONBLOCK: 0o4000, CLOEXEC: 0o2000000 }

test('WOULD_BLOCK is -1', () => {
  expect(WOULD_BLOCK).toBe(-1)
})

type Transfer = (fd: number, buffer: Uint8Array, offset?: number, length?: number) => number
const receiving: [string, Transfer, () => c.Pair][] = [
  ['read', io.read, pipe],
  ['recv', io.recv, socketpair],
]
const sending: [string, Transfer, () => c.Pair][] = [
  ['write', io.write, () => pipe().toReversed() as c.Pair],
  ['send', io.send, socketpair],
]

for (const [name, receive, make] of receiving) {
  describe(name, () => {
    test('returns how many bytes came', () => {
      const [r, w] = make()
      c.write(w, 'hello')
      const buffer = new Uint8Array(10)
      expect(receive(r, buffer)).toBe(5)
      expect(text(buffer, 5)).toBe('hello')
    })

    test('returns WOULD_BLOCK when there is nothing, and 0 at the end', () => {
      const [r, w] = make()
      expect(receive(r, new Uint8Array(1))).toBe(WOULD_BLOCK)
      close(w)
      expect(receive(r, new Uint8Array(1))).toBe(0)
    })

    test('fills from the offset, to the end of the buffer', () => {
      const [r, w] = make()
      c.write(w, 'abcdef')
      const buffer = new Uint8Array(5).fill(46)
      expect(receive(r, buffer, 2)).toBe(3)
      expect(text(buffer)).toBe('..abc')
    })

    test('fills so many bytes from the offset, and no more', () => {
      const [r, w] = make()
      c.write(w, 'abcdef')
      const buffer = new Uint8Array(6).fill(46)
      expect(receive(r, buffer, 1, 2)).toBe(2)
      expect(text(buffer)).toBe('.ab...')
    })

    test('fills the part of memory that a Buffer out of the pool has', () => {
      const [r, w] = make()
      c.write(w, 'ab')
      const around = Buffer.alloc(6, '.')
      expect(receive(r, around.subarray(2, 4), 0, 2)).toBe(2)
      expect(String(around)).toBe('..ab..')
    })

    test('fills shared memory', () => {
      const [r, w] = make()
      c.write(w, 'ab')
      const shared = new Uint8Array(new SharedArrayBuffer(8), 4)
      expect(receive(r, shared, 1)).toBe(2)
      expect(text(Uint8Array.from(shared))).toBe('\0ab\0')
    })

    test('into a detached buffer is no crash', () => {
      const [r, w] = make()
      c.write(w, 'ab')
      const buffer = new Uint8Array(8)
      structuredClone(buffer.buffer, { transfer: [buffer.buffer] })
      expect(receive(r, buffer)).toBe(0)
      expect(thrown(() => receive(r, buffer, 0, 1))).toMatchObject({ code: 'ERR_OUT_OF_RANGE' })
    })
  })
}

for (const [name, put, make] of sending) {
  describe(name, () => {
    test('returns how many bytes went', () => {
      const [w, r] = make()
      expect(put(w, bytes('hello'))).toBe(5)
      expect(text(c.read(r) as Uint8Array)).toBe('hello')
    })

    test('sends the part that offset and length name', () => {
      const [w, r] = make()
      expect(put(w, bytes('abcdef'), 1, 3)).toBe(3)
      expect(put(w, bytes('abcdef'), 4)).toBe(2)
      expect(text(c.read(r) as Uint8Array)).toBe('bcdef')
    })

    test('sends the part of memory that a Buffer out of the pool has', () => {
      const [w, r] = make()
      expect(put(w, Buffer.from('abcdef').subarray(2, 4), 1)).toBe(1)
      expect(text(c.read(r) as Uint8Array)).toBe('d')
    })

    test('of a huge buffer sends what there is room for, then returns WOULD_BLOCK', () => {
      const [w, r] = make()
      const data = random(32 << 20)
      const count = put(w, data)
      expect(count).toBeGreaterThan(0)
      expect(count).toBeLessThan(data.length)
      let rest = count
      for (let more = put(w, data, rest); more !== WOULD_BLOCK; more = put(w, data, rest)) rest += more
      const got: Uint8Array[] = []
      for (let part = c.read(r); part !== null; part = c.read(r)) got.push(part.slice())
      expect(Buffer.compare(Buffer.concat(got), data.subarray(0, rest))).toBe(0)
    })

    test('to a peer that has gone throws EPIPE, without a signal', async () => {
      const [w, r] = make()
      close(r)
      let raised = false
      const listener = () => void (raised = true)
      process.on('SIGPIPE', listener)
      expect(thrown(() => put(w, bytes('x')))).toMatchObject({ name: 'FdError', code: 'EPIPE', syscall: name, fd: w })
      await turns()
      process.off('SIGPIPE', listener)
      expect(raised).toBe(name === 'write')
    })
  })
}

describe('arguments of read, write, recv and send', () => {
  const wrong: [string, unknown[], string, string][] = [
    ['no buffer', [], 'TypeError', 'ERR_INVALID_ARG_TYPE'],
    ['null', [null], 'TypeError', 'ERR_INVALID_ARG_TYPE'],
    ['a string', ['text'], 'TypeError', 'ERR_INVALID_ARG_TYPE'],
    ['an ArrayBuffer', [new ArrayBuffer(4)], 'TypeError', 'ERR_INVALID_ARG_TYPE'],
    ['a DataView', [new DataView(new ArrayBuffer(4))], 'TypeError', 'ERR_INVALID_ARG_TYPE'],
    ['an Int8Array', [new Int8Array(4)], 'TypeError', 'ERR_INVALID_ARG_TYPE'],
    ['an offset below 0', [new Uint8Array(4), -1], 'RangeError', 'ERR_OUT_OF_RANGE'],
    ['an offset beyond the end', [new Uint8Array(4), 5], 'RangeError', 'ERR_OUT_OF_RANGE'],
    ['a fractional offset', [new Uint8Array(4), 0.5], 'RangeError', 'ERR_OUT_OF_RANGE'],
    ['an offset that is NaN', [new Uint8Array(4), NaN], 'RangeError', 'ERR_OUT_OF_RANGE'],
    ['an offset of 2^53', [new Uint8Array(4), 2 ** 53], 'RangeError', 'ERR_OUT_OF_RANGE'],
    ['a length below 0', [new Uint8Array(4), 0, -1], 'RangeError', 'ERR_OUT_OF_RANGE'],
    ['a length beyond the end', [new Uint8Array(4), 1, 4], 'RangeError', 'ERR_OUT_OF_RANGE'],
    ['a fractional length', [new Uint8Array(4), 0, 1.5], 'RangeError', 'ERR_OUT_OF_RANGE'],
    ['a length of 2^32', [new Uint8Array(4), 0, 2 ** 32], 'RangeError', 'ERR_OUT_OF_RANGE'],
    ['a length that is infinite', [new Uint8Array(4), 0, Infinity], 'RangeError', 'ERR_OUT_OF_RANGE'],
    ['an offset that is a string', [new Uint8Array(4), '1'], 'TypeError', 'ERR_INVALID_ARG_TYPE'],
    ['an offset that is null', [new Uint8Array(4), null], 'TypeError', 'ERR_INVALID_ARG_TYPE'],
    ['a length that is a string', [new Uint8Array(4), 0, '1'], 'TypeError', 'ERR_INVALID_ARG_TYPE'],
  ]
  for (const [what, args, name, code] of wrong) {
    test(`${what}: they throw ${name} ${code}, and transfer nothing`, () => {
      const [a, b] = socketpair()
      c.write(b, 'kept')
      for (const call of [io.read, io.write, io.recv, io.send] as ((...all: unknown[]) => number)[]) {
        expect(thrown(() => call(a, ...args))).toMatchObject({ name, code })
      }
      expect(c.read(a)).toHaveLength(4)
      expect(c.read(b)).toBeNull()
    })
  }

  test('a length of 0 transfers nothing and returns 0, at the end of the buffer too', () => {
    const [a, b] = socketpair()
    c.write(b, 'kept')
    for (const call of [io.read, io.write, io.recv, io.send]) {
      expect(call(a, new Uint8Array(4), 2, 0)).toBe(0)
      expect(call(a, new Uint8Array(4), 4)).toBe(0)
      expect(call(a, new Uint8Array(0))).toBe(0)
    }
    expect(c.read(a)).toHaveLength(4)
    expect(c.read(b)).toBeNull()
  })

  test('flags of another type or range are refused', () => {
    const [a] = socketpair()
    for (const call of [io.recv, io.send]) {
      expect(thrown(() => call(a, new Uint8Array(1), 0, 1, '1' as never))).toMatchObject({
        code: 'ERR_INVALID_ARG_TYPE',
      })
      for (const flags of [-1, 0.5, 2 ** 31]) {
        expect(thrown(() => call(a, new Uint8Array(1), 0, 1, flags))).toMatchObject({ code: 'ERR_OUT_OF_RANGE' })
      }
    }
  })

  test('a FileHandle-like object and one with fileno() are as good as the number', () => {
    const [r, w] = pipe()
    expect(io.write({ fd: w }, bytes('ab'))).toBe(2)
    expect(io.read({ fileno: () => r }, new Uint8Array(4))).toBe(2)
  })
})

const calls: [string, (fd: number) => unknown][] = [
  ['read', (fd) => io.read(fd, new Uint8Array(1))],
  ['write', (fd) => io.write(fd, new Uint8Array(1))],
  ['recv', (fd) => io.recv(fd, new Uint8Array(1))],
  ['send', (fd) => io.send(fd, new Uint8Array(1))],
  ['accept', io.accept],
  ['setNonBlocking', (fd) => io.setNonBlocking(fd, true)],
  ['isNonBlocking', io.isNonBlocking],
  ['socketError', io.socketError],
  ['dup', io.dup],
  ['close', io.close],
]
for (const [name, call] of calls) {
  test(`${name} of a closed number throws EBADF`, () => {
    const fd = closedNumber()
    expect(thrown(() => call(fd))).toMatchObject({ name: 'FdError', code: 'EBADF', errno: -9, fd })
  })

  test(`${name} of what is no descriptor throws before any system call`, () => {
    expect(thrown(() => call('0' as never))).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' })
    for (const fd of [-1, 0.5, NaN, 2 ** 31]) expect(thrown(() => call(fd))).toMatchObject({ code: 'ERR_OUT_OF_RANGE' })
  })
}

for (const [name, call] of calls.filter(([name]) => ['recv', 'send', 'accept', 'socketError'].includes(name))) {
  test(`${name} of what is no socket throws ENOTSOCK`, () => {
    expect(thrown(() => call(pipe()[0]))).toMatchObject({ name: 'FdError', code: 'ENOTSOCK' })
  })
}

describe('sockets', () => {
  test('MSG_PEEK looks at the data and leaves it there', () => {
    const [a, b] = socketpair()
    c.write(b, 'hello')
    const buffer = new Uint8Array(3)
    expect(io.recv(a, buffer, 0, 3, io.MSG_PEEK)).toBe(3)
    expect(text(buffer)).toBe('hel')
    expect(io.recv(a, new Uint8Array(10))).toBe(5)
  })

  test('MSG_OOB sends and receives the urgent byte', async () => {
    const [a, b] = tcpPair()
    const buffer = new Uint8Array(1)
    expect(io.send(a, bytes('!'), 0, 1, io.MSG_OOB)).toBe(1)
    await readable(b)
    expect(io.recv(b, buffer, 0, 1, io.MSG_OOB)).toBe(1)
    expect(text(buffer)).toBe('!')
    expect(io.recv(b, buffer)).toBe(WOULD_BLOCK)
  })

  test('recv and send do not block on a blocking socket, and leave it blocking', () => {
    const [a] = socketpair()
    io.setNonBlocking(a, false)
    const before = flagsOf(a)
    expect(io.recv(a, new Uint8Array(1))).toBe(WOULD_BLOCK)
    while (io.send(a, new Uint8Array(65_536)) !== WOULD_BLOCK);
    expect(flagsOf(a)).toBe(before)
  })

  test('accept gives the next connection, non-blocking and close-on-exec, then WOULD_BLOCK', () => {
    const { fd, port } = c.tcpListener()
    own(fd)
    expect(io.accept(fd)).toBe(WOULD_BLOCK)
    const client = own(c.tcpSocket())
    c.connect(client, port)
    const accepted = own(io.accept(fd))
    expect(flagsOf(accepted) & NEW.NONBLOCK).toBe(NEW.NONBLOCK)
    expect(flagsOf(accepted) & NEW.CLOEXEC).toBe(NEW.CLOEXEC)
    c.write(client, 'hi')
    expect(io.recv(accepted, new Uint8Array(4))).toBe(2)
    expect(io.accept(fd)).toBe(WOULD_BLOCK)
  })

  test('socketError is 0 where there is none', () => {
    expect(io.socketError(socketpair()[0])).toBe(0)
  })

  test('socketError is the errno of what went wrong, once', async () => {
    const [a, b] = tcpPair()
    c.resetOnClose(b)
    close(b)
    await readable(a)
    expect(io.socketError(a)).toBe(constants.errno.ECONNRESET)
    expect(io.socketError(a)).toBe(0)
  })
})

test('read of a directory throws EISDIR, and write to a read-only file EBADF', () => {
  expect(thrown(() => io.read(openPath('/', 'r'), new Uint8Array(1)))).toMatchObject({
    code: 'EISDIR',
    syscall: 'read',
  })
  const fd = openPath(import.meta.filename, 'r')
  expect(thrown(() => io.write(fd, bytes('x')))).toMatchObject({ code: 'EBADF', syscall: 'write' })
})

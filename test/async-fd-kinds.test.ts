import { constants } from 'node:fs'
import { type AsyncFd, WOULD_BLOCK } from 'fdevent/io'
import { describe, expect, test } from 'vitest'
import { asyncFd, bytes, connected, text } from './helpers/async-fds.js'
import * as c from './helpers/libc.js'
import { fifo, openPath, own, socketpair, tcpPair, turns } from './helpers/owned.js'
import { inlineOutOfBand, O_DIRECT, packetPipe, sendDescriptor } from './helpers/rare.js'

/** Reads that each wait for one byte and find it: after some of them a stream is told in another way. */
async function usual(file: AsyncFd, writer: number, times: number): Promise<void> {
  const buffer = new Uint8Array(100)
  for (let i = 0; i < times; i += 1) {
    const read = file.read(buffer)
    await turns()
    c.write(writer, 'x')
    expect(text(buffer, await read)).toBe('x')
  }
}

describe.each([0, 40])(
  'after %i usual reads, one that returns less than it was asked while more is there',
  { timeout: 5000 },
  (times) => {
    test('before urgent data: the rest is read without waiting for anything new', async () => {
      const [a, b] = tcpPair()
      const file = asyncFd(a)
      await usual(file, b, times)
      const buffer = new Uint8Array(100)
      const first = file.read(buffer)
      await turns()
      c.write(b, 'before')
      c.sendOutOfBand(b)
      c.write(b, 'after')
      expect(text(buffer, await first)).toBe('before')
      expect(text(buffer, await file.read(buffer))).toBe('after')
    })

    test('urgent data in line with the rest: what follows the mark is read', async () => {
      const [a, b] = tcpPair()
      inlineOutOfBand(a)
      const file = asyncFd(a)
      await usual(file, b, times)
      const first = file.read(new Uint8Array(100))
      await turns()
      c.write(b, 'before')
      c.sendOutOfBand(b)
      expect(await first).toBe(6)
      expect(await file.read(new Uint8Array(100))).toBe(1)
    })

    test('before a message with a descriptor: the rest is read', async () => {
      const { file, peer } = connected()
      await usual(file, peer, times)
      const buffer = new Uint8Array(100)
      const first = file.read(buffer)
      await turns()
      sendDescriptor(peer, bytes('with'), peer)
      c.write(peer, 'without')
      expect(text(buffer, await first)).toBe('with')
      expect(text(buffer, await file.read(buffer))).toBe('without')
    })

    test('from a pipe in packet mode: every packet is read', async () => {
      const [r, w] = packetPipe()
      const file = asyncFd(r)
      await usual(file, w, times)
      const buffer = new Uint8Array(100)
      const first = file.read(buffer)
      await turns()
      for (const packet of ['one', 'three', 'five']) c.write(w, packet)
      expect(text(buffer, await first)).toBe('one')
      expect(text(buffer, await file.read(buffer))).toBe('three')
      expect(text(buffer, await file.read(buffer))).toBe('five')
    })

    test('from a fifo whose writer alone is in packet mode: every packet is read', async () => {
      const path = fifo()
      const file = asyncFd(openPath(path, constants.O_RDONLY | constants.O_NONBLOCK))
      const w = openPath(path, constants.O_WRONLY | constants.O_NONBLOCK)
      c.setFlags(w, c.flags(w) | O_DIRECT)
      await usual(file, w, times)
      const buffer = new Uint8Array(100)
      const first = file.read(buffer)
      await turns()
      for (const packet of ['one', 'three']) c.write(w, packet)
      expect(text(buffer, await first)).toBe('one')
      expect(text(buffer, await file.read(buffer))).toBe('three')
    })

    test('before urgent data on a UNIX socket: the rest is read', async ({ skip }) => {
      const { file, peer } = connected()
      await usual(file, peer, times)
      const buffer = new Uint8Array(100)
      const first = file.read(buffer)
      await turns()
      c.write(peer, 'before')
      try {
        c.sendOutOfBand(peer)
      } catch {
        skip('this kernel has no urgent data on UNIX sockets')
      }
      c.write(peer, 'after')
      expect(text(buffer, await first)).toBe('before')
      expect(text(buffer, await file.read(buffer))).toBe('after')
    })

    test('readable() is true for what such a read has left', async () => {
      const { file, peer } = connected()
      await usual(file, peer, times)
      const first = file.read(new Uint8Array(100))
      await turns()
      sendDescriptor(peer, bytes('with'), peer)
      c.write(peer, 'without')
      expect(await first).toBe(4)
      expect(await file.readable()).toBe(true)
    })

    test('from datagram sockets: every datagram is read', async () => {
      const [a, b] = socketpair('dgram')
      const file = asyncFd(a)
      await usual(file, b, times)
      const buffer = new Uint8Array(100)
      const first = file.read(buffer)
      await turns()
      c.write(b, 'one')
      c.write(b, 'two')
      expect(text(buffer, await first)).toBe('one')
      expect(text(buffer, await file.read(buffer))).toBe('two')
    })
  },
)

describe('descriptors of other kinds', () => {
  test('a timer is read once for each expiry', async () => {
    const fd = own(c.timerfd(0.02))
    const file = asyncFd(fd)
    const buffer = new Uint8Array(8)
    expect(await file.read(buffer)).toBe(8)
    expect(new DataView(buffer.buffer).getBigUint64(0, true)).toBe(1n)
    expect(await file.read(buffer, 0.02)).toBe(WOULD_BLOCK)
  })

  test('an event counter wakes its reader each time', async () => {
    const fd = own(c.eventfd())
    const file = asyncFd(fd)
    const buffer = new Uint8Array(8)
    for (let i = 0; i < 3; i += 1) {
      const read = file.read(buffer)
      await turns()
      c.write(fd, Uint8Array.of(i + 1, 0, 0, 0, 0, 0, 0, 0))
      expect(await read).toBe(8)
      expect(buffer[0]).toBe(i + 1)
    }
  })

  test('a listening socket is readable once for each connection', async () => {
    const listener = c.tcpListener()
    const file = asyncFd(own(listener.fd))
    for (let i = 0; i < 3; i += 1) {
      expect(await file.readable(0.01)).toBe(false)
      c.connect(own(c.tcpSocket()), listener.port)
      expect(await file.readable(10)).toBe(true)
      own(c.accept(listener.fd))
    }
  })
})

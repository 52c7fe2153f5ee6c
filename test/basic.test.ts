import { spawn } from 'node:child_process'
import { constants, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readable, writable } from 'fdevent'
import { describe, expect, onTestFinished, test } from 'vitest'
import * as c from './helpers/libc.js'
import {
  close,
  eventually,
  fifo,
  openPath,
  own,
  pipe,
  socketpair,
  tcpPair,
  temporaryDirectory,
  turns,
  watched,
} from './helpers/owned.js'

const pairs = { 'pipe pair': pipe, 'UNIX socket pair': socketpair, 'TCP pair': tcpPair }

describe('present state', () => {
  test('a new socket pair is writable at both ends', async () => {
    for (const fd of socketpair()) expect(await writable(fd, 0)).toBe(true)
  })

  test('a new socket pair is not readable at either end', async () => {
    for (const fd of socketpair()) expect(await readable(fd, 0)).toBe(false)
  })

  test('a new pipe is writable at its write end only', async () => {
    const [r, w] = pipe()
    expect([await writable(r, 0), await writable(w, 0)]).toEqual([false, true])
  })

  test('a writable end of a pipe never is readable', async () => {
    const [, w] = pipe()
    expect(await readable(w, 0.03)).toBe(false)
  })
})

describe.each(Object.entries(pairs))('%s', (_name, open) => {
  test('readable waits until data arrives', async () => {
    const [r, w] = open()
    const wait = watched(readable(r))
    await turns()
    expect(wait.state).toBe('pending')
    c.write(w)
    await eventually(() => wait).toEqual({ state: 'resolved', value: true })
  })

  test('readable leaves the data unread', async () => {
    const [r, w] = open()
    const wait = readable(r)
    c.write(w, 'hello')
    await wait
    expect(new TextDecoder().decode(c.read(r) as Uint8Array)).toBe('hello')
  })

  test('readable answers true as long as a byte remains, and false after the last', async () => {
    const [r, w] = open()
    c.write(w, 'ab')
    expect(await readable(r, 1)).toBe(true)
    expect(await readable(r, 1)).toBe(true)
    c.read(r, 1)
    expect(await readable(r, 1)).toBe(true)
    c.read(r, 1)
    expect(await readable(r, 0.01)).toBe(false)
  })

  test('writable waits while the buffer is full, until the peer drains it', async () => {
    const [r, w] = open()
    c.fill(w)
    const wait = watched(writable(w))
    await turns()
    expect(wait.state).toBe('pending')
    // A TCP peer's window opens again only after several rounds.
    await eventually(() => {
      c.drain(r)
      return wait
    }).toEqual({ state: 'resolved', value: true })
  })

  test('readiness that came before the wait counts', async () => {
    const [r, w] = open()
    c.write(w)
    await turns()
    expect(await readable(r)).toBe(true)
  })

  test('the same descriptor can be waited for again and again', async () => {
    const [r, w] = open()
    for (let i = 0; i < 200; i += 1) {
      const wait = readable(r)
      c.write(w)
      expect(await wait).toBe(true)
      expect(c.drain(r)).toBe(1)
    }
  })
})

describe('both directions of one descriptor', () => {
  test('the writer settles at once while the reader keeps waiting', async () => {
    const [a, b] = socketpair()
    const reader = watched(readable(a))
    expect(await writable(a)).toBe(true)
    await turns()
    expect(reader.state).toBe('pending')
    c.write(b)
    await eventually(() => reader).toEqual({ state: 'resolved', value: true })
  })

  test('the reader settles while the writer keeps waiting', async () => {
    const [a, b] = socketpair()
    c.fill(a)
    const writer = watched(writable(a))
    const reader = readable(a)
    c.write(b)
    expect(await reader).toBe(true)
    await turns()
    expect(writer.state).toBe('pending')
    c.drain(b)
    await eventually(() => writer).toEqual({ state: 'resolved', value: true })
  })

  test('both settle on one event that answers both', async () => {
    const [a, b] = socketpair()
    c.fill(a)
    const both = Promise.all([readable(a, 5), writable(a, 5)])
    c.write(b)
    c.drain(b)
    expect(await both).toEqual([true, true])
  })
})

describe('kinds of descriptor', () => {
  test('a listener is readable only with a connection pending', async () => {
    const listener = c.tcpListener()
    own(listener.fd)
    const wait = watched(readable(listener.fd))
    await turns()
    expect(wait.state).toBe('pending')
    const client = own(c.tcpSocket())
    c.connect(client, listener.port)
    await eventually(() => wait).toEqual({ state: 'resolved', value: true })
    own(c.accept(listener.fd))
    expect(await readable(listener.fd, 0.01)).toBe(false)
  })

  test('a non-blocking connect that succeeds ends in writable, with no error', async () => {
    const listener = c.tcpListener()
    const client = own(c.tcpSocket())
    own(listener.fd)
    expect(c.connect(client, listener.port)).toBe('EINPROGRESS')
    expect(await writable(client, 5)).toBe(true)
    expect(c.socketError(client)).toBe(0)
  })

  test('a non-blocking connect that is refused ends in writable, with the error', async () => {
    const { fd, port } = c.tcpListener()
    c.close(fd)
    const client = own(c.tcpSocket())
    expect(c.connect(client, port)).toBe('EINPROGRESS')
    expect(await writable(client, 5)).toBe(true)
    expect(c.socketError(client)).toBe('ECONNREFUSED')
  })

  test('a refused connect ends a wait for reading too', async () => {
    const { fd, port } = c.tcpListener()
    c.close(fd)
    const client = own(c.tcpSocket())
    c.connect(client, port)
    expect(await readable(client, 5)).toBe(true)
  })

  test('a connect under way is not writable before it has succeeded', async () => {
    const listener = c.tcpListener(0)
    own(listener.fd)
    // The queue of a listener with backlog 0 holds one connection; the next is answered when there is room again.
    const first = own(c.tcpSocket())
    c.connect(first, listener.port)
    await writable(first, 5)
    const second = own(c.tcpSocket())
    expect(c.connect(second, listener.port)).toBe('EINPROGRESS')
    expect(await writable(second, 0.05)).toBe(false)
    const wait = writable(second, 15)
    own(c.accept(listener.fd))
    expect(await wait).toBe(true)
    expect(c.socketError(second)).toBe(0)
  })

  test('a fifo opened for reading only becomes readable when a writer writes', async () => {
    const path = fifo()
    const r = openPath(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const w = openPath(path, constants.O_WRONLY | constants.O_NONBLOCK)
    expect(await readable(r, 0.01)).toBe(false)
    const wait = readable(r)
    c.write(w)
    expect(await wait).toBe(true)
  })

  test('a fifo opened for reading only is not readable before its first writer', async () => {
    const r = openPath(fifo(), constants.O_RDONLY | constants.O_NONBLOCK)
    expect(await readable(r, 0.01)).toBe(c.select([r], [], [r]).readable.length > 0)
  })

  test('a fifo opened for reading and writing is writable, and readable after a write of its own', async () => {
    const fd = openPath(fifo(), constants.O_RDWR | constants.O_NONBLOCK)
    expect(await writable(fd, 1)).toBe(true)
    expect(await readable(fd, 0.01)).toBe(false)
    const wait = readable(fd)
    c.write(fd)
    expect(await wait).toBe(true)
  })

  test("a child's stdio pipes are readable and writable like any pipe", async () => {
    const [childIn, toChild] = pipe()
    const [fromChild, childOut] = pipe()
    // A child may be surprised by non-blocking stdio.
    for (const fd of [childIn, childOut]) c.setFlags(fd, c.flags(fd) & ~c.O.NONBLOCK)
    const child = spawn('cat', { stdio: [childIn, childOut, 'inherit'] })
    onTestFinished(() => void child.kill())
    close(childIn)
    close(childOut)
    expect(await readable(fromChild, 0.05)).toBe(false)
    expect(await writable(toChild, 1)).toBe(true)
    c.write(toChild, 'through the child')
    expect(await readable(fromChild, 10)).toBe(true)
    expect(new TextDecoder().decode(c.read(fromChild) as Uint8Array)).toBe('through the child')
    close(toChild)
    expect(await readable(fromChild, 10)).toBe(true)
    expect(c.read(fromChild)).toHaveLength(0)
  })

  test('a UDP socket is writable, and readable once per datagram', async () => {
    const receiver = c.udpSocket()
    const sender = c.udpSocket()
    own([receiver.fd, sender.fd])
    expect(await writable(receiver.fd, 1)).toBe(true)
    const wait = watched(readable(receiver.fd))
    await turns()
    expect(wait.state).toBe('pending')
    c.connect(sender.fd, receiver.port)
    c.write(sender.fd, 'one')
    c.write(sender.fd, 'two')
    await eventually(() => wait).toEqual({ state: 'resolved', value: true })
    c.read(receiver.fd)
    expect(await readable(receiver.fd, 1)).toBe(true)
    c.read(receiver.fd)
    expect(await readable(receiver.fd, 0.01)).toBe(false)
  })

  test('an empty datagram makes a socket readable', async () => {
    const [a, b] = socketpair('dgram')
    const wait = readable(b, 5)
    c.write(a, '')
    expect(await wait).toBe(true)
  })

  test('an inotify descriptor is readable when something happened in its directory', async () => {
    const directory = temporaryDirectory()
    const fd = own(c.inotify())
    c.inotifyWatch(fd, directory)
    const wait = watched(readable(fd))
    await turns()
    expect(wait.state).toBe('pending')
    writeFileSync(join(directory, 'new'), '')
    await eventually(() => wait).toEqual({ state: 'resolved', value: true })
  })

  test('a timerfd is readable after it expired, until it is read', async () => {
    const fd = own(c.timerfd(0.02))
    expect(await readable(fd, 0)).toBe(false)
    expect(await readable(fd, 10)).toBe(true)
    c.read(fd, 8)
    expect(await readable(fd, 0.01)).toBe(false)
  })

  test('an eventfd is readable when its counter is above zero', async () => {
    const fd = own(c.eventfd())
    const wait = watched(readable(fd))
    await turns()
    expect(wait.state).toBe('pending')
    c.write(fd, new Uint8Array(BigUint64Array.of(1n).buffer))
    await eventually(() => wait).toEqual({ state: 'resolved', value: true })
  })

  test('an eventfd is writable until its counter is full', async () => {
    const fd = own(c.eventfd())
    expect(await writable(fd, 1)).toBe(true)
    c.write(fd, new Uint8Array(BigUint64Array.of(2n ** 64n - 2n).buffer))
    expect(await writable(fd, 0.01)).toBe(false)
    const wait = writable(fd, 5)
    c.read(fd, 8)
    expect(await wait).toBe(true)
  })

  test('an epoll descriptor is readable when one of its members is ready', async () => {
    const [r, w] = pipe()
    const epoll = own(c.epoll())
    c.epollAdd(epoll, r)
    const wait = watched(readable(epoll))
    await turns()
    expect(wait.state).toBe('pending')
    c.write(w)
    await eventually(() => wait).toEqual({ state: 'resolved', value: true })
    c.drain(r)
    expect(await readable(epoll, 0.01)).toBe(false)
  })

  test('data from the slave makes a pty master readable, and the other way round', async () => {
    const { master, slavePath } = c.pty()
    own(master)
    const slave = openPath(slavePath, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK)
    expect(await readable(master, 0.01)).toBe(false)
    c.write(slave, 'to the master')
    expect(await readable(master, 5)).toBe(true)
    expect(await readable(slave, 0.01)).toBe(false)
    c.write(master, 'a line\n')
    expect(await readable(slave, 5)).toBe(true)
  })
})

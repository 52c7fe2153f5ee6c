import { constants } from 'node:fs'
import { readable, select, writable } from 'fdevent'
import { describe, expect, test } from 'vitest'
import * as c from './helpers/libc.js'
import {
  close,
  cpuSeconds,
  eventually,
  fifo,
  openPath,
  own,
  pipe,
  socketpair,
  tcpPair,
  turns,
  watched,
} from './helpers/owned.js'

const { IN, OUT, PRI, ERR, HUP } = c.POLL

/** What select(2) makes of the state that poll(2) reports. */
function oracle(fd: number): { readable: boolean; writable: boolean } {
  const state = c.poll(fd, IN | OUT | PRI)
  return { readable: (state & (IN | HUP | ERR | PRI)) !== 0, writable: (state & (OUT | ERR | PRI)) !== 0 }
}

/** Both waits, polling and waiting, answer as the oracle does; and this is the answer the test means. */
async function expectState(fd: number, expected: { readable: boolean; writable: boolean }): Promise<void> {
  await eventually(() => oracle(fd)).toEqual(expected)
  expect({ readable: await readable(fd, 0), writable: await writable(fd, 0) }).toEqual(expected)
  expect({ readable: await readable(fd, 0.02), writable: await writable(fd, 0.02) }).toEqual(expected)
}

describe('pipe', () => {
  test('the read end is readable after its writer has closed, and never writable', async () => {
    const [r, w] = pipe()
    close(w)
    await expectState(r, { readable: true, writable: false })
    expect(c.read(r)).toHaveLength(0)
    await expectState(r, { readable: true, writable: false })
  })

  test('a writer that closes ends a pending wait for reading', async () => {
    const [r, w] = pipe()
    const wait = watched(readable(r))
    await turns()
    expect(wait.state).toBe('pending')
    close(w)
    await eventually(() => wait).toEqual({ state: 'resolved', value: true })
  })

  test('data and end of file together are readable before and after the data is read', async () => {
    const [r, w] = pipe()
    c.write(w, 'last words')
    close(w)
    expect(c.poll(r, IN)).toBe(IN | HUP)
    await expectState(r, { readable: true, writable: false })
    expect(c.drain(r)).toBe(10)
    expect(c.poll(r, IN)).toBe(HUP)
    await expectState(r, { readable: true, writable: false })
  })

  test('the write end is writable after its reader has closed, and a write then fails with EPIPE', async () => {
    const [r, w] = pipe()
    close(r)
    await expectState(w, { readable: true, writable: true })
    expect(() => c.write(w)).toThrow('EPIPE')
  })

  test('a reader that closes ends a pending wait for room', async () => {
    const [r, w] = pipe()
    c.fill(w)
    const wait = watched(writable(w))
    await turns()
    expect(wait.state).toBe('pending')
    close(r)
    await eventually(() => wait).toEqual({ state: 'resolved', value: true })
  })

  test('one of two writers closing is no end of file', async () => {
    const [r, w] = pipe()
    const second = own(c.dup(w))
    const wait = watched(readable(r))
    close(w)
    await turns()
    expect(wait.state).toBe('pending')
    expect(oracle(r).readable).toBe(false)
    close(second)
    await eventually(() => wait).toEqual({ state: 'resolved', value: true })
  })

  test('a hang-up of a fifo ends when another writer opens it', async () => {
    const path = fifo()
    const r = openPath(path, constants.O_RDONLY | constants.O_NONBLOCK)
    close(openPath(path, constants.O_WRONLY | constants.O_NONBLOCK))
    await expectState(r, { readable: true, writable: false })
    const w = openPath(path, constants.O_WRONLY | constants.O_NONBLOCK)
    await expectState(r, { readable: false, writable: false })
    const wait = readable(r, 5)
    c.write(w)
    expect(await wait).toBe(true)
  })
})

describe('a wait that a hang-up does not answer', () => {
  test('waiting to write to a hung-up read end costs no processor time', async () => {
    const [r, w] = pipe()
    close(w)
    let result: boolean | undefined
    const used = await cpuSeconds(async () => {
      result = await writable(r, 0.6)
    })
    expect(result).toBe(false)
    expect(used).toBeLessThan(0.3)
  })

  test('it costs none either when the hang-up comes during the wait', async () => {
    const [r, w] = pipe()
    const wait = writable(r, 0.6)
    await turns()
    close(w)
    expect(await cpuSeconds(() => wait)).toBeLessThan(0.3)
    expect(await wait).toBe(false)
  })

  test('ten such waits on one descriptor cost none either', async () => {
    const [r, w] = pipe()
    close(w)
    const waits = Array.from({ length: 10 }, (_, i) => writable(r, 0.5 + i / 100))
    expect(await cpuSeconds(() => Promise.all(waits))).toBeLessThan(0.3)
    expect(new Set(await Promise.all(waits))).toEqual(new Set([false]))
  })

  test('waiting for an exceptional condition alone on hung-up descriptors costs none', async () => {
    const [r, w] = pipe()
    close(w)
    const [r2, w2] = pipe()
    close(r2)
    const [a, b] = socketpair()
    close(b)
    const wait = select([], [], [r, w2, a, own(c.tcpSocket())], 0.6)
    expect(await cpuSeconds(() => wait)).toBeLessThan(0.3)
    expect(await wait).toEqual({ readable: [], writable: [], exceptional: [] })
  })

  test('a reader on the same descriptor settles, and the writer goes on waiting', async () => {
    const [r, w] = pipe()
    const writer = watched(writable(r, 0.3))
    const reader = readable(r)
    close(w)
    expect(await reader).toBe(true)
    await turns()
    expect(writer.state).toBe('pending')
    await eventually(() => writer).toEqual({ state: 'resolved', value: false })
  })

  test('a reader that comes later is served at once, time after time', async () => {
    const [r, w] = pipe()
    close(w)
    const writer = watched(writable(r, 0.5))
    await turns()
    for (let i = 0; i < 20; i += 1) expect(await readable(r, 5)).toBe(true)
    await eventually(() => writer).toEqual({ state: 'resolved', value: false })
  })

  test('it is still served when the hang-up is over and there is room', async () => {
    const { master, slavePath } = c.pty()
    own(master)
    const flags = constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK
    // A line at a time, so that the slave can read all of it later.
    const slave = openPath(slavePath, flags)
    const line = 'x'.repeat(79).concat('\n')
    while (c.write(master, line) !== null);
    close(slave)
    // The kernel goes on moving what was written to the slave's line discipline, in a worker of its own, and so makes room
    // after the close: only what is full for several turns is full.
    for (let full = 0; full < 5; full += 1) {
      while (c.write(master, line) !== null) full = 0
      await turns()
      if (c.poll(master, OUT) !== HUP) full = -1
    }
    expect(c.poll(master, OUT)).toBe(HUP)
    const wait = watched(writable(master, 15))
    await turns()
    expect(wait.state).toBe('pending')
    const again = openPath(slavePath, flags)
    await eventually(() => {
      c.drain(again)
      c.drain(master) // its echo
      return wait
    }).toEqual({ state: 'resolved', value: true })
    expect(oracle(master).writable).toBe(true)
  })
})

describe.each([
  ['UNIX socket pair', socketpair],
  ['TCP pair', tcpPair],
])('%s', (_name, open) => {
  test('the peer ending its side is readable, time after time, and no obstacle to writing', async () => {
    const [a, b] = open()
    c.shutdown(b, 'write')
    for (let i = 0; i < 3; i += 1) {
      await expectState(a, { readable: true, writable: true })
      expect(c.read(a)).toHaveLength(0)
    }
    c.write(a, 'still')
    expect(await readable(b, 5)).toBe(true)
  })

  test('the peer ending its side ends a pending wait for reading', async () => {
    const [a, b] = open()
    const wait = watched(readable(a))
    await turns()
    expect(wait.state).toBe('pending')
    c.shutdown(b, 'write')
    await eventually(() => wait).toEqual({ state: 'resolved', value: true })
  })

  test('both sides ended: readable, and as writable as the oracle says', async () => {
    const [a, b] = open()
    c.shutdown(a, 'write')
    c.shutdown(b, 'write')
    await eventually(() => c.poll(a, IN) & HUP).toBe(HUP)
    await expectState(a, { readable: true, writable: oracle(a).writable })
  })

  test('a full close of the peer ends waits in both directions', async () => {
    const [a, b] = open()
    c.fill(a)
    const reader = watched(readable(a))
    const writer = watched(writable(a))
    await turns()
    expect([reader.state, writer.state]).toEqual(['pending', 'pending'])
    close(b)
    await eventually(() => oracle(a)).toEqual({ readable: true, writable: true })
    await eventually(() => reader).toEqual({ state: 'resolved', value: true })
    await eventually(() => writer).toEqual({ state: 'resolved', value: true })
  })

  test('data sent before the close is readable, and so is the end after it', async () => {
    const [a, b] = open()
    c.write(b, 'bye')
    close(b)
    await expectState(a, { readable: true, writable: true })
    expect(c.drain(a)).toBe(3)
    await expectState(a, { readable: true, writable: true })
  })
})

describe('TCP', () => {
  test('a reset is readable and writable, and its error is left for the program', async () => {
    const [a, b] = tcpPair()
    c.resetOnClose(b)
    close(b)
    await eventually(() => c.poll(a, IN | OUT) & (ERR | HUP)).toBe(ERR | HUP)
    await expectState(a, { readable: true, writable: true })
    expect(c.socketError(a)).toBe('ECONNRESET')
    await expectState(a, { readable: true, writable: true })
  })

  test('a reset ends waits in both directions', async () => {
    const [a, b] = tcpPair()
    c.fill(a)
    const waits = Promise.all([readable(a, 10), writable(a, 10)])
    await turns()
    c.resetOnClose(b)
    close(b)
    expect(await waits).toEqual([true, true])
  })

  test('a socket that was never connected answers as the oracle does', async () => {
    const fd = own(c.tcpSocket())
    expect(c.poll(fd, IN | OUT)).toBe(OUT | HUP)
    await expectState(fd, { readable: true, writable: true })
  })
})

describe('pty', () => {
  const flags = constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK

  test('the master is readable when the slave closes, and reading fails with EIO', async () => {
    const { master, slavePath } = c.pty()
    own(master)
    const slave = openPath(slavePath, flags)
    const wait = watched(readable(master))
    await turns()
    expect(wait.state).toBe('pending')
    close(slave)
    await eventually(() => wait).toEqual({ state: 'resolved', value: true })
    await expectState(master, { readable: true, writable: oracle(master).writable })
    expect(() => c.read(master)).toThrow('EIO')
  })

  test('what the slave wrote before it closed is readable first', async () => {
    const { master, slavePath } = c.pty()
    own(master)
    const slave = openPath(slavePath, flags)
    c.write(slave, 'last words')
    close(slave)
    expect(await readable(master, 5)).toBe(true)
    expect(c.read(master)).toHaveLength(10)
    expect(await readable(master, 5)).toBe(true)
  })

  test('the slave is readable when the master closes', async () => {
    const { master, slavePath } = c.pty()
    own(master)
    const slave = openPath(slavePath, flags)
    const wait = readable(slave, 10)
    await turns()
    close(master)
    expect(await wait).toBe(true)
    await expectState(slave, oracle(slave))
  })
})

test('shutting down the own reading side is readable at once', async () => {
  const [a] = socketpair()
  const wait = readable(a, 10)
  c.shutdown(a, 'read')
  expect(await wait).toBe(true)
  expect(oracle(a).readable).toBe(true)
})

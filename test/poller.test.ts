import net from 'node:net'
import {
  ERROR,
  FdError,
  HANGUP,
  platform,
  PRIORITY,
  readable,
  READABLE,
  statistics,
  type Poller,
  WRITABLE,
} from 'fdevent'
import { expect, onTestFinished, test } from 'vitest'
import * as c from './helpers/libc.js'
import { close, closedNumber, own, openPath, pipe, socketpair, tcpPair, temporaryDirectory } from './helpers/owned.js'
import { poller as create, polled } from './helpers/watching.js'

const code = (value: string) => expect.objectContaining({ code: value })
/** What one wait found: pairs of descriptor and readiness. */
function found(poller: Poller, timeout: number | null = 0): [number, number][] {
  const count = poller.wait(timeout)
  return Array.from({ length: count }, (_, i) => [poller.events[2 * i] as number, poller.events[2 * i + 1] as number])
}

test('a level registration is reported by every wait until it is drained', () => {
  const poller = create()
  const [r, w] = pipe()
  poller.add(r, READABLE)
  expect(found(poller)).toEqual([])
  c.write(w)
  for (let i = 0; i < 200; i += 1) expect(found(poller, 10)).toEqual([[r, READABLE]])
  c.drain(r)
  expect(found(poller)).toEqual([])
})

test('level is the default mode', () => {
  const poller = create()
  const [r, w] = pipe()
  poller.add(r, 0)
  poller.modify(r, READABLE)
  c.write(w)
  expect([found(poller), found(poller)]).toEqual([[[r, READABLE]], [[r, READABLE]]])
})

test('an edge registration is reported once for each edge', () => {
  const poller = create()
  const [r, w] = pipe()
  poller.add(r, READABLE, 'edge')
  for (let i = 0; i < 5; i += 1) {
    c.write(w)
    expect([found(poller, 10), found(poller), found(poller)]).toEqual([[[r, READABLE]], [], []])
  }
})

test('a one-shot registration is reported once, and armed again by modify', () => {
  const poller = create()
  const [r, w] = pipe()
  poller.add(r, READABLE, 'oneshot')
  for (let i = 0; i < 5; i += 1) {
    c.write(w)
    expect(found(poller, 10)).toEqual([[r, READABLE]])
    c.write(w)
    expect(found(poller)).toEqual([])
    poller.modify(r, READABLE, 'oneshot')
  }
  expect(found(poller)).toEqual([[r, READABLE]])
})

test('a one-shot registration that was reported stays added', () => {
  const poller = create()
  const [r, w] = pipe()
  poller.add(r, READABLE, 'oneshot')
  c.write(w)
  found(poller, 10)
  expect(() => poller.add(r, READABLE)).toThrow(code('EEXIST'))
  poller.remove(r)
  poller.add(r, READABLE, 'oneshot')
  expect(found(poller)).toEqual([[r, READABLE]])
})

const MODES = ['level', 'edge', 'oneshot'] as const
for (const from of MODES) {
  for (const to of MODES) {
    test(`modify from ${from} to ${to}`, () => {
      const poller = create()
      const [r, w] = pipe()
      c.write(w)
      poller.add(r, READABLE, from)
      found(poller)
      poller.modify(r, READABLE, to)
      const rounds = [found(poller), found(poller)]
      c.write(w)
      rounds.push(found(poller))
      const ready = [[r, READABLE]]
      expect(rounds).toEqual({ level: [ready, ready, ready], edge: [ready, [], ready], oneshot: [ready, [], []] }[to])
    })
  }
}

test('modify replaces the interest', () => {
  const poller = create()
  const [a, b] = socketpair()
  c.write(b)
  poller.add(a, READABLE)
  expect(found(poller)).toEqual([[a, READABLE]])
  poller.modify(a, WRITABLE)
  expect(found(poller)).toEqual([[a, WRITABLE]])
  poller.modify(a, READABLE | WRITABLE)
  expect(found(poller)).toEqual([[a, READABLE | WRITABLE]])
  poller.modify(a, 0)
  expect(found(poller)).toEqual([])
})

test('added twice is EEXIST, and the first stays as it is', () => {
  const poller = create()
  const [a, b] = socketpair()
  poller.add(a, READABLE, 'edge')
  for (const mode of MODES) {
    let error: unknown
    try {
      poller.add(a, WRITABLE, mode)
    } catch (thrown) {
      error = thrown
    }
    expect(error).toBeInstanceOf(FdError)
    expect(error).toMatchObject({ code: 'EEXIST', fd: a })
  }
  expect(found(poller)).toEqual([])
  c.write(b)
  expect(() => poller.add(a, WRITABLE)).toThrow(code('EEXIST'))
  expect([found(poller), found(poller)]).toEqual([[[a, READABLE]], []])
})

test('modify and remove of what was never added are ENOENT', () => {
  const poller = create()
  const [r] = pipe()
  for (const fd of [r, closedNumber(), 2 ** 31 - 1]) {
    expect(() => poller.modify(fd, READABLE)).toThrow(code('ENOENT'))
    expect(() => poller.remove(fd)).toThrow(code('ENOENT'))
  }
})

test('what was removed is reported no more, and is unknown', () => {
  const poller = create()
  const [r, w] = pipe()
  poller.add(r, READABLE)
  c.write(w)
  poller.remove(r)
  expect(found(poller)).toEqual([])
  expect(() => poller.remove(r)).toThrow(code('ENOENT'))
  expect(() => poller.modify(r, READABLE)).toThrow(code('ENOENT'))
  poller.add(r, READABLE)
  expect(found(poller)).toEqual([[r, READABLE]])
})

test('a closed number is EBADF, and is not added', () => {
  const poller = create()
  const fd = closedNumber()
  expect(() => poller.add(fd, READABLE)).toThrow(code('EBADF'))
  expect(() => poller.remove(fd)).toThrow(code('ENOENT'))
})

for (const mode of MODES) {
  test(`what has no readiness is EPERM whatever the interest, ${mode}`, () => {
    const poller = create()
    for (const fd of [
      openPath(import.meta.filename, 'r'),
      openPath(temporaryDirectory(), 'r'),
      openPath('/dev/null', 'r+'),
    ]) {
      for (const interest of [READABLE, WRITABLE, PRIORITY, HANGUP, ERROR, 0]) {
        expect(() => poller.add(fd, interest, mode), `interest ${interest}`).toThrow(code('EPERM'))
        expect(() => poller.remove(fd)).toThrow(code('ENOENT'))
      }
    }
  })
}

test('one descriptor in two pollers: both report it, each in its mode', () => {
  const [first, second] = [create(), create()]
  const [r, w] = pipe()
  first.add(r, READABLE, 'oneshot')
  second.add(r, READABLE)
  c.write(w)
  expect([found(first), found(second), found(first), found(second)]).toEqual([
    [[r, READABLE]],
    [[r, READABLE]],
    [],
    [[r, READABLE]],
  ])
  first.close()
  expect(found(second)).toEqual([[r, READABLE]])
})

test('a descriptor and its duplicate are two', () => {
  const poller = create()
  const [r, w] = pipe()
  const duplicate = own(c.dup(r))
  poller.add(r, READABLE)
  poller.add(duplicate, READABLE)
  c.write(w)
  expect(found(poller).sort(([a], [b]) => a - b)).toEqual([
    [r, READABLE],
    [duplicate, READABLE],
  ])
})

for (const capacity of [1, 3, 7]) {
  test(`more ready than the capacity of ${capacity}: all are served, in rotation`, () => {
    const poller = create({ capacity })
    const fds = Array.from({ length: 20 }, () => own(c.eventfd(1)))
    for (const fd of fds) poller.add(fd, READABLE)
    const served = new Map<number, number>()
    const rounds = Math.ceil(fds.length / capacity)
    for (let i = 0; i < rounds * 5; i += 1) {
      const events = found(poller)
      expect(events).toHaveLength(capacity)
      for (const [fd] of events) served.set(fd, (served.get(fd) ?? 0) + 1)
      if (i === rounds - 1) expect(served.size).toBe(fds.length)
    }
    expect(Math.max(...served.values()) - Math.min(...served.values())).toBeLessThanOrEqual(1)
  })
}

test('edges and one-shots beyond the capacity wait for the next wait, and none is lost', () => {
  const poller = create({ capacity: 4 })
  const fds = Array.from({ length: 30 }, () => own(c.eventfd(1)))
  for (const [i, fd] of fds.entries()) poller.add(fd, READABLE, i % 2 ? 'edge' : 'oneshot')
  const served: number[] = []
  for (let events = found(poller); events.length > 0; events = found(poller)) served.push(...events.map(([fd]) => fd))
  expect(served.sort((a, b) => a - b)).toEqual(fds)
})

test('events has room for the capacity, 256 by default', () => {
  expect(create().events).toHaveLength(512)
  expect(create({ capacity: 1 }).events).toHaveLength(2)
  expect(create({ capacity: 65_536 }).events).toHaveLength(131_072)
  expect(create({}).events).toHaveLength(512)
})

test('events is always the same array', () => {
  const poller = create()
  const { events } = poller
  const [r, w] = pipe()
  poller.add(r, READABLE)
  c.write(w)
  poller.wait(10)
  expect(poller.events).toBe(events)
  expect(events).toBeInstanceOf(Int32Array)
  expect([...events.subarray(0, 2)]).toEqual([r, READABLE])
})

test('events cannot be detached by sending it away', () => {
  const poller = create()
  const { events } = poller
  const [r, w] = pipe()
  poller.add(r, READABLE)
  c.write(w)
  const { port1, port2 } = new MessageChannel()
  onTestFinished(() => [port1, port2].forEach((port) => port.close()))
  const away = [
    () => structuredClone(events, { transfer: [events.buffer as never] }),
    () => port1.postMessage(events, [events.buffer as never]),
    () => (events.buffer as { transfer?: () => unknown }).transfer?.(),
  ]
  for (const send of away) {
    try {
      send()
    } catch {
      // Refused is as good.
    }
    expect(events).toHaveLength(512)
    expect(poller.wait(10)).toBe(1)
    expect([...events.subarray(0, 2)]).toEqual([r, READABLE])
  }
})

test('what poll(2) says is what a poller reports, hang-up and error unasked', () => {
  const [r1, w1] = pipe()
  close(w1)
  const [r2, w2] = pipe()
  c.write(w2)
  close(w2)
  const [r3, w3] = pipe()
  close(r3)
  const [a, b] = socketpair()
  close(b)
  const [t, u] = tcpPair()
  c.sendOutOfBand(u)
  const fds = [r1, r2, w3, a, t, u]
  for (let interest = 0; interest < 32; interest += 1) {
    const poller = create()
    for (const fd of fds) poller.add(fd, interest)
    const expected = fds.map((fd) => [fd, polled(fd, interest)]).filter(([, ready]) => ready !== 0)
    const events = found(poller).sort(([one], [other]) => fds.indexOf(one) - fds.indexOf(other))
    expect(events, `interest ${interest}`).toEqual(expected)
    poller.close()
  }
})

test('a poller shares descriptors with waits, which it does not disturb', async () => {
  const poller = create()
  const [r, w] = pipe()
  const wait = readable(r, 10)
  poller.add(r, READABLE)
  c.write(w)
  expect(found(poller)).toEqual([[r, READABLE]])
  expect(await wait).toBe(true)
  expect(found(poller)).toEqual([[r, READABLE]])
  expect(statistics().armed).toBe(0)
})

test('its descriptor is readable in another poller exactly when it has events', () => {
  const [inner, outer] = [create(), create()]
  const [r, w] = pipe()
  inner.add(r, READABLE)
  outer.add(inner.fd, READABLE)
  for (let i = 0; i < 3; i += 1) {
    expect(found(outer)).toEqual([])
    c.write(w)
    expect(found(outer, 10)).toEqual([[inner.fd, READABLE]])
    expect(found(inner)).toEqual([[r, READABLE]])
    c.drain(r)
  }
  expect(found(outer)).toEqual([])
})

test('its descriptor is readable in readable() exactly when it has events', async () => {
  const poller = create()
  const [r, w] = pipe()
  poller.add(r, READABLE)
  expect(await readable(poller.fd, 0)).toBe(false)
  const wait = readable(poller.fd, 10)
  c.write(w)
  expect(await wait).toBe(true)
  expect(found(poller)).toEqual([[r, READABLE]])
  c.drain(r)
  expect(await readable(poller.fd, 0.01)).toBe(false)
})

test('a reported edge or one-shot leaves its descriptor unreadable', async () => {
  for (const mode of ['edge', 'oneshot'] as const) {
    const poller = create()
    poller.add(own(c.eventfd(1)), READABLE, mode)
    expect(await readable(poller.fd, 0)).toBe(true)
    expect(found(poller)).toHaveLength(1)
    expect(await readable(poller.fd, 0)).toBe(false)
  }
})

test('a poller refuses itself', () => {
  const poller = create()
  expect(() => poller.add(poller.fd, READABLE)).toThrow(/EINVAL|ELOOP/)
  expect(poller.wait(0)).toBe(0)
})

// kqueue does not look for circles.
test.runIf(platform().backend === 'epoll')('a cycle of pollers is refused', () => {
  const [a, b, d] = [create(), create(), create()]
  a.add(b.fd, READABLE)
  b.add(d.fd, READABLE)
  expect(() => b.add(a.fd, READABLE)).toThrow(code('ELOOP'))
  expect(() => d.add(a.fd, READABLE)).toThrow(code('ELOOP'))
  const [r, w] = pipe()
  d.add(r, READABLE)
  c.write(w)
  expect(found(a)).toEqual([[b.fd, READABLE]])
})

test('objects with a descriptor are accepted', async () => {
  const poller = create()
  const [r, w] = pipe()
  poller.add({ fileno: () => r }, READABLE)
  c.write(w)
  expect(found(poller)).toEqual([[r, READABLE]])
  poller.modify({ fd: r }, 0)
  poller.remove({ fd: r })
  const server = net.createServer().listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  poller.add(server, READABLE)
  poller.remove(server)
})

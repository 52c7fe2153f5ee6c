import { once } from 'node:events'
import net from 'node:net'
import { closing, readable, select, statistics, writable } from 'fdevent'
import { expect, onTestFinished, test } from 'vitest'
import * as c from './helpers/libc.js'

function pipe() {
  const fds = c.pipe()
  onTestFinished(() => fds.forEach(c.close))
  return fds
}

function socketpair() {
  const fds = c.socketpair()
  onTestFinished(() => fds.forEach(c.close))
  return fds
}

const many = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i))

test('ten readers of one descriptor all settle on one byte', async () => {
  const [r, w] = pipe()
  const waits = many(10, () => readable(r, 10))
  expect(statistics()).toMatchObject({ waits: 10, timed: 10, registered: 1, armed: 1 })
  c.write(w)
  expect(await Promise.all(waits)).toEqual(Array(10).fill(true))
})

test('ten writers of one full descriptor all settle when it drains', async () => {
  const [r, w] = pipe()
  c.fill(w)
  const waits = many(10, () => writable(w, 10))
  c.drain(r)
  expect(await Promise.all(waits)).toEqual(Array(10).fill(true))
})

for (const [which, index] of [
  ['first', 0],
  ['middle', 1],
  ['last', 2],
] as const) {
  test(`cancelling the ${which} of three waits leaves the others to be served`, async () => {
    const [r, w] = pipe()
    const controllers = many(3, () => new AbortController())
    const waits = controllers.map(({ signal }) => readable(r, 10, { signal }))
    const cancelled = expect(waits[index]).rejects.toMatchObject({ code: 'ABORT_ERR' })
    controllers[index]?.abort()
    await cancelled
    expect(statistics()).toMatchObject({ waits: 2, armed: 1 })
    c.write(w)
    expect(await Promise.all(waits.filter((_, i) => i !== index))).toEqual([true, true])
  })
}

test('cancelling the only reader of a socket leaves its writer armed', async () => {
  const [a, b] = socketpair()
  c.fill(a)
  const controller = new AbortController()
  const reader = readable(a, 10, { signal: controller.signal })
  const cancelled = expect(reader).rejects.toMatchObject({ code: 'ABORT_ERR' })
  const writer = writable(a, 10)
  controller.abort()
  await cancelled
  c.drain(b)
  expect(await writer).toBe(true)
})

test('a timeout of one wait does not end its neighbours', async () => {
  const [r, w] = pipe()
  const long = many(3, () => readable(r, 10))
  const short = many(3, () => readable(r, 0.01))
  expect(await Promise.all(short)).toEqual([false, false, false])
  expect(statistics()).toMatchObject({ waits: 3, armed: 1 })
  c.write(w)
  expect(await Promise.all(long)).toEqual([true, true, true])
})

test('waits with fifty different timeouts on one descriptor end in the order of their deadlines', async () => {
  const [r] = pipe()
  const ended: { earliest: number; latest: number }[] = []
  const order = many(50, (i) => (i * 17) % 50)
  await Promise.all(
    order.map(async (rank) => {
      const seconds = 0.01 + rank * 0.004
      // The clock starts somewhere inside the call, and the machine may stand still between two of them.
      const before = performance.now() / 1000
      const wait = readable(r, seconds)
      const deadline = { earliest: before + seconds, latest: performance.now() / 1000 + seconds }
      expect(await wait).toBe(false)
      ended.push(deadline)
    }),
  )
  expect(ended).toHaveLength(50)
  for (const [i, { latest }] of ended.slice(1).entries()) {
    expect(ended[i]?.earliest).toBeLessThanOrEqual(latest)
  }
})

test('a writer is served while a reader is armed, and the reader afterwards', async () => {
  const [a, b] = socketpair()
  const reader = readable(a, 10)
  expect(await writable(a, 10)).toBe(true)
  expect(statistics()).toMatchObject({ waits: 1, armed: 1 })
  c.write(b)
  expect(await reader).toBe(true)
})

test('a reader is served while a writer is armed, and the writer afterwards', async () => {
  const [a, b] = socketpair()
  c.fill(a)
  const writer = writable(a, 10)
  c.write(b)
  expect(await readable(a, 10)).toBe(true)
  c.drain(b)
  expect(await writer).toBe(true)
})

test('reader and writer that become ready at once both settle', async () => {
  const [a, b] = socketpair()
  c.fill(a)
  const waits = [readable(a, 10), writable(a, 10)]
  c.drain(b)
  c.write(b)
  expect(await Promise.all(waits)).toEqual([true, true])
})

test('a reader, a writer and a select share one descriptor', async () => {
  const [a, b] = socketpair()
  c.fill(a)
  const writer = writable(a, 10)
  const reader = readable(a, 10)
  const selected = select([a], [], [], 10)
  c.write(b)
  expect(await reader).toBe(true)
  expect(await selected).toEqual({ readable: [a], writable: [], exceptional: [] })
  c.drain(b)
  expect(await writer).toBe(true)
})

test('one byte answers a select over many descriptors and the plain waits on each of them', async () => {
  const pipes = many(5, pipe)
  const readers = pipes.map(([r]) => r)
  const selected = select(readers, [], [], 10)
  const plain = readers.map((fd) => readable(fd, 10))
  c.write(pipes[3]?.[1] as number)
  expect((await selected).readable).toEqual([readers[3]])
  expect(await plain[3]).toBe(true)
  expect(statistics()).toMatchObject({ waits: 4, armed: 4 })
  for (const [, w] of pipes) c.write(w)
  expect(await Promise.all(plain)).toEqual(Array(5).fill(true))
})

test('a wait started by the continuation of another one on the same descriptor is served', async () => {
  const [r, w] = pipe()
  const first = readable(r, 10).then(async (ready) => [ready, await readable(r, 10)])
  const second = readable(r, 10)
  c.write(w)
  expect(await first).toEqual([true, true])
  expect(await second).toBe(true)
})

test('a descriptor and its duplicate are both served by one byte', async () => {
  const [r, w] = pipe()
  const duplicate = c.dup(r)
  onTestFinished(() => c.close(duplicate))
  const waits = [readable(r, 10), readable(duplicate, 10)]
  expect(statistics()).toMatchObject({ waits: 2, armed: 2 })
  c.write(w)
  expect(await Promise.all(waits)).toEqual([true, true])
})

test('closing a duplicate leaves the wait on the original alone', async () => {
  const [r, w] = pipe()
  const duplicate = c.dup(r)
  const original = readable(r, 10)
  const other = expect(readable(duplicate, 10)).rejects.toMatchObject({ code: 'EBADF', fd: duplicate })
  closing(duplicate)
  c.close(duplicate)
  await other
  c.write(w)
  expect(await original).toBe(true)
})

test('both ends of one socket pair can be waited for', async () => {
  const [a, b] = socketpair()
  const waits = [readable(a, 10), readable(b, 10)]
  c.write(a)
  c.write(b)
  expect(await Promise.all(waits)).toEqual([true, true])
})

async function tcp() {
  const server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1')
  const [[accepted]] = (await Promise.all([once(server, 'connection'), once(client, 'connect')])) as [
    [net.Socket],
    unknown,
  ]
  onTestFinished(() => {
    client.destroy()
    accepted.destroy()
    server.close()
  })
  return { client, accepted }
}

test('several waits on a socket of Node are served, and the socket still gets every byte', async () => {
  const { client, accepted } = await tcp()
  const waits = many(3, () => readable(accepted, 10))
  client.write('hello')
  expect(await Promise.all(waits)).toEqual([true, true, true])
  const data = once(accepted, 'data')
  accepted.resume()
  expect(String((await data)[0])).toBe('hello')
})

test('a pending wait does not keep a flowing socket of Node from its data', async () => {
  const { client, accepted } = await tcp()
  accepted.resume()
  const abort = new AbortController()
  const wait = readable(accepted, 10, { signal: abort.signal }).catch(() => 'aborted')
  for (const word of ['one', 'two', 'three']) {
    const data = once(accepted, 'data')
    client.write(word)
    expect(String((await data)[0])).toBe(word)
  }
  abort.abort()
  expect([true, 'aborted']).toContain(await wait)
})

test('a socket of Node is writable while Node reads from it', async () => {
  const { client, accepted } = await tcp()
  const data = once(client, 'data')
  accepted.write('x')
  expect(await Promise.all(many(5, () => writable(client, 10)))).toEqual(Array(5).fill(true))
  expect(String((await data)[0])).toBe('x')
})

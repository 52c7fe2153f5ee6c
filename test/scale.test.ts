import { readFileSync } from 'node:fs'
import { closing, readable, select, statistics } from 'fdevent'
import { expect, onTestFinished, test } from 'vitest'
import * as c from './helpers/libc.js'

// Node raises the soft limit to the hard one when it starts.
const limit = Number(/Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1])

function random(state: number): () => number {
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

function shuffled<T>(list: readonly T[], seed: number): T[] {
  const result = [...list]
  const next = random(seed)
  for (let i = result.length - 1; i > 0; i -= 1) {
    const j = Math.floor(next() * (i + 1))
    ;[result[i], result[j]] = [result[j] as T, result[i] as T]
  }
  return result
}

/** Event counters: one descriptor each, which is its own writing end. */
function counters(count: number): number[] {
  const fds: number[] = []
  onTestFinished(() => {
    for (const fd of fds) {
      closing(fd)
      c.close(fd)
    }
  })
  for (let i = 0; i < count; i += 1) fds.push(c.eventfd())
  return fds
}

const ONE = new Uint8Array(new BigUint64Array([1n]).buffer)
const signal = (fd: number) => c.write(fd, ONE)

test('15,000 descriptors in random order: each write wakes exactly its own wait', { timeout: 120_000 }, async () => {
  expect(limit, 'open files allowed; raise the hard limit (ulimit -Hn)').toBeGreaterThan(15_500)
  const fds = counters(15_000)
  const settled: number[] = []
  const waits = shuffled(fds, 1).map((fd) => readable(fd).then((ready) => settled.push(ready ? fd : -fd)))
  expect(statistics()).toMatchObject({ waits: 15_000, armed: 15_000 })
  const order = shuffled(fds, 2)
  // One by one first, because then nothing else may settle.
  for (const [i, fd] of order.slice(0, 300).entries()) {
    signal(fd)
    while (settled.length <= i) await new Promise(setImmediate)
    expect(settled).toHaveLength(i + 1)
    expect(settled[i]).toBe(fd)
  }
  for (let at = 300; at < order.length; at += 700) {
    const written = order.slice(at, at + 700)
    for (const fd of written) signal(fd)
    while (settled.length < at + written.length) await new Promise(setImmediate)
    expect(settled.slice(at).sort((a, b) => a - b)).toEqual([...written].sort((a, b) => a - b))
  }
  await Promise.all(waits)
})

test(
  '15,000 descriptors with timeouts: all time out, except those that were written to',
  {
    timeout: 120_000,
  },
  async () => {
    const fds = counters(15_000)
    const waits = fds.map((fd) => readable(fd, 1))
    for (const fd of fds) if (fd % 3 === 0) signal(fd)
    const answers = await Promise.all(waits)
    expect(answers.filter((ready, i) => ready !== ((fds[i] as number) % 3 === 0))).toEqual([])
  },
)

for (const number of [1023, 1024, 1025, 4096, 10_000]) {
  test(`descriptor ${number} works as any other`, async () => {
    const [r, w] = c.pipe()
    const high = c.dupAbove(r, number)
    onTestFinished(() => [r, w, high].forEach(c.close))
    expect(high).toBe(number)
    expect(await readable(high, 0.005)).toBe(false)
    const wait = readable(high, 10)
    const selected = select([high], [], [], 10)
    c.write(w)
    expect(await wait).toBe(true)
    expect(await selected).toEqual({ readable: [high], writable: [], exceptional: [] })
  })
}

test('the highest number that the limit allows works as any other', async () => {
  const [r, w] = c.pipe()
  const highest = c.dupAbove(r, limit - 1)
  onTestFinished(() => [r, w, highest].forEach(c.close))
  expect(highest).toBe(limit - 1)
  const wait = readable(highest, 10)
  c.write(w)
  expect(await wait).toBe(true)
})

test('numbers far above the limit are EBADF, and cost no memory', async () => {
  const before = process.memoryUsage().rss
  for (const fd of [limit, 2 ** 24, 2 ** 31 - 1]) {
    await expect(readable(fd, 1)).rejects.toMatchObject({ code: 'EBADF', fd })
    await expect(readable(fd, 0)).rejects.toMatchObject({ code: 'EBADF', fd })
    await expect(select([fd], [], [], 1)).rejects.toMatchObject({ code: 'EBADF', fd })
  }
  expect(process.memoryUsage().rss - before).toBeLessThan(64 * 2 ** 20)
})

test('20,000 waits on one descriptor all settle on one byte', { timeout: 60_000 }, async () => {
  const [r, w] = c.pipe()
  onTestFinished(() => [r, w].forEach(c.close))
  const waits = Array.from({ length: 20_000 }, () => readable(r, 60))
  expect(statistics()).toMatchObject({ waits: 20_000, timed: 20_000, armed: 1 })
  c.write(w)
  const answers = await Promise.all(waits)
  expect(answers.every((ready) => ready === true)).toBe(true)
})

test('20,000 waits on one descriptor all time out at one deadline', { timeout: 60_000 }, async () => {
  const [r, w] = c.pipe()
  onTestFinished(() => [r, w].forEach(c.close))
  const answers = await Promise.all(Array.from({ length: 20_000 }, () => readable(r, 0.05)))
  expect(answers.every((ready) => ready === false)).toBe(true)
})

test('20,000 waits on one descriptor all reject at one close', { timeout: 60_000 }, async () => {
  const [r, w] = c.pipe()
  onTestFinished(() => [r, w].forEach(c.close))
  const waits = Array.from({ length: 20_000 }, () => readable(r).catch((error) => error.code))
  closing(r)
  expect(new Set(await Promise.all(waits))).toEqual(new Set(['EBADF']))
})

test('a select over 5,000 descriptors names the one that is ready', async () => {
  const fds = counters(5000)
  const selected = select(fds, [], fds, 30)
  const chosen = fds[3210] as number
  signal(chosen)
  expect(await selected).toEqual({ readable: [chosen], writable: [], exceptional: [] })
})

test('after a burst its memory is given back', { timeout: 120_000 }, async () => {
  const [r, w] = c.pipe()
  onTestFinished(() => [r, w].forEach(c.close))
  const burst = async () => {
    await Promise.all(Array.from({ length: 50_000 }, () => readable(r, 0.01)))
  }
  const settledMemory = async () => {
    for (let i = 0; i < 4; i += 1) {
      globalThis.gc?.()
      await new Promise(setImmediate)
    }
    const { heapUsed, rss } = process.memoryUsage()
    return { heapUsed, rss }
  }
  await burst()
  const first = await settledMemory()
  for (let i = 0; i < 8; i += 1) await burst()
  const last = await settledMemory()
  expect(last.heapUsed - first.heapUsed).toBeLessThan(4 * 2 ** 20)
  expect(last.rss - first.rss).toBeLessThan(48 * 2 ** 20)
})

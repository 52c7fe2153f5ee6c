import { performance } from 'node:perf_hooks'
import { setImmediate as immediate } from 'node:timers/promises'
import { readable, select, statistics, writable } from 'fdevent'
import { describe, expect, test } from 'vitest'
import * as c from './helpers/libc.js'
import { close, eventually, own, pipe, socketpair, turns, watched } from './helpers/owned.js'

/** Far above what any machine needs, and far below what the waits here would take by themselves. */
const SOON = 10

/** How much too early, in ns, a wait of so many seconds ended; negative: late, as it should be. */
async function earliness(seconds: number, wait: () => Promise<unknown>): Promise<bigint> {
  const start = process.hrtime.bigint()
  await wait()
  return start + BigInt(Math.round(seconds * 1e9)) - process.hrtime.bigint()
}

function fullPipe(): number {
  const [, w] = pipe()
  c.fill(w)
  return w
}

const waits = {
  readable: (fd: number, seconds?: number | null) => readable(fd, seconds),
  writable: (fd: number, seconds?: number | null) => writable(fd, seconds),
  select: (fd: number, seconds?: number | null) => select([], [fd], [], seconds),
}

describe('zero', () => {
  test('answers the present state of a descriptor that is not ready', async () => {
    const fd = fullPipe()
    expect(await readable(fd, 0)).toBe(false)
    expect(await writable(fd, 0)).toBe(false)
  })

  test('answers the present state of a ready descriptor', async () => {
    const [a, b] = socketpair()
    c.write(b)
    expect(await readable(a, 0)).toBe(true)
    expect(await writable(a, 0)).toBe(true)
  })

  test('follows every change of state', async () => {
    const [r, w] = pipe()
    for (let i = 0; i < 50; i += 1) {
      expect(await readable(r, 0)).toBe(false)
      c.write(w)
      expect(await readable(r, 0)).toBe(true)
      c.drain(r)
    }
  })

  test('answers a hundred times without waiting', async () => {
    const [r] = pipe()
    const start = performance.now()
    for (let i = 0; i < 100; i += 1) await readable(r, 0)
    expect(performance.now() - start).toBeLessThan(SOON * 1000)
  })

  test('leaves nothing registered', async () => {
    const before = statistics()
    const [r, w] = pipe()
    await Promise.all([readable(r, 0), writable(w, 0), select([r], [w], [r], 0)])
    expect(statistics()).toEqual(before)
  })

  test('does not disturb a pending wait on the same descriptor', async () => {
    const [r, w] = pipe()
    const wait = watched(readable(r))
    for (let i = 0; i < 20; i += 1) expect(await readable(r, 0)).toBe(false)
    expect(wait.state).toBe('pending')
    c.write(w)
    await eventually(() => wait).toEqual({ state: 'resolved', value: true })
  })
})

describe.each(Object.entries(waits))('%s', (_name, wait) => {
  test.each([
    [0.0001, 300],
    [0.001, 100],
    [0.0031, 60],
    [0.0205, 5],
  ])('is never early with %d s, %d times', async (seconds, times) => {
    const fd = fullPipe()
    for (let i = 0; i < times; i += 1) {
      expect(await earliness(seconds, () => wait(fd, seconds))).toBeLessThanOrEqual(0n)
    }
  })

  test('is not late by more than a busy machine explains', async () => {
    const fd = fullPipe()
    expect(await earliness(0.01, () => wait(fd, 0.01))).toBeGreaterThan(-BigInt(SOON * 1e9))
  })

  test.each([1e-9, 1e-12, Number.MIN_VALUE])('takes %d s for a span, however short: it ends', async (seconds) => {
    const fd = fullPipe()
    const result = await wait(fd, seconds)
    expect(result === false || (result !== true && result.writable.length === 0)).toBe(true)
  })

  test.each([
    ['null', null],
    ['undefined', undefined],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['2^31 - 1 ms', (2 ** 31 - 1) / 1000],
    ['2^31 ms', 2 ** 31 / 1000],
    ['2^32 ms', 2 ** 32 / 1000],
    ['5 years', 5 * 365.25 * 86_400],
    ['2^31 s', 2 ** 31],
    ['2^32 s', 2 ** 32],
    ['2^62 ns', 2 ** 62 / 1e9],
    ['2^63 ns', 2 ** 63 / 1e9],
    ['2^64 ns', 2 ** 64 / 1e9],
    ['1e300 s', 1e300],
    ['the greatest number', Number.MAX_VALUE],
  ])('keeps waiting with a timeout of %s, and still sees what happens', async (_timeout, timeout) => {
    const [a, b] = socketpair()
    c.fill(a)
    const pending = watched(wait(a, timeout) as Promise<unknown>)
    await turns(1)
    expect(pending.state).toBe('pending')
    c.write(b)
    c.drain(b)
    await eventually(() => pending.state).toBe('resolved')
    expect(pending.value).toEqual(pending.value === true ? true : { readable: [], writable: [a], exceptional: [] })
  })

  test('leaves nothing registered after a timeout', async () => {
    const before = statistics()
    const fd = fullPipe()
    await wait(fd, 0.002)
    expect(statistics()).toEqual(before)
  })

  test('leaves nothing registered after many timeouts at once', async () => {
    const before = statistics()
    const fds = Array.from({ length: 20 }, fullPipe)
    await Promise.all(fds.flatMap((fd) => [wait(fd, 0.004), wait(fd, 0.002), wait(fd, 0.006)]))
    expect(statistics()).toEqual(before)
  })
})

describe('several timeouts', () => {
  test('the timeout of one wait does not disturb another on the same descriptor', async () => {
    const [r, w] = pipe()
    const patient = watched(readable(r))
    expect(await readable(r, 0.01)).toBe(false)
    expect(await readable(r, 0.001)).toBe(false)
    await turns()
    expect(patient.state).toBe('pending')
    c.write(w)
    await eventually(() => patient).toEqual({ state: 'resolved', value: true })
  })

  test('the timeout of a reader does not disturb a writer, nor the other way round', async () => {
    const [a, b] = socketpair()
    c.fill(a)
    const writer = watched(writable(a))
    expect(await readable(a, 0.005)).toBe(false)
    c.drain(b)
    await eventually(() => writer).toEqual({ state: 'resolved', value: true })
    c.fill(a)
    const reader = watched(readable(a))
    expect(await writable(a, 0.005)).toBe(false)
    c.write(b)
    await eventually(() => reader).toEqual({ state: 'resolved', value: true })
  })

  test('a shorter wait started later ends first', async () => {
    const [r] = pipe()
    const order: string[] = []
    const long = readable(r, 0.12).then(() => order.push('long'))
    const short = readable(r, 0.01).then(() => order.push('short'))
    await Promise.all([long, short])
    expect(order).toEqual(['short', 'long'])
  })

  test('a wait that becomes ready takes its deadline along', async () => {
    const [r, w] = pipe()
    const other = own(c.eventfd())
    const ready = readable(r, 0.03)
    const next = earliness(0.05, () => readable(other, 0.05))
    c.write(w)
    expect(await ready).toBe(true)
    expect(statistics().timed).toBe(1)
    expect(await next).toBeLessThanOrEqual(0n)
  })

  test('readiness at the deadline wins over the deadline', async () => {
    const [r, w] = pipe()
    const wait = readable(r, 0.02)
    // The loop is kept busy past the deadline, and the data comes before it can look.
    const end = performance.now() + 40
    while (performance.now() < end);
    c.write(w)
    expect(await wait).toBe(true)
  })

  test('3000 waits with one deadline all end, none early', async () => {
    const before = statistics()
    const fds = Array.from({ length: 30 }, fullPipe)
    const early = await Promise.all(
      Array.from({ length: 3000 }, (_, i) => earliness(0.03, () => writable(fds[i % 30] as number, 0.03))),
    )
    expect(early.filter((ns) => ns > 0n)).toEqual([])
    expect(statistics()).toEqual(before)
  })

  test('a crowd of deadlines that have passed is worked off in several turns of the event loop', async () => {
    const fd = fullPipe()
    let ended = 0
    const crowd = Array.from({ length: 20_000 }, () => writable(fd, 0.01).then(() => (ended += 1)))
    const allPassed = performance.now() + 20
    while (performance.now() < allPassed);
    await crowd[0]
    await immediate()
    expect(ended).toBeLessThan(20_000)
    await Promise.all(crowd)
    expect(ended).toBe(20_000)
  })

  test('deadlines given in a mixed order end in their own', async () => {
    const fds = Array.from({ length: 10 }, fullPipe)
    const ended: number[] = []
    // Whole milliseconds apart, started within one: the order of the deadlines is that of the numbers.
    const spans = Array.from({ length: 60 }, (_, i) => ((i * 37) % 60) + 20)
    const start = performance.now()
    const all = spans.map((ms, i) => writable(fds[i % 10] as number, ms / 1000).then(() => ended.push(ms)))
    const starting = performance.now() - start
    await Promise.all(all)
    const inOrder = ended.every((ms, i) => ms + Math.ceil(starting) >= Math.max(...ended.slice(0, i + 1)))
    expect(inOrder, `started within ${starting} ms: ${ended}`).toBe(true)
    expect(ended).toHaveLength(60)
  })

  test('deadlines that pass, are aborted and are served, all mixed, leave none behind', async () => {
    const before = statistics()
    const all: Promise<unknown>[] = []
    const pairs = Array.from({ length: 20 }, pipe)
    for (let i = 0; i < 2000; i += 1) {
      const [r, w] = pairs[i % 20] as [number, number]
      const controller = new AbortController()
      const wait = readable(r, 0.001 + ((i * 7919) % 50) / 1000, { signal: controller.signal })
      all.push(wait.catch(() => 'aborted'))
      if (i % 3 === 0) controller.abort()
      if (i % 97 === 0) c.write(w)
      if (i % 100 === 0) await turns(1)
      if (i % 50 === 0) c.drain(r)
    }
    const results = await Promise.all(all)
    expect(new Set(results)).toEqual(new Set([true, false, 'aborted']))
    expect(statistics()).toMatchObject({ waits: before.waits, timed: before.timed, armed: before.armed })
  })

  test('a wait whose descriptor was closed without a word reports EBADF at its deadline, not a timeout', async () => {
    const [r] = pipe()
    const wait = watched(readable(r, 0.02))
    close(r)
    await eventually(() => wait.state).not.toBe('pending')
    expect(wait).toMatchObject({ state: 'rejected', reason: { name: 'FdError', code: 'EBADF', fd: r } })
  })
})

test('AbortSignal.timeout() ends a wait for those who count in milliseconds', async () => {
  const [r] = pipe()
  const error = await readable(r, { signal: AbortSignal.timeout(5) }).catch((reason: unknown) => reason)
  expect(error).toMatchObject({ code: 'ABORT_ERR', cause: { name: 'TimeoutError' } })
})

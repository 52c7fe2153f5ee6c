import { Poller, READABLE } from 'fdevent'
import { expect, test } from 'vitest'
import * as c from './helpers/libc.js'
import { own, pipe } from './helpers/owned.js'
import { report } from './helpers/run.js'
import { poller as create } from './helpers/watching.js'

const now = () => process.hrtime.bigint()
/** Nanoseconds that a wait for nothing takes. */
function sleep(poller: Poller, timeout: number): number {
  const start = now()
  expect(poller.wait(timeout)).toBe(0)
  return Number(now() - start)
}

test('0 answers the present state, 1,000 times without sleeping', () => {
  const poller = create()
  const [r, w] = pipe()
  poller.add(r, READABLE)
  const start = performance.now()
  for (let i = 0; i < 500; i += 1) expect(poller.wait(0)).toBe(0)
  c.write(w)
  for (let i = 0; i < 500; i += 1) expect(poller.wait(0)).toBe(1)
  expect(performance.now() - start).toBeLessThan(3000)
})

test('a poller with nothing registered sleeps its timeout', () => {
  const poller = create()
  for (const timeout of [0.001, 0.02, 0.1]) expect(sleep(poller, timeout)).toBeGreaterThanOrEqual(timeout * 1e9)
})

test('a poller whose descriptors are not ready sleeps its timeout', () => {
  const poller = create()
  for (let i = 0; i < 10; i += 1) poller.add(pipe()[0], READABLE)
  for (const timeout of [0.001, 0.02, 0.1]) expect(sleep(poller, timeout)).toBeGreaterThanOrEqual(timeout * 1e9)
})

test('100 us, 1,000 times, never early', () => {
  const poller = create()
  poller.add(pipe()[0], READABLE)
  const early = Array.from({ length: 1000 }, () => sleep(poller, 0.0001)).filter((took) => took < 100_000)
  expect(early).toEqual([])
})

test('3.1 ms never early, and at its best within half a millisecond', () => {
  const poller = create()
  poller.add(pipe()[0], READABLE)
  const took = Array.from({ length: 60 }, () => sleep(poller, 0.0031))
  expect(Math.min(...took)).toBeGreaterThanOrEqual(3_100_000)
  expect(Math.min(...took)).toBeLessThan(3_600_000)
})

test('the shortest timeouts are none at all, and never wait for ever', () => {
  const poller = create()
  for (const timeout of [Number.MIN_VALUE, 1e-9, 1e-12, 5e-10]) {
    expect(sleep(poller, timeout)).toBeLessThan(5e9)
  }
})

for (const timeout of [null, undefined, Infinity, 1e300, Number.MAX_VALUE, 5 * 365 * 86_400, 2 ** 31 / 1000, 2 ** 33]) {
  test(`${timeout} keeps waiting until something is ready`, () => {
    const poller = create()
    poller.add(own(c.timerfd(0.05)), READABLE)
    const start = now()
    expect(poller.wait(timeout)).toBe(1)
    expect(Number(now() - start)).toBeGreaterThan(40e6)
  })
}

test('what becomes ready ends a wait with a timeout', () => {
  const poller = create()
  poller.add(own(c.timerfd(0.02)), READABLE)
  const start = performance.now()
  expect(poller.wait(15)).toBe(1)
  expect(performance.now() - start).toBeLessThan(10_000)
})

test('a stale event does not shorten a wait', () => {
  const poller = create()
  const [r, w] = c.pipe()
  own(c.dup(r))
  own(w)
  poller.add(r, READABLE)
  c.close(r)
  poller.remove(r)
  c.write(w)
  expect(sleep(poller, 0.05)).toBeGreaterThanOrEqual(50e6)
  expect(sleep(poller, 0.05)).toBeGreaterThanOrEqual(50e6)
})

test('timeouts that are no span of time are ERR_OUT_OF_RANGE', () => {
  const poller = create()
  for (const timeout of [-1, -0.001, Number.NaN, -Infinity]) {
    expect(() => poller.wait(timeout)).toThrow(
      expect.objectContaining({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' }),
    )
  }
})

test('timeouts that are no numbers are ERR_INVALID_ARG_TYPE', () => {
  const poller = create()
  for (const timeout of ['1', {}, [], true, 1n, () => {}, Symbol('x')]) {
    expect(() => poller.wait(timeout as never)).toThrow(
      expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' }),
    )
  }
})

test('negative zero is zero', () => {
  expect(create().wait(-0)).toBe(0)
})

test('signals do not end a wait, and it neither ends early nor begins its time anew', async () => {
  expect(await report('pollers.mjs', ['signals during a timeout'])).toEqual({
    count: 0,
    early: false,
    late: false,
    handled: true,
  })
})

test('signals do not keep a wait from its descriptors', async () => {
  expect(await report('pollers.mjs', ['signals while it waits for a descriptor'])).toEqual({
    count: 1,
    events: true,
    late: false,
    handled: true,
  })
})

import { closing, FdError, readable, select, statistics, writable } from 'fdevent'
import { expect, test } from 'vitest'
import * as c from './helpers/libc.js'
import { GENEROUS, idleCpu, outcome, park, pipe, replace, turn } from './helpers/parked.js'

test('closing() rejects a reader and a writer at once with EBADF', async () => {
  const [a, b] = c.socketpair().map(park) as c.Pair
  c.fill(a)
  const waits = [readable(a), writable(a, 10)].map((wait) => wait.catch((error: unknown) => error))
  closing(a)
  expect(statistics()).toMatchObject({ waits: 0, timed: 0, armed: 0 })
  for (const error of await Promise.all(waits)) {
    expect(error).toBeInstanceOf(FdError)
    expect(error).toMatchObject({ name: 'FdError', code: 'EBADF', syscall: 'close', fd: a })
    expect((error as FdError).errno).toBeLessThan(0)
  }
  expect(c.isOpen(b)).toBe(true)
})

test('after closing() the descriptor itself is untouched, and can be waited for again', async () => {
  const [r, w] = pipe()
  const first = outcome(readable(r, 10))
  closing(r)
  const second = readable(r, 10)
  expect(await first).toBe('EBADF')
  c.write(w)
  expect(await second).toBe(true)
})

test('the number may be reused in the same tick', async () => {
  const [r] = pipe()
  const old = outcome(readable(r, 10))
  closing(r)
  c.close(r)
  const [other, w] = pipe()
  replace(r, other)
  const fresh = readable(r, 10)
  c.write(w)
  expect(await old).toBe('EBADF')
  expect(await fresh).toBe(true)
})

test('closing() rejects a select with the descriptor at fault, and leaves waits on other members alone', async () => {
  const [a, aw] = pipe()
  const [b] = pipe()
  const plain = readable(a, 10)
  const selected = select([a, b], [], [], 10).catch((error: unknown) => error)
  closing(b)
  expect(await selected).toMatchObject({ code: 'EBADF', fd: b })
  expect(statistics()).toMatchObject({ waits: 1, armed: 1 })
  c.write(aw)
  expect(await plain).toBe(true)
})

test('closing() of what nobody waits for is a no-op', () => {
  const [r] = pipe()
  closing(r)
  closing(r)
  closing(4242)
  closing(2 ** 31 - 1)
  closing({ fd: null })
  expect(statistics().waits).toBe(0)
})

test('closing() of a closed number with a wait rejects that wait', async () => {
  const [r] = pipe()
  const wait = outcome(readable(r))
  c.close(r)
  closing(r)
  expect(await wait).toBe('EBADF')
})

test('closing() in the tick of a readiness wins', async () => {
  const [r, w] = pipe()
  const wait = outcome(readable(r, 10))
  c.write(w)
  closing(r)
  expect(await wait).toBe('EBADF')
})

test('closing() while a finished poll is on its way settles that poll once', async () => {
  const [r] = pipe()
  const wait = outcome(readable(r, 0))
  closing(r)
  expect([false, 'EBADF']).toContain(await wait)
  await turn()
})

test('a wait started and announced closed in one tick rejects', async () => {
  const [r] = pipe()
  const wait = outcome(readable(r, 10))
  closing(r)
  c.close(r)
  expect(await wait).toBe('EBADF')
})

test('a descriptor closed without a word in the tick of the wait gives EBADF at the deadline', async () => {
  const [r] = pipe()
  const wait = outcome(readable(r, 0.05))
  c.close(r)
  expect(await wait).toBe('EBADF')
})

test('a descriptor closed without a word later gives EBADF at the deadline', async () => {
  const [r] = pipe()
  const wait = outcome(readable(r, 0.06))
  await turn()
  c.close(r)
  expect(await wait).toBe('EBADF')
})

test('a select over a descriptor closed without a word gives EBADF at the deadline', async () => {
  const [a] = pipe()
  const [b] = pipe()
  const wait = select([a, b], [], [], 0.05).catch((error: unknown) => error)
  c.close(b)
  expect(await wait).toMatchObject({ code: 'EBADF', fd: b })
})

test('a wait without deadline on a closed descriptor can be aborted', async () => {
  const [r] = pipe()
  const controller = new AbortController()
  const wait = outcome(readable(r, { signal: controller.signal }))
  c.close(r)
  await turn()
  controller.abort()
  expect(await wait).toBe('ABORT_ERR')
})

test('the next wait on a number closed without a word fails with EBADF, and so do the pending ones', async () => {
  const [r] = pipe()
  const old = [outcome(readable(r)), outcome(writable(r, 30)), outcome(select([r], [], []))]
  c.close(r)
  expect(await outcome(readable(r, 10))).toBe('EBADF')
  expect(await Promise.all(old)).toEqual(['EBADF', 'EBADF', 'EBADF'])
})

test('waits pending on closed descriptors do not spin', async () => {
  const [r] = pipe()
  const [a, b] = c.socketpair().map(park) as c.Pair
  const wait = [outcome(readable(r)), outcome(readable(a)), outcome(writable(r))]
  c.close(r)
  c.close(a)
  c.close(b)
  expect(await idleCpu()).toBeLessThan(GENEROUS)
  closing(r)
  closing(a)
  expect(await Promise.all(wait)).toEqual(['EBADF', 'EBADF', 'EBADF'])
})

test('announced close with a duplicate alive: events of the open file reach nobody', async () => {
  const [r, w] = pipe()
  const duplicate = park(c.dup(r))
  const old = outcome(readable(r, 10))
  closing(r)
  c.close(r)
  expect(await old).toBe('EBADF')
  c.write(w)
  expect(statistics().armed).toBe(0)
  expect(await readable(duplicate, 10)).toBe(true)
})

test('unannounced close with a duplicate alive: events cost no spin', async () => {
  const [r, w] = pipe()
  park(c.dup(r))
  const wait = outcome(readable(r))
  c.close(r)
  c.write(w)
  expect(await idleCpu()).toBeLessThan(GENEROUS)
  closing(r)
  expect([true, 'EBADF']).toContain(await wait)
})

test('unannounced close of a hung-up writer with a duplicate alive costs no spin', async () => {
  const [a, b] = c.socketpair().map(park) as c.Pair
  park(c.dup(a))
  c.fill(a)
  const wait = outcome(writable(a))
  c.close(a)
  c.close(b)
  expect(await idleCpu()).toBeLessThan(GENEROUS)
  closing(a)
  expect([true, 'EBADF']).toContain(await wait)
})

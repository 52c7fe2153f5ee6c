import { getEventListeners } from 'node:events'
import { closing, FdError, READABLE, readable, statistics, type Watcher, WRITABLE } from 'fdevent'
import * as io from 'fdevent/io'
import { expect, test } from 'vitest'
import * as c from './helpers/libc.js'
import { cpuSeconds, eventually, pipe, socketpair, turns, watched } from './helpers/owned.js'
import * as parked from './helpers/parked.js'
import { watching } from './helpers/watching.js'

const MODES = ['level', 'edge'] as const
const END = { done: true, value: undefined }
const value = (ready: number) => ({ done: false, value: ready })

function iterating(fd: number, interest: number, mode: 'level' | 'edge', signal?: AbortSignal) {
  const watcher = watching(fd, interest, null, { mode, signal })
  return { watcher, iterator: watcher[Symbol.asyncIterator]() }
}

async function collect(watcher: Watcher, act: (ready: number) => unknown): Promise<number[]> {
  const seen: number[] = []
  for await (const ready of watcher) {
    seen.push(ready)
    if (act(ready) === 'stop') break
  }
  return seen
}

test('a level iterator is armed only while next() is pending', async () => {
  const [r, w] = pipe()
  const { iterator } = iterating(r, READABLE, 'level')
  expect(statistics()).toMatchObject({ waits: 0, armed: 0 })
  for (let i = 0; i < 3; i += 1) {
    const next = iterator.next()
    expect(statistics()).toMatchObject({ armed: 1 })
    c.write(w)
    expect(await next).toEqual(value(READABLE))
    expect(statistics()).toMatchObject({ waits: 0, armed: 0 })
    c.drain(r)
  }
})

for (const mode of MODES) {
  test(`${mode}: an iterator of a ready descriptor costs no processor time while nobody asks it`, async () => {
    const [r, w] = pipe()
    const { iterator } = iterating(r, READABLE, mode)
    c.write(w)
    expect(await iterator.next()).toEqual(value(READABLE))
    expect(await cpuSeconds(() => new Promise((resolve) => setTimeout(resolve, 1000)))).toBeLessThan(parked.GENEROUS)
  })

  test(`${mode}: for await serves every write`, async () => {
    const [r, w] = pipe()
    const { watcher } = iterating(r, READABLE, mode)
    let bytes = 0
    const loop = collect(watcher, () => {
      bytes += c.drain(r)
      return bytes === 20 ? 'stop' : undefined
    })
    for (let i = 0; i < 20; i += 1) {
      c.write(w)
      await eventually(() => bytes).toBe(i + 1)
    }
    expect(new Set(await loop)).toEqual(new Set([READABLE]))
  })

  test(`${mode}: break closes the watcher`, async () => {
    const [r, w] = pipe()
    c.write(w)
    const { watcher } = iterating(r, READABLE, mode)
    expect(await collect(watcher, () => 'stop')).toEqual([READABLE])
    expect(watcher.closed).toBe(true)
    expect(statistics()).toMatchObject({ watches: 0, armed: 0 })
  })

  test(`${mode}: an exception in the body of for await closes the watcher`, async () => {
    const [r, w] = pipe()
    c.write(w)
    const { watcher } = iterating(r, READABLE, mode)
    const loop = collect(watcher, () => {
      throw new Error('in the body')
    })
    await expect(loop).rejects.toThrow('in the body')
    expect(watcher.closed).toBe(true)
  })

  test(`${mode}: return() ends a pending next()`, async () => {
    const [r] = pipe()
    const { watcher, iterator } = iterating(r, READABLE, mode)
    const next = iterator.next()
    expect(await iterator.return?.()).toEqual(END)
    expect(await next).toEqual(END)
    expect(watcher.closed).toBe(true)
  })

  test(`${mode}: close() ends a pending next(), and later ones`, async () => {
    const [r] = pipe()
    const { watcher, iterator } = iterating(r, READABLE, mode)
    const pending = [iterator.next(), iterator.next()]
    watcher.close()
    expect(statistics()).toMatchObject({ waits: 0, watches: 0, armed: 0 })
    expect(await Promise.all(pending)).toEqual([END, END])
    expect(await iterator.next()).toEqual(END)
    expect(await collect(watcher, () => 'never')).toEqual([])
  })

  test(`${mode}: close() in the tick of a readiness ends`, async () => {
    const [r, w] = pipe()
    const { watcher, iterator } = iterating(r, READABLE, mode)
    const next = iterator.next()
    c.write(w)
    watcher.close()
    expect(await next).toEqual(END)
  })

  test(`${mode}: aborting the signal ends a pending next()`, async () => {
    const [r] = pipe()
    const controller = new AbortController()
    const { watcher, iterator } = iterating(r, READABLE, mode, controller.signal)
    const next = iterator.next()
    controller.abort()
    expect(watcher.closed).toBe(true)
    expect(await next).toEqual(END)
    expect(statistics()).toMatchObject({ waits: 0, watches: 0, armed: 0 })
  })

  test(`${mode}: a signal aborted before ends the iteration at its start`, async () => {
    const [r, w] = pipe()
    c.write(w)
    const { watcher } = iterating(r, READABLE, mode, AbortSignal.abort())
    expect(watcher.closed).toBe(true)
    expect(await collect(watcher, () => 'stop')).toEqual([])
  })

  test(`${mode}: 50 next() leave nothing on the signal`, async () => {
    const [r, w] = pipe()
    c.write(w)
    const { signal } = new AbortController()
    const { watcher, iterator } = iterating(r, READABLE, mode, signal)
    const before = getEventListeners(signal, 'abort').length
    for (let i = 0; i < 50; i += 1) {
      const next = iterator.next()
      c.write(w)
      await next
    }
    expect(getEventListeners(signal, 'abort')).toHaveLength(before)
    watcher.close()
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })

  for (const [how, end] of [
    ['closing()', closing],
    ['io.close()', io.close],
  ] as const) {
    test(`${mode}: ${how} ends a pending next()`, async () => {
      const [r, w] = c.pipe()
      const { watcher, iterator } = iterating(r, READABLE, mode)
      const next = iterator.next()
      end(r)
      expect(watcher.closed).toBe(true)
      expect(await next).toEqual(END)
      if (c.isOpen(r)) c.close(r)
      c.close(w)
    })
  }

  test(`${mode}: interest replaced while next() is pending takes effect at once`, async () => {
    const [a] = socketpair()
    const { watcher, iterator } = iterating(a, READABLE, mode)
    const next = iterator.next()
    await turns()
    watcher.interest = WRITABLE
    expect(await next).toEqual(value(WRITABLE))
  })

  test(`${mode}: interest taken away while next() is pending leaves it pending until it is given back`, async () => {
    const [r, w] = pipe()
    const { watcher, iterator } = iterating(r, READABLE, mode)
    const next = watched(iterator.next())
    watcher.interest = 0
    expect(statistics().armed).toBe(0)
    c.write(w)
    await turns()
    expect(next.state).toBe('pending')
    watcher.interest = READABLE
    await eventually(() => next.value).toEqual(value(READABLE))
  })

  test(`${mode}: close() ends a next() that is pending without interest`, async () => {
    const [r] = pipe()
    const { watcher, iterator } = iterating(r, 0, mode)
    const next = iterator.next()
    await turns(1)
    watcher.close()
    expect(await next).toEqual(END)
  })

  test(`${mode}: interest replaced between two next(): what the former one wanted is not reported`, async () => {
    const [a, b] = socketpair()
    const { watcher, iterator } = iterating(a, READABLE, mode)
    c.write(b)
    await turns()
    watcher.interest = WRITABLE
    expect(await iterator.next()).toEqual(value(WRITABLE))
  })

  test(`${mode}: a descriptor closed without a word rejects next() with EBADF, and closes the watcher`, async () => {
    const [r] = parked.pipe()
    const [other] = parked.pipe()
    const { watcher, iterator } = iterating(r, READABLE, mode)
    const next = watched(iterator.next())
    parked.replace(r, other)
    // An edge watcher shares its registration with nobody, so no wait finds out for it.
    if (mode === 'edge') watcher.interest = READABLE
    else expect(await readable(r, 0.01)).toBe(false)
    await eventually(() => next.state).toBe('rejected')
    expect(next.reason).toBeInstanceOf(FdError)
    expect(next.reason).toMatchObject({ code: 'EBADF', fd: r })
    expect(watcher.closed).toBe(true)
    expect(await iterator.next()).toEqual(END)
  })

  test(`${mode}: two loops over one watcher end together when one of them breaks`, async () => {
    const [r, w] = pipe()
    const { watcher } = iterating(r, READABLE, mode)
    const loops = [collect(watcher, () => 'stop'), collect(watcher, () => 'stop')]
    c.write(w)
    const lengths = (await Promise.all(loops)).map(({ length }) => length)
    expect(lengths.reduce((sum, one) => sum + one)).toBeGreaterThan(0)
    expect(watcher.closed).toBe(true)
  })

  test(`${mode}: iterating over a watcher that has a listener is an error`, async () => {
    const [r, w] = pipe()
    let calls = 0
    const watcher = watching(r, READABLE, () => (calls += 1), { mode })
    await expect(collect(watcher, () => 'stop')).rejects.toThrow(/listener/)
    expect(watcher.closed).toBe(false)
    c.write(w)
    await eventually(() => calls).toBeGreaterThan(0)
  })

  test(`${mode}: a loop on a descriptor that is always ready starves neither timers nor immediates`, async () => {
    const [r, w] = pipe()
    c.write(w)
    const { watcher } = iterating(r, READABLE, mode)
    const loop = collect(watcher, () => c.write(w))
    let immediates = 0
    while (immediates < 20) await new Promise((resolve) => setImmediate(() => resolve((immediates += 1))))
    await new Promise((resolve) => setTimeout(resolve, 5))
    watcher.close()
    expect((await loop).length).toBeGreaterThan(0)
  })
}

test('level: next() on what is ready answers again and again', async () => {
  const [r, w] = pipe()
  c.write(w)
  const { iterator } = iterating(r, READABLE, 'level')
  for (let i = 0; i < 20; i += 1) expect(await iterator.next()).toEqual(value(READABLE))
})

test('level: what was drained between two next() is not reported', async () => {
  const [r, w] = pipe()
  const { iterator } = iterating(r, READABLE, 'level')
  c.write(w)
  await turns()
  c.drain(r)
  const next = watched(iterator.next())
  await turns()
  expect(next.state).toBe('pending')
})

test('level: several next() at once are all answered by one readiness', async () => {
  const [r, w] = pipe()
  const { iterator } = iterating(r, READABLE, 'level')
  const nexts = Array.from({ length: 5 }, () => iterator.next())
  c.write(w)
  expect(await Promise.all(nexts)).toEqual(Array(5).fill(value(READABLE)))
})

test('level: next() on a number closed without a word is EBADF', async () => {
  const [r] = parked.pipe()
  const { watcher, iterator } = iterating(r, READABLE, 'level')
  c.close(r)
  await expect(iterator.next()).rejects.toMatchObject({ name: 'FdError', code: 'EBADF', fd: r })
  expect(watcher.closed).toBe(true)
})

test('edge: edges between two next() are remembered as one', async () => {
  const [r, w] = pipe()
  const { iterator } = iterating(r, READABLE, 'edge')
  for (let i = 0; i < 3; i += 1) {
    c.write(w)
    await turns(1)
  }
  expect(await iterator.next()).toEqual(value(READABLE))
  const next = watched(iterator.next())
  await turns()
  expect(next.state).toBe('pending')
  c.write(w)
  await eventually(() => next.value).toEqual(value(READABLE))
})

test('edge: remembered edges are joined', async () => {
  const [a, b] = socketpair()
  c.fill(a)
  const { iterator } = iterating(a, READABLE | WRITABLE, 'edge')
  c.write(b)
  await turns(1)
  c.drain(a)
  c.drain(b)
  await turns(1)
  expect(await iterator.next()).toEqual(value(READABLE | WRITABLE))
})

test('edge: several next() at once are answered by one edge each, in their order', async () => {
  const [r, w] = pipe()
  const { iterator } = iterating(r, READABLE, 'edge')
  const nexts = [1, 2, 3].map(() => watched(iterator.next()))
  for (let i = 1; i <= 3; i += 1) {
    c.write(w)
    await turns(2)
    expect(nexts.map(({ state }) => state)).toEqual([1, 2, 3].map((n) => (n <= i ? 'resolved' : 'pending')))
  }
})

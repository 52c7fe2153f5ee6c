import { openSync, readdirSync } from 'node:fs'
import { closing, ERROR, HANGUP, READABLE, readable, statistics, type Watcher, WRITABLE } from 'fdevent'
import { expect, test } from 'vitest'
import * as c from './helpers/libc.js'
import { cpuSeconds, eventually, turns, watched } from './helpers/owned.js'
import { park, pipe, replace } from './helpers/parked.js'
import { listening, watching } from './helpers/watching.js'

// The library asks the kernel at every 64th event whether the number still means the same; a batch may be on its way.
const STALE_EVENTS = 64 + 16

/** Processor time of half a second in which nothing happens; a spin takes most of it. */
const spent = () => cpuSeconds(() => new Promise((resolve) => setTimeout(resolve, 500)))
const BUSY = 0.2

const openDescriptors = (): number => readdirSync('/proc/self/fd').length

for (const [how, act] of [
  ['closed', (r: number) => c.close(r)],
  ['replaced by another pipe', (r: number) => replace(r, pipe()[0])],
  ['replaced by a regular file', (r: number) => replace(r, park(openSync(import.meta.filename, 'r')))],
] as const) {
  test(`${how} without a word while a duplicate has data: few events more, then a last call with ERROR and no spin`, async () => {
    const [r, w] = pipe()
    park(c.dup(r))
    const closedAt: boolean[] = []
    const { told, watcher } = listening(r, READABLE, {}, (_, self) => closedAt.push(self.closed))
    c.write(w)
    await eventually(() => told.length).toBeGreaterThan(3)
    act(r)
    told.length = closedAt.length = 0
    await eventually(() => watcher.closed).toBe(true)
    expect(told.at(-1)).toBe(ERROR)
    expect(closedAt.at(-1)).toBe(true)
    expect(closedAt.slice(0, -1)).not.toContain(true)
    expect(new Set(told.slice(0, -1))).not.toContain(ERROR)
    expect(told.length).toBeLessThanOrEqual(STALE_EVENTS)
    const count = told.length
    expect(await spent()).toBeLessThan(BUSY)
    expect(told).toHaveLength(count)
    expect(statistics()).toMatchObject({ watches: 0, armed: 0 })
  })
}

for (const mode of ['level', 'edge'] as const) {
  test(`${mode}: closed after its number was closed, with a duplicate alive that gets data: no spin`, async () => {
    const [r, w] = pipe()
    park(c.dup(r))
    const { told, watcher } = listening(r, READABLE, { mode })
    c.close(r)
    watcher.close()
    c.write(w)
    expect(await spent()).toBeLessThan(BUSY)
    expect(told).toEqual([])
  })

  test(`${mode}: closing() after the number was closed, with a duplicate alive that is hung up: no spin`, async () => {
    const [a, b] = c.socketpair().map(park) as c.Pair
    park(c.dup(a))
    const { told, watcher } = listening(a, READABLE | WRITABLE, { mode })
    await eventually(() => told.length).toBeGreaterThan(0)
    const count = told.length
    c.close(a)
    closing(a)
    expect(watcher.closed).toBe(true)
    c.close(b)
    expect(await spent()).toBeLessThan(BUSY)
    expect(told).toHaveLength(count)
  })

  test(`${mode}: interest 0 after the number was closed, with a duplicate alive that gets data: no spin`, async () => {
    const [r, w] = pipe()
    park(c.dup(r))
    const { told, watcher } = listening(r, READABLE, { mode })
    c.close(r)
    watcher.interest = 0
    c.write(w)
    expect(await spent()).toBeLessThan(BUSY)
    expect(told.filter((ready) => ready !== ERROR)).toEqual([])
  })

  test(`${mode}: watchers of other descriptors go on while a stale registration is left behind`, async () => {
    const [r, w] = pipe()
    park(c.dup(r))
    const stale = listening(r, READABLE, { mode })
    const [r2, w2] = pipe()
    const [r3, w3] = pipe()
    const level = listening(r2, READABLE, {}, () => c.drain(r2))
    const edge = listening(r3, READABLE, { mode: 'edge' }, () => c.drain(r3))
    c.close(r)
    stale.watcher.close()
    for (let i = 1; i <= 20; i += 1) {
      const wait = readable(r2, 10)
      for (const fd of [w, w2, w3]) c.write(fd)
      await eventually(() => [level.told.length, edge.told.length]).toEqual([i, i])
      expect(await wait).toBe(true)
    }
    expect(stale.told).toEqual([])
  })

  test(`${mode}: the number reused by another object, whose events the old watcher never sees`, async () => {
    const [r] = pipe()
    const [other, w] = pipe()
    const old = listening(r, READABLE, { mode })
    replace(r, other)
    c.write(w)
    await turns()
    expect(old.told).toEqual([])
    // The number's next watcher is served.
    const fresh = listening(r, READABLE, { mode })
    await eventually(() => fresh.told.length).toBeGreaterThan(0)
    expect(old.told.filter((ready) => ready !== ERROR)).toEqual([])
  })

  test(`${mode}: the old object's events do not reach a watcher of the new one`, async () => {
    const [r, w] = pipe()
    park(c.dup(r))
    const [other] = pipe()
    const old = listening(r, READABLE, { mode })
    replace(r, other)
    old.watcher.close()
    const fresh = listening(r, READABLE, { mode })
    c.write(w)
    await turns(5)
    expect([old.told, fresh.told]).toEqual([[], []])
  })

  test(`${mode}: setting the interest finds out that the number was replaced`, async () => {
    const [r] = pipe()
    const [other, w] = pipe()
    const { told, watcher } = listening(r, READABLE, { mode })
    replace(r, other)
    c.write(w)
    watcher.interest = READABLE | WRITABLE
    await eventually(() => watcher.closed).toBe(true)
    expect(told).toEqual([ERROR])
  })

  test(`${mode}: waking a sleeping watcher finds out that the number was closed`, async () => {
    const [r] = pipe()
    const { watcher } = listening(r, READABLE, { mode })
    watcher.interest = 0
    c.close(r)
    expect(() => (watcher.interest = READABLE)).toThrow(expect.objectContaining({ code: 'EBADF', fd: r }))
  })

  test(`${mode}: dup2 of the same object onto its number leaves the number to be watched anew`, async () => {
    const [r, w] = pipe()
    const duplicate = park(c.dup(r))
    const { told } = listening(r, READABLE, { mode })
    replace(r, duplicate)
    // dup2 closes the number first, and the kernel forgets it: what comes may be lost, but a new watcher is served.
    const fresh = listening(r, READABLE, { mode })
    c.write(w)
    await eventually(() => fresh.told.length).toBeGreaterThan(0)
    expect(new Set(told.filter((ready) => ready !== READABLE))).toEqual(new Set())
  })

  test(`${mode}: the listener that closes its descriptor and then its watcher is called once`, async () => {
    const [r, w] = pipe()
    const { told } = listening(r, READABLE, { mode }, (_, watcher) => {
      c.close(r)
      watcher.close()
    })
    c.write(w)
    await turns()
    expect(told).toEqual([READABLE])
  })

  test(`${mode}: the listener that closes its descriptor without a word crashes and spins nothing`, async () => {
    const [r, w] = pipe()
    const { told } = listening(r, READABLE, { mode }, () => {
      if (c.isOpen(r)) c.close(r)
    })
    c.write(w)
    expect(await spent()).toBeLessThan(BUSY)
    expect(told[0]).toBe(READABLE)
    expect(told.length).toBeLessThanOrEqual(2)
  })

  test(`${mode}: 1,000 watchers opened and closed leave nothing`, async () => {
    const [r, w] = pipe()
    c.write(w)
    listening(r, READABLE, { mode }).watcher.close()
    await turns()
    const before = openDescriptors()
    for (let i = 0; i < 1000; i += 1) {
      const { told, watcher } = listening(r, READABLE, { mode })
      if (i % 100 === 0) await eventually(() => told.length).toBeGreaterThan(0)
      watcher.close()
    }
    await turns()
    expect(statistics()).toMatchObject({ waits: 0, watches: 0, registered: 0, armed: 0 })
    expect(openDescriptors()).toBe(before)
  })

  test(`${mode}: a number reused 200 times without a word: each watcher meets its own object`, async () => {
    const number = park(c.eventfd())
    const all: Watcher[] = []
    for (let i = 0; i < 200; i += 1) {
      const [r, w] = c.pipe()
      c.dup2(r, number)
      c.close(r)
      const seen: string[] = []
      const { watcher, told } = listening(number, READABLE, { mode }, (ready) => {
        if (ready & READABLE) seen.push(new TextDecoder().decode(c.read(number) ?? new Uint8Array()))
      })
      all.push(watcher)
      c.write(w, String(i))
      await eventually(() => told.length).toBeGreaterThan(0)
      expect(seen[0]).toBe(String(i))
      // Half of them are still open when their object goes away.
      if (i % 2) watcher.close()
      c.close(w)
    }
    closing(number)
    expect(all.every(({ closed }) => closed)).toBe(true)
  })
}

test('watchers of closed descriptors do not spin', async () => {
  const fds = [...pipe(), ...(c.socketpair().map(park) as c.Pair)]
  for (const fd of fds) {
    listening(fd, READABLE)
    listening(fd, READABLE, { mode: 'edge' })
    watched(watching(fd, READABLE)[Symbol.asyncIterator]().next())
  }
  for (const fd of fds) c.close(fd)
  expect(await spent()).toBeLessThan(BUSY)
})

for (const [what, act] of [
  ['its interest is set', (failed: Watcher) => (failed.interest = 0)],
  ['it is closed', (failed: Watcher) => failed.close()],
  ['it is given a reference', (failed: Watcher) => failed.unref().ref()],
] as const) {
  test(`edge: a watcher that has failed leaves the one that has its place now alone when ${what}`, async () => {
    const [r] = pipe()
    const [other] = pipe()
    const [r2, w2] = pipe()
    const failed = watching(r, READABLE, null, { mode: 'edge' })
    replace(r, other)
    failed.interest = READABLE | WRITABLE
    await turns()
    const { told } = listening(r2, READABLE, {}, () => c.drain(r2))
    act(failed)
    c.write(w2)
    await turns(5)
    expect(told).toEqual([READABLE])
  })
}

test('several registrations of a closed number are all left behind: no spin, and the others go on', async () => {
  const [r, w] = pipe()
  park(c.dup(r))
  const [r2, w2] = pipe()
  const stale = (['edge', 'level', 'edge', 'edge'] as const).map((mode) => listening(r, READABLE, { mode }))
  const living = (['edge', 'level', 'edge', 'edge'] as const).map((mode) => listening(r2, READABLE, { mode }))
  c.close(r)
  for (const { watcher } of stale) watcher.close()
  c.write(w)
  expect(await spent()).toBeLessThan(BUSY)
  c.write(w2)
  await eventually(() => living.every(({ told }) => told.length > 0)).toBe(true)
  expect(stale.map(({ told }) => told.length)).toEqual([0, 0, 0, 0])
})

test('edge: next() never answers 0, also where an event and the end of the registration come in one turn', async () => {
  const [haunting, w1] = pipe()
  const [r, w2] = pipe()
  park(c.dup(haunting))
  park(c.dup(r))
  const gone = listening(haunting, READABLE)
  const next = watched(watching(r, READABLE, null, { mode: 'edge' })[Symbol.asyncIterator]().next())
  c.close(r)
  c.close(haunting)
  gone.watcher.close()
  c.write(w1)
  c.write(w2)
  await eventually(() => next.state).not.toBe('pending')
  if (next.state === 'rejected') expect(next.reason).toMatchObject({ code: 'EBADF', fd: r })
  else expect(next.value).toEqual({ done: false, value: READABLE })
})

test('a one-shot wait and a level watcher of a closed number: both end', async () => {
  const [r, w] = pipe()
  park(c.dup(r))
  c.write(w)
  const { told, watcher } = listening(r, READABLE)
  const writer = watched(readable(r, 30))
  await eventually(() => writer.state).toBe('resolved')
  c.close(r)
  const later = watched(readable(r, 30))
  await eventually(() => watcher.closed).toBe(true)
  expect(told.at(-1)).toBe(ERROR)
  expect(later.reason).toMatchObject({ code: 'EBADF' })
})

test('the peer closed without a word is an ordinary hang-up', async () => {
  const [a, b] = c.socketpair().map(park) as c.Pair
  const { told } = listening(a, READABLE, { mode: 'edge' })
  c.close(b)
  await eventually(() => told.length).toBeGreaterThan(0)
  expect(told[0]).toBe(READABLE | HANGUP)
})

import { HANGUP, READABLE, statistics, type Watcher, WRITABLE } from 'fdevent'
import { expect, test } from 'vitest'
import * as c from './helpers/libc.js'
import { close, cpuSeconds, eventually, pipe, socketpair, tcpPair, turns } from './helpers/owned.js'
import { listening, watching } from './helpers/watching.js'

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))
// A spin takes the whole second; nothing else here takes a tenth of that.
const BUSY = 0.35

test('interest is what was asked for last', () => {
  const [r] = pipe()
  const watcher = watching(r, READABLE, () => {})
  expect(watcher.interest).toBe(READABLE)
  watcher.interest = WRITABLE | HANGUP
  expect(watcher.interest).toBe(WRITABLE | HANGUP)
})

test('interest of a closed watcher can be set, to no effect', async () => {
  const [r, w] = pipe()
  const { told, watcher } = listening(r, READABLE)
  watcher.close()
  watcher.interest = READABLE | WRITABLE
  c.write(w)
  await turns()
  expect(told).toEqual([])
  expect(statistics()).toMatchObject({ watches: 0, armed: 0 })
})

for (const mode of ['level', 'edge'] as const) {
  test(`interest replaced, ${mode}: from then on only the new one is reported`, async () => {
    const [a, b] = socketpair()
    const { told, watcher } = listening(a, READABLE, { mode })
    c.write(b)
    await eventually(() => told.length).toBeGreaterThan(0)
    told.length = 0
    watcher.interest = WRITABLE
    await eventually(() => told.length).toBeGreaterThan(0)
    expect(new Set(told)).toEqual(new Set([WRITABLE]))
  })

  test(`interest replaced inside the listener, ${mode}: from the next call on only the new one is reported`, async () => {
    const [a, b] = socketpair()
    const { told } = listening(a, READABLE, { mode }, (_, watcher) => {
      if (watcher.interest !== WRITABLE) watcher.interest = WRITABLE
    })
    c.write(b)
    await eventually(() => told.length).toBeGreaterThan(1)
    expect(told[0]).toBe(READABLE)
    expect(new Set(told.slice(1))).toEqual(new Set([WRITABLE]))
  })

  test(`interest replaced in the tick of an event, ${mode}: that event is reported to nobody`, async () => {
    const [r, w] = pipe()
    const { told, watcher } = listening(r, READABLE, { mode })
    c.write(w)
    watcher.interest = WRITABLE
    await turns()
    expect(told).toEqual([])
  })

  test(`interest added, ${mode}: what is ready already is reported`, async () => {
    const [a] = socketpair()
    const { told, watcher } = listening(a, READABLE, { mode })
    await turns()
    expect(told).toEqual([])
    watcher.interest = READABLE | WRITABLE
    await eventually(() => told.length).toBeGreaterThan(0)
    expect(new Set(told)).toEqual(new Set([WRITABLE]))
  })

  test(`interest 0, ${mode}: nothing is armed, and nothing reported`, async () => {
    const [r, w] = pipe()
    const { told, watcher } = listening(r, READABLE, { mode })
    watcher.interest = 0
    expect(statistics()).toMatchObject({ watches: 1, armed: 0 })
    c.write(w)
    await turns()
    expect(told).toEqual([])
  })

  test(`interest 0 and back, ${mode}: what has come meanwhile is reported`, async () => {
    const [r, w] = pipe()
    const { told, watcher } = listening(r, READABLE, { mode })
    for (let i = 0; i < 3; i += 1) {
      told.length = 0
      watcher.interest = 0
      c.write(w)
      await turns()
      expect(told).toEqual([])
      watcher.interest = READABLE
      await eventually(() => told.length).toBeGreaterThan(0)
    }
  })

  test(`interest 0 inside the listener, ${mode}: that call is the last one`, async () => {
    const [r, w] = pipe()
    const { told } = listening(r, READABLE, { mode }, (_, watcher) => {
      watcher.interest = 0
    })
    c.write(w)
    await turns()
    expect(told).toEqual([READABLE])
  })

  test(`interest 0 and back inside the listener, ${mode}: it goes on`, async () => {
    const [r, w] = pipe()
    const { told } = listening(r, READABLE, { mode }, (_, watcher) => {
      watcher.interest = 0
      watcher.interest = READABLE
    })
    c.write(w)
    await eventually(() => told.length).toBeGreaterThan(5)
    c.drain(r)
    const count = told.length
    await turns()
    expect(told).toEqual(Array(count).fill(READABLE))
  })

  test(`interest 0 by the listener of another descriptor in the same batch, ${mode}: not called`, async () => {
    const all: Watcher[] = []
    let calls = 0
    const silence = () => {
      calls += 1
      for (const watcher of all) watcher.interest = 0
    }
    const pipes = Array.from({ length: 4 }, pipe)
    for (const [r] of pipes) all.push(watching(r, READABLE, silence, { mode }))
    for (const [, w] of pipes) c.write(w)
    await turns()
    expect(calls).toBe(1)
  })

  test(`a watcher made with interest 0, ${mode}, sleeps until it is given one`, async () => {
    const [r, w] = pipe()
    c.write(w)
    const { told, watcher } = listening(r, 0, { mode })
    expect(statistics().armed).toBe(0)
    await turns()
    expect(told).toEqual([])
    watcher.interest = READABLE
    await eventually(() => told.length).toBeGreaterThan(0)
  })

  test(`interest 0 on a hung-up descriptor, ${mode}, costs no processor time`, async () => {
    const [a, b] = tcpPair()
    const [r, w] = pipe()
    const listeners = [listening(a, 0, { mode }), listening(r, READABLE, { mode })]
    listeners.forEach(({ watcher }) => {
      watcher.interest = 0
    })
    const pending = watching(a, 0, null, { mode })[Symbol.asyncIterator]().next()
    c.resetOnClose(b)
    close(b)
    close(w)
    await turns()
    expect(await cpuSeconds(() => pause(1000))).toBeLessThan(BUSY)
    expect(listeners.map(({ told }) => told)).toEqual([[], []])
    expect(await Promise.race([pending, 'pending'])).toBe('pending')
  })
}

test('the same interest set again does not silence a level watcher', async () => {
  const [r, w] = pipe()
  const { told } = listening(r, READABLE, {}, (_, watcher) => {
    watcher.interest = READABLE
    c.read(r, 1)
  })
  c.write(w, '1234567890')
  await eventually(() => told.length).toBe(10)
})

test('interest changed 1,000 times in a tick: the last one counts', async () => {
  const [a, b] = socketpair()
  const { told, watcher } = listening(a, 0)
  c.write(b)
  for (let i = 0; i < 1000; i += 1) watcher.interest = i % 4
  watcher.interest = WRITABLE
  await eventually(() => told.length).toBeGreaterThan(0)
  expect(new Set(told)).toEqual(new Set([WRITABLE]))
})

test('a wrong interest is refused and leaves the old one', async () => {
  const [r, w] = pipe()
  const { told, watcher } = listening(r, READABLE)
  for (const wrong of [32, -1, 1.5, Number.NaN]) {
    expect(() => (watcher.interest = wrong)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }))
  }
  for (const wrong of ['1', null, undefined, {}, true, 1n]) {
    expect(() => (watcher.interest = wrong as never)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }))
  }
  expect(watcher.interest).toBe(READABLE)
  c.write(w)
  await eventually(() => told.length).toBeGreaterThan(0)
})

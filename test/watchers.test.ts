import { getEventListeners } from 'node:events'
import { closing, HANGUP, READABLE, readable, statistics, type Watcher, WRITABLE } from 'fdevent'
import * as io from 'fdevent/io'
import { expect, test } from 'vitest'
import * as c from './helpers/libc.js'
import { close, eventually, pipe, socketpair, turns } from './helpers/owned.js'
import { listening, watching } from './helpers/watching.js'

test('a level watcher is told again and again until the descriptor is drained', async () => {
  const [r, w] = pipe()
  const { told } = listening(r, READABLE)
  c.write(w)
  await eventually(() => told.length).toBeGreaterThan(5)
  c.drain(r)
  const count = told.length
  await turns()
  expect(told).toEqual(Array(count).fill(READABLE))
})

test('a level watcher goes on where the listener reads one byte of several each time', async () => {
  const [r, w] = pipe()
  const { told } = listening(r, READABLE, {}, () => c.read(r, 1))
  c.write(w, '12345')
  await eventually(() => told.length).toBe(5)
  await turns()
  expect(told).toHaveLength(5)
})

test('a level watcher is told again when new data comes after it was drained', async () => {
  const [r, w] = pipe()
  const { told } = listening(r, READABLE, {}, () => c.drain(r))
  for (let i = 1; i <= 5; i += 1) {
    c.write(w)
    await eventually(() => told.length).toBe(i)
  }
})

test('a watcher of a descriptor that is not ready is not called', async () => {
  const [r] = pipe()
  const { told } = listening(r, READABLE)
  await turns(5)
  expect(told).toEqual([])
})

test('the listener is not called before watch() returns', () => {
  const [r, w] = pipe()
  c.write(w)
  const { told } = listening(r, READABLE)
  expect(told).toEqual([])
})

test('an edge watcher is told once for each edge, drained or not', async () => {
  const [r, w] = pipe()
  const { told } = listening(r, READABLE, { mode: 'edge' })
  for (let i = 1; i <= 5; i += 1) {
    c.write(w)
    await turns(2)
    expect(told).toEqual(Array(i).fill(READABLE))
  }
})

test('an edge watcher made on a descriptor that is ready is told once', async () => {
  const [r, w] = pipe()
  c.write(w)
  const { told } = listening(r, READABLE, { mode: 'edge' })
  await turns(5)
  expect(told).toEqual([READABLE])
})

test('draining is no edge', async () => {
  const [r, w] = pipe()
  const { told } = listening(r, READABLE, { mode: 'edge' })
  c.write(w)
  await turns()
  c.drain(r)
  await turns()
  expect(told).toEqual([READABLE])
})

test('reading and writing become ready in one event', async () => {
  const [a, b] = socketpair()
  c.fill(a)
  const level = listening(a, READABLE | WRITABLE, {}, (_, watcher) => watcher.close())
  const edge = listening(a, READABLE | WRITABLE, { mode: 'edge' })
  await turns()
  expect([level.told, edge.told]).toEqual([[], []])
  c.drain(b)
  c.write(b)
  await turns()
  expect(level.told).toEqual([READABLE | WRITABLE])
  expect(edge.told).toEqual([READABLE | WRITABLE])
})

test('the listener gets the bits and its own watcher, and no receiver', async () => {
  const [r, w] = pipe()
  const calls: unknown[][] = []
  const watcher = watching(r, READABLE, function (this: unknown, ...args) {
    calls.push([this, ...args])
    args[1].close()
  })
  c.write(w)
  await eventually(() => calls.length).toBe(1)
  expect(calls[0]).toEqual([undefined, READABLE, watcher])
  expect(calls[0]?.[2]).toBe(watcher)
})

test('what is taken away before the loop turns is reported to nobody', async () => {
  const [r, w] = pipe()
  const { told } = listening(r, READABLE)
  c.write(w)
  c.drain(r)
  await turns()
  expect(told).toEqual([])
})

test('after close() in the tick of an event the listener is not called', async () => {
  const [r, w] = pipe()
  const { told, watcher } = listening(r, READABLE)
  c.write(w)
  watcher.close()
  await turns()
  expect(told).toEqual([])
  expect(watcher.closed).toBe(true)
})

test('close() inside the listener makes that call the last one', async () => {
  const [r, w] = pipe()
  const { told } = listening(r, READABLE, {}, (_, watcher) => watcher.close())
  c.write(w)
  await turns()
  expect(told).toEqual([READABLE])
})

test('close() again is a no-op, and the descriptor stays open', () => {
  const [r] = pipe()
  const watcher = watching(r, READABLE, () => {})
  expect(watcher.closed).toBe(false)
  watcher.close()
  watcher.close()
  expect(watcher.closed).toBe(true)
  expect(c.isOpen(r)).toBe(true)
})

test('a watcher is disposable', () => {
  const [r] = pipe()
  const watcher = watching(r, READABLE, () => {})
  watcher[Symbol.dispose]()
  expect(watcher.closed).toBe(true)
  watcher[Symbol.dispose]()
  expect(statistics()).toMatchObject({ watches: 0, armed: 0 })
})

for (const mode of ['level', 'edge'] as const) {
  test(`closed and watched anew, ${mode}: what was drained in between is reported to nobody`, async () => {
    const [r, w] = pipe()
    const first = listening(r, READABLE, { mode })
    c.write(w)
    await eventually(() => first.told.length).toBeGreaterThan(0)
    first.watcher.close()
    c.drain(r)
    const count = first.told.length
    const second = listening(r, READABLE, { mode })
    await turns()
    expect(second.told).toEqual([])
    c.write(w)
    await eventually(() => second.told.length).toBeGreaterThan(0)
    expect(first.told).toHaveLength(count)
  })

  test(`closed by the listener of another descriptor in the same batch, ${mode}: not called`, async () => {
    const pipes = Array.from({ length: 5 }, pipe)
    const all: Watcher[] = []
    const called: number[] = []
    for (const [i, [r]] of pipes.entries()) {
      const one = listening(r, READABLE, { mode }, () => {
        called.push(i)
        for (const watcher of all) watcher.close()
      })
      all.push(one.watcher)
    }
    for (const [, w] of pipes) c.write(w)
    await turns()
    expect(called).toHaveLength(1)
  })

  test(`closed by the listener of another watcher of its descriptor in the same batch, ${mode}: not called`, async () => {
    const [r, w] = pipe()
    const all: Watcher[] = []
    let calls = 0
    const closeAll = () => {
      calls += 1
      for (const watcher of all) watcher.close()
    }
    for (let i = 0; i < 5; i += 1) all.push(listening(r, READABLE, { mode }, closeAll).watcher)
    c.write(w)
    await turns()
    expect(calls).toBe(1)
  })

  test(`replaced in the same batch, ${mode}: the event of the old watcher does not reach the new one`, async () => {
    const [r1, w1] = pipe()
    const [r2, w2] = pipe()
    const [idle] = pipe()
    const fresh: number[] = []
    const old: { watcher: Watcher; fd: number }[] = []
    let calls = 0
    const replace = () => {
      calls += 1
      for (const { watcher, fd } of old) {
        watcher.close()
        c.drain(fd)
        for (const target of [fd, idle]) watching(target, READABLE, () => fresh.push(target), { mode })
      }
    }
    for (const fd of [r1, r2]) old.push({ fd, watcher: watching(fd, READABLE, replace, { mode }) })
    c.write(w1)
    c.write(w2)
    await turns()
    expect({ calls, fresh }).toEqual({ calls: 1, fresh: [] })
  })

  test(`watched anew inside its own listener, ${mode}: the new watcher is served`, async () => {
    const [r, w] = pipe()
    let generations = 0
    const again = (_: number, watcher: Watcher) => {
      generations += 1
      watcher.close()
      if (generations < 50) watching(r, READABLE, again, { mode })
    }
    watching(r, READABLE, again, { mode })
    c.write(w)
    await eventually(() => generations).toBe(50)
    await turns()
    expect(generations).toBe(50)
  })
}

test('one batch serves a listener, an iterator and a promise', async () => {
  const pipes = Array.from({ length: 3 }, pipe)
  const [r1, r2, r3] = pipes.map(([r]) => r) as [number, number, number]
  const { told } = listening(r1, READABLE, {}, (_, watcher) => watcher.close())
  const next = watching(r2, READABLE)[Symbol.asyncIterator]().next()
  const wait = readable(r3, 10)
  for (const [, w] of pipes) c.write(w)
  expect(await Promise.all([next, wait])).toEqual([{ done: false, value: READABLE }, true])
  expect(told).toEqual([READABLE])
})

test('a hang-up is reported unasked, and a watcher that only wants it is told nothing else', async () => {
  const [r, w] = pipe()
  const { told } = listening(r, HANGUP)
  c.write(w)
  await turns()
  expect(told).toEqual([])
  close(w)
  await eventually(() => told.length).toBeGreaterThan(0)
  expect(new Set(told)).toEqual(new Set([HANGUP]))
})

test('an aborted signal makes a watcher that is closed from the start', async () => {
  const [r, w] = pipe()
  c.write(w)
  const { told, watcher } = listening(r, READABLE, { signal: AbortSignal.abort() })
  expect(watcher.closed).toBe(true)
  expect(statistics()).toMatchObject({ watches: 0, armed: 0 })
  await turns()
  expect(told).toEqual([])
})

test('aborting the signal closes the watcher at once', async () => {
  const [r, w] = pipe()
  const controller = new AbortController()
  const { told, watcher } = listening(r, READABLE, { signal: controller.signal })
  c.write(w)
  controller.abort()
  expect(watcher.closed).toBe(true)
  expect(statistics()).toMatchObject({ watches: 0, armed: 0 })
  await turns()
  expect(told).toEqual([])
})

test('aborting the signal inside a listener closes every watcher under it, also those of the same batch', async () => {
  const controller = new AbortController()
  const pipes = Array.from({ length: 5 }, pipe)
  let calls = 0
  const abort = () => {
    calls += 1
    controller.abort()
  }
  for (const [r] of pipes) listening(r, READABLE, { signal: controller.signal }, abort)
  for (const [, w] of pipes) c.write(w)
  await turns()
  expect(calls).toBe(1)
})

test('a closed watcher leaves nothing on its signal', () => {
  const [r] = pipe()
  const { signal } = new AbortController()
  for (let i = 0; i < 20; i += 1) {
    const watchers = [watching(r, READABLE, () => {}, { signal }), watching(r, READABLE, null, { signal })]
    expect(getEventListeners(signal, 'abort').length).toBeGreaterThan(0)
    for (const watcher of watchers) watcher.close()
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  }
})

test('a signal that refuses to be listened to leaves no registration', () => {
  const [r] = pipe()
  const refuse = () => {
    throw new Error('not this signal')
  }
  const signal = { aborted: false, addEventListener: refuse, removeEventListener() {} } as unknown as AbortSignal
  for (const listener of [() => {}, null]) {
    for (const mode of ['level', 'edge'] as const) {
      expect(() => watching(r, READABLE, listener, { signal, mode })).toThrow('not this signal')
    }
  }
  const { watches, armed } = statistics()
  closing(r)
  expect({ watches, armed }).toEqual({ watches: 0, armed: 0 })
})

for (const [how, end] of [
  ['closing()', closing],
  ['io.close()', io.close],
] as const) {
  test(`${how} closes the watchers of that descriptor, and no others`, async () => {
    const [r, w] = c.pipe()
    const [other, writer] = pipe()
    const watchers = [
      watching(r, READABLE, () => {}),
      watching(r, READABLE, () => {}, { mode: 'edge' }),
      watching(r, READABLE),
      watching(r, 0, () => {}),
    ]
    const bystander = listening(other, READABLE)
    end(r)
    expect(watchers.map(({ closed }) => closed)).toEqual([true, true, true, true])
    expect(bystander.watcher.closed).toBe(false)
    c.write(writer)
    await eventually(() => bystander.told.length).toBeGreaterThan(0)
    if (c.isOpen(r)) c.close(r)
    c.close(w)
  })

  test(`${how} inside a listener ends the events of that descriptor in the same batch`, async () => {
    const [r, w] = c.pipe()
    let calls = 0
    const listener = () => {
      calls += 1
      if (calls === 1) end(r)
    }
    for (const mode of ['level', 'edge', 'level'] as const) watching(r, READABLE, listener, { mode })
    c.write(w)
    await turns()
    expect(calls).toBe(1)
    if (c.isOpen(r)) c.close(r)
    c.close(w)
  })
}

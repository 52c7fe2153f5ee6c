import {
  AsyncLocalStorage,
  AsyncResource,
  createHook,
  executionAsyncId,
  executionAsyncResource,
} from 'node:async_hooks'
import { setImmediate } from 'node:timers/promises'
import { READABLE, statistics, watch } from 'fdevent'
import { expect, onTestFinished, test } from 'vitest'
import * as c from './helpers/libc.js'
import { eventually, pipe, turns, watched } from './helpers/owned.js'
import { report, run } from './helpers/run.js'
import { listening, watching } from './helpers/watching.js'

/** Runs test/fixtures/watchers.mjs; what it printed, line by line. */
async function live(name: string, mode: string) {
  const { code, signal, stdout, stderr } = await run('watchers.mjs', [name, mode])
  const printed = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown)
  return { code, signal, stderr, printed }
}
const clean = (...printed: unknown[]) => ({ code: 0, signal: null, stderr: '', printed: [...printed, 'exit 0'] })
const READY = { done: false, value: READABLE }

const lives: [string, string, unknown[]][] = [
  ['a watcher keeps the process alive until it is closed', 'listener', [READABLE]],
  ['ref: false does not keep the process alive', 'ref: false', []],
  ['unref() lets the process end', 'unref()', []],
  ['ref() keeps the process alive again', 'ref() again', [READABLE]],
  ['references are not counted', 'unref() twice and ref() once', [READABLE]],
  ['unref() inside the listener lets the process end', 'unref() inside the listener', [READABLE]],
  [
    'an unreferenced watcher is served while something else keeps the process alive',
    'unreferenced but served',
    [READABLE],
  ],
  ['a closed watcher lets the process end', 'closed', []],
  ['an aborted watcher lets the process end', 'aborted', []],
  ['an iterator that nobody asks does not keep the process alive', 'an idle iterator', []],
  ['a pending next() keeps the process alive', 'a pending iterator', [READY]],
  ['an iterator whose next() was answered lets the process end', 'an answered iterator', [READY]],
  ['a pending next() with ref: false lets the process end', 'a pending iterator, ref: false', []],
  ['unref() while next() is pending lets the process end', 'a pending iterator, unref() while it waits', []],
  ['ref() while next() is pending keeps the process alive', 'a pending iterator, ref() while it waits', [READY]],
  [
    'a wait begun in the tick in which an iterator closes keeps the process alive',
    'a closed iterator and a wait begun in the same tick',
    [{ done: true }, true],
  ],
  ['what an async listener rejects with reaches unhandledRejection', 'a rejecting listener', ['in an async listener']],
  ['watchers closed while an exception is handled are not called', 'closed by a throwing handler', [true]],
  [
    'a listener that goes on throwing goes on being called',
    'a listener that goes on throwing',
    [{ calls: 5, caught: 5 }],
  ],
]

for (const mode of ['level', 'edge'] as const) {
  for (const [name, fixture, printed] of lives) {
    test(`${mode}: ${name}`, async () => {
      expect(await live(fixture, mode)).toEqual(clean(...printed))
    })
  }

  test(`${mode}: process.exit inside a listener, 300 of them in one batch`, async () => {
    expect(await live('process.exit in a listener', mode)).toEqual({
      code: 4,
      signal: null,
      stderr: '',
      printed: ['exit 4'],
    })
  })

  test(`${mode}: process.exit with 3,000 watchers open`, async () => {
    expect(await live('many open at process.exit', mode)).toEqual({
      code: 3,
      signal: null,
      stderr: '',
      printed: ['exit 3'],
    })
  })

  test(`${mode}: what listeners throw reaches uncaughtException, and costs nobody else in the batch anything`, async () => {
    const { code, printed } = await live('throwing listeners', mode)
    const odd = Array.from({ length: 10 }, (_, i) => `listener ${2 * i + 1}`).sort()
    const even = Array.from({ length: 10 }, (_, i) => 2 * i)
    expect(code).toBe(0)
    expect(printed[0]).toMatchObject({ caught: odd, served: even, answered: 40, ids: 20, waits: 0, watches: 0 })
  })

  test(`${mode}: what a listener throws ends a process that does not catch it`, async () => {
    const ended = await live('a throwing listener and nobody to catch', mode)
    expect(ended.code).not.toBe(0)
    expect(ended.signal).toBe(null)
    expect(ended.stderr).toContain('nobody catches this')
    expect(ended.printed).toHaveLength(1)
  })
}

test('hasRef() tells what was set last', () => {
  const [r] = pipe()
  const { watcher } = listening(r, READABLE)
  expect(watcher.hasRef()).toBe(true)
  expect(watcher.unref()).toBe(watcher)
  expect(watcher.hasRef()).toBe(false)
  expect(watcher.ref()).toBe(watcher)
  expect(watcher.hasRef()).toBe(true)
  expect(listening(r, READABLE, { ref: false }).watcher.hasRef()).toBe(false)
})

async function collected(done: () => boolean) {
  for (let i = 0; i < 100 && !done(); i += 1) {
    // What a WeakRef was asked for lives until the end of that turn.
    await setImmediate()
    globalThis.gc?.()
    await setImmediate()
  }
}

for (const mode of ['level', 'edge'] as const) {
  test(`${mode}: dropped iterators release their registrations`, async () => {
    const [r] = pipe()
    const { signal } = new AbortController()
    const before = statistics()
    const refs: WeakRef<object>[] = []
    const drop = () => {
      for (let i = 0; i < 20; i += 1) refs.push(new WeakRef(watch(r, READABLE, null, { mode, signal })))
    }
    drop()
    expect(statistics().watches).toBe(mode === 'edge' ? 20 : 0)
    await collected(() => refs.every((ref) => ref.deref() === undefined) && statistics().watches === 0)
    expect(refs.filter((ref) => ref.deref() !== undefined)).toHaveLength(0)
    expect(statistics()).toEqual(before)
  })

  test(`${mode}: an iterator with next() pending survives garbage collection`, async () => {
    const [r, w] = pipe()
    const begin = () => watched(watch(r, READABLE, null, { mode })[Symbol.asyncIterator]().next())
    const next = begin()
    let rounds = 0
    await collected(() => (rounds += 1) > 10)
    c.write(w)
    await eventually(() => next.value).toEqual(READY)
    await collected(() => statistics().watches === 0)
  })

  test(`${mode}: a dropped watcher with a listener goes on`, async () => {
    const [r, w] = pipe()
    let told = 0
    const controller = new AbortController()
    const begin = () => {
      watch(
        r,
        READABLE,
        () => {
          told += 1
          c.drain(r)
        },
        { mode, signal: controller.signal },
      )
    }
    begin()
    let rounds = 0
    await collected(() => (rounds += 1) > 10)
    for (let i = 1; i <= 3; i += 1) {
      c.write(w)
      await eventually(() => told).toBe(i)
    }
    controller.abort()
    expect(statistics().watches).toBe(0)
  })
}

test('a closed watcher and its listener can be collected', async () => {
  const [r] = pipe()
  const begin = () => {
    const listener = () => {}
    const watcher = watch(r, READABLE, listener)
    watcher.close()
    return [new WeakRef<object>(watcher), new WeakRef<object>(listener)]
  }
  const refs = begin()
  await collected(() => refs.every((ref) => ref.deref() === undefined))
  expect(refs.map((ref) => ref.deref())).toEqual([undefined, undefined])
})

test('listeners run in the AsyncLocalStorage of their watch(), also 20 in one batch', async () => {
  const storage = new AsyncLocalStorage<number>()
  const pipes = Array.from({ length: 20 }, pipe)
  const seen = new Map<number, unknown>()
  for (const [i, [r]] of pipes.entries()) {
    storage.run(i, () => {
      watching(r, READABLE, (_, watcher) => {
        seen.set(i, storage.getStore())
        watcher.close()
      })
    })
  }
  storage.run(-1, () => pipes.forEach(([, w]) => void c.write(w)))
  await eventually(() => seen.size).toBe(20)
  expect([...seen].every(([i, store]) => i === store)).toBe(true)
})

test('AsyncLocalStorage stays with a watcher whose interest is set elsewhere', async () => {
  const storage = new AsyncLocalStorage<string>()
  const [r, w] = pipe()
  const seen: unknown[] = []
  const { watcher } = storage.run('here', () =>
    listening(r, 0, {}, (_, self) => {
      seen.push(storage.getStore())
      self.close()
    }),
  )
  c.write(w)
  storage.run('elsewhere', () => {
    watcher.interest = READABLE
  })
  await eventually(() => seen.length).toBe(1)
  expect(seen).toEqual(['here'])
})

test('AsyncLocalStorage flows across next()', async () => {
  const storage = new AsyncLocalStorage<number>()
  const [r, w] = pipe()
  c.write(w)
  const loops = [1, 2, 3].map((i) =>
    storage.run(i, async () => {
      for await (const _ of watching(r, READABLE)) return storage.getStore()
      return undefined
    }),
  )
  expect(await Promise.all(loops)).toEqual([1, 2, 3])
})

test('every call of a listener is one async resource of its own, triggered by the watch()', async () => {
  const [r, w] = pipe()
  const events: [string, number][] = []
  const mine = new Set<number>()
  let trigger = -1
  const hook = createHook({
    init(id, type, triggerId) {
      if (type.startsWith('FDEVENT')) {
        mine.add(id)
        trigger = triggerId
      }
    },
    before: (id) => void (mine.has(id) && events.push(['before', id])),
    after: (id) => void (mine.has(id) && events.push(['after', id])),
  }).enable()
  onTestFinished(() => void hook.disable())
  const outer = new AsyncResource('TEST')
  const ids: number[] = []
  const resources: object[] = []
  const { watcher } = outer.runInAsyncScope(() =>
    listening(r, READABLE, { mode: 'edge' }, () => {
      ids.push(executionAsyncId())
      resources.push(executionAsyncResource())
    }),
  )
  for (let i = 1; i <= 3; i += 1) {
    c.write(w)
    await eventually(() => ids.length).toBe(i)
  }
  watcher.close()
  const [id] = ids as [number]
  expect(mine).toContain(id)
  expect(trigger).toBe(outer.asyncId())
  expect(ids).toEqual([id, id, id])
  expect(new Set(resources).size).toBe(1)
  const own = events.filter(([, event]) => event === id).map(([name]) => name)
  expect(own).toEqual(['before', 'after', 'before', 'after', 'before', 'after'])
})

test('promises of a listener continue before the next listener of the next batch', async () => {
  const [r, w] = pipe()
  const order: string[] = []
  listening(r, READABLE, {}, (_, watcher) => {
    order.push('call')
    c.drain(r)
    Promise.resolve().then(() => order.push('continuation'))
    process.nextTick(() => order.push('tick'))
    if (order.filter((one) => one === 'call').length === 3) watcher.close()
    else c.write(w)
  })
  c.write(w)
  await eventually(() => order.length).toBe(9)
  expect(order).toEqual(Array(3).fill(['call', 'tick', 'continuation']).flat())
})

test('a listener that is always called starves neither timers nor immediates nor other descriptors', async () => {
  const [r, w] = pipe()
  const [r2, w2] = pipe()
  c.write(w)
  listening(r, READABLE)
  const other = listening(r2, READABLE, {}, () => c.drain(r2))
  await turns(10)
  c.write(w2)
  await eventually(() => other.told.length).toBe(1)
})

const workers: [string, string, unknown][] = [
  ['two workers and the main thread watch independently', 'independent', [1, 0, 'main', 1]],
  ['terminate() with watchers open leaves no descriptor', 'terminate', { left: 0 }],
  ['terminate() in the middle of a busy listener leaves no descriptor', 'terminate while busy', { left: 0 }],
  ['process.exit inside a listener in a worker leaves no descriptor', 'exit', { left: 0 }],
  ['a listener that throws ends its worker with an error and leaves no descriptor', 'throw', { left: 0 }],
  ['a worker with idle watchers ends by itself and leaves no descriptor', 'unreferenced', { left: 0 }],
]
for (const [name, fixture, expected] of workers) {
  test(`${name}`, async () => {
    expect(await report('watch-workers.mjs', [fixture])).toEqual(expected)
  })
}

test(
  '15,000 watched descriptors in random order: each write is told to its own watcher alone',
  { timeout: 90_000 },
  async () => {
    const { printed, stderr } = await live('random order', '')
    expect(stderr).toBe('')
    expect(printed[0]).toEqual({ armed: 15_000, mistakes: [], left: 0 })
  },
)

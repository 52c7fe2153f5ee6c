import { closing, readable, select, statistics, writable } from 'fdevent'
import { expect, onTestFinished, test } from 'vitest'
import * as c from './helpers/libc.js'
import { report, run } from './helpers/run.js'

function pipe() {
  const fds = c.pipe()
  onTestFinished(() => fds.forEach(c.close))
  return fds
}

const ORDER = [
  'continuation',
  'tick',
  'microtask of the tick',
  'ten awaits later',
  'after a tick',
  'then',
  'finally',
  'late timer',
]
const kinds = ['event', 'event without timeout', 'timeout', 'select', 'poll', 'writable', 'failure', 'chain']
for (const kind of kinds) {
  test(`continuations, ticks and microtasks after a wait run at once: ${kind}`, async () => {
    const order = await report<string[]>('promises.mjs', [kind])
    // A tick set in a microtask runs when the microtasks are through, so the middle has no fixed order.
    expect([...order].sort()).toEqual([...ORDER].sort())
    expect(order[0]).toBe('continuation')
    expect(order.at(-1)).toBe('late timer')
  })
}

test('what the calls return are native promises', async () => {
  const [r, w] = pipe()
  const waits = [readable(r, 0), writable(w, 0), select([r], [], [], 0)]
  for (const wait of waits) {
    expect(Object.getPrototypeOf(wait)).toBe(Promise.prototype)
    expect(Object.keys(wait)).toEqual([])
  }
  await Promise.all(waits)
})

test('a wait never settles before the call has returned and the present tick is over', async () => {
  const [r, w] = pipe()
  c.write(w)
  let settled = 0
  const waits = [readable(r), readable(r, 0), select([r], [], []), writable(w)]
  for (const wait of waits) {
    wait.then(() => {
      settled += 1
    })
  }
  for (let i = 0; i < 100; i += 1) await null
  expect(settled).toBe(0)
  await Promise.all(waits)
  expect(settled).toBe(4)
})

test('each of the ways to end settles a promise once', async () => {
  const [r, w] = pipe()
  const counts = new Map<string, number>()
  const count = (name: string, wait: Promise<unknown>) => {
    const once = () => void counts.set(name, (counts.get(name) ?? 0) + 1)
    wait.then(once, once)
    return wait.catch(() => {})
  }
  const controller = new AbortController()
  const all = [
    count('ready', readable(r, 10)),
    count('aborted', readable(r, 10, { signal: controller.signal })),
    count('short', readable(r, 0.001)),
    count('poll', readable(r, 0)),
    count('select', select([r], [w], [])),
    count('bad', readable(2 ** 30)),
  ]
  c.write(w)
  controller.abort()
  await Promise.all(all)
  closing(r)
  await new Promise((resolve) => setTimeout(resolve, 30))
  expect([...counts].sort()).toEqual(['aborted', 'bad', 'poll', 'ready', 'select', 'short'].map((name) => [name, 1]))
})

test('readiness, timeout, abort and close racing one another settle each of 300 waits once', async () => {
  const pairs = Array.from({ length: 10 }, pipe)
  let settlements = 0
  const waits = Array.from({ length: 300 }, (_, i) => {
    const [r] = pairs[i % 10] as c.Pair
    const controller = new AbortController()
    const settled = () => {
      settlements += 1
    }
    const wait = readable(r, 0.005, { signal: controller.signal }).then(settled, settled)
    if (i % 3 === 0) setTimeout(() => controller.abort(), 5)
    return wait
  })
  setTimeout(() => pairs.slice(0, 5).forEach(([, w]) => void c.write(w)), 5)
  setTimeout(() => {
    for (const [r] of pairs.slice(5, 8)) closing(r)
  }, 5)
  await Promise.all(waits)
  await new Promise((resolve) => setTimeout(resolve, 30))
  expect(settlements).toBe(300)
  expect(statistics()).toMatchObject({ waits: 0, timed: 0, armed: 0 })
})

test('an unhandled rejection ends the process, and names the error', async () => {
  const { code, signal, stderr } = await run('lifecycle.mjs', ['unhandled rejection'])
  expect({ code, signal }).toEqual({ code: 1, signal: null })
  expect(stderr).toContain('EBADF')
  expect(stderr).toContain('FdError')
})

test('a rejection handled late is reported as unhandled once, and then as handled', async () => {
  const { stdout } = await run('lifecycle.mjs', ['rejection handled late'])
  expect(stdout.split('\n')[0]).toBe(JSON.stringify(['unhandled EBADF', 'EBADF', 'handled']))
})

test('handled rejections cause no unhandledRejection', async () => {
  const seen: unknown[] = []
  const listener = (reason: unknown) => seen.push(reason)
  process.on('unhandledRejection', listener)
  onTestFinished(() => void process.off('unhandledRejection', listener))
  const [r] = pipe()
  const waits = [readable(r), readable(r, 10), select([r], [], []), readable(2 ** 30), readable(-1)]
  const settled = Promise.allSettled(waits)
  closing(r)
  for (const { status } of await settled) expect(status).toBe('rejected')
  await new Promise((resolve) => setTimeout(resolve, 10))
  expect(seen).toEqual([])
})

test('a throwing continuation costs no other wait of its batch', async () => {
  const pipes = Array.from({ length: 5 }, pipe)
  const waits = pipes.map(([r], i) =>
    readable(r, 10).then(() => {
      if (i % 2 === 0) throw new Error(`thrown by ${i}`)
      return i
    }),
  )
  const settled = Promise.allSettled(waits)
  for (const [, w] of pipes) c.write(w)
  expect((await settled).map((result) => result.status)).toEqual([
    'rejected',
    'fulfilled',
    'rejected',
    'fulfilled',
    'rejected',
  ])
})

test('the stack of an immediate failure has the caller', async () => {
  async function callerOfReadable() {
    await readable(2 ** 30, 10)
  }
  const error = (await callerOfReadable().catch((reason: unknown) => reason)) as Error
  expect(error.stack).toContain('callerOfReadable')
})

test('the stack of an announced close has the caller of closing()', async () => {
  const [r] = pipe()
  function callerOfClosing() {
    closing(r)
  }
  const wait = readable(r).catch((reason: unknown) => reason)
  callerOfClosing()
  expect(((await wait) as Error).stack).toContain('callerOfClosing')
})

test('ten thousand waits in a row grow no stack', async () => {
  const [r, w] = pipe()
  c.write(w)
  const again = (left: number): Promise<number> => readable(r, 10).then(() => (left > 0 ? again(left - 1) : left))
  expect(await again(10_000)).toBe(0)
})

import { getEventListeners } from 'node:events'
import { AbortError, closing, readable, select, statistics, writable } from 'fdevent'
import { expect, onTestFinished, test } from 'vitest'
import * as c from './helpers/libc.js'

function pipe() {
  const fds = c.pipe()
  onTestFinished(() => {
    for (const fd of fds) {
      closing(fd)
      c.close(fd)
    }
  })
  return fds
}

const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length
const failed = (wait: Promise<unknown>): Promise<unknown> =>
  wait.then(
    (value) => expect.fail(`resolved with ${String(value)}`),
    (error: unknown) => error,
  )
const registrations = () => {
  const { registered, armed } = statistics()
  return { registered, armed }
}

const kinds = {
  readable: (fd: number, signal: AbortSignal) => readable(fd, null, { signal }),
  writable: (fd: number, signal: AbortSignal) => writable(fd, null, { signal }),
  select: (fd: number, signal: AbortSignal) => select([fd], [], [], null, { signal }),
  'readable with options in second place': (fd: number, signal: AbortSignal) => readable(fd, { signal }),
  'select without descriptors': (_: number, signal: AbortSignal) => select([], [], [], 30, { signal }),
}

for (const [name, wait] of Object.entries(kinds)) {
  test(`${name}: aborted before the call rejects, also where the descriptor is ready, and touches nothing`, async () => {
    const [r, w] = pipe()
    c.write(w)
    const before = registrations()
    const signal = AbortSignal.abort('too late')
    const error = failed(wait(name === 'writable' ? w : r, signal))
    expect(registrations()).toEqual(before)
    expect(statistics().waits).toBe(0)
    expect(await error).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: 'too late' })
    expect(listeners(signal)).toBe(0)
  })

  test(`${name}: aborted while waiting rejects, and the listener is gone`, async () => {
    const [r, w] = pipe()
    c.fill(w)
    if (name !== 'writable') c.drain(r)
    const controller = new AbortController()
    const error = failed(wait(name === 'writable' ? w : r, controller.signal))
    expect(listeners(controller.signal)).toBe(1)
    controller.abort('changed my mind')
    expect(statistics()).toMatchObject({ waits: 0, timed: 0, armed: 0 })
    expect(await error).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: 'changed my mind' })
    expect(listeners(controller.signal)).toBe(0)
  })
}

test('the error is an AbortError and an Error, with a message and a stack', async () => {
  const [r] = pipe()
  const error = (await failed(readable(r, null, { signal: AbortSignal.abort() }))) as Error
  expect(error).toBeInstanceOf(AbortError)
  expect(error).toBeInstanceOf(Error)
  expect(error.message).toMatch(/abort/i)
  expect(error.stack).toContain('AbortError')
})

for (const [what, reason] of [
  ['an error', new Error('why')],
  ['a string', 'why'],
  ['null', null],
  ['0', 0],
] as const) {
  test(`a reason that is ${what} is the cause`, async () => {
    const [r] = pipe()
    const controller = new AbortController()
    const error = failed(readable(r, null, { signal: controller.signal }))
    controller.abort(reason)
    expect(((await error) as Error).cause).toBe(reason)
  })
}

test('without a reason the cause is the DOMException that the signal made', async () => {
  const [r] = pipe()
  const controller = new AbortController()
  const error = failed(readable(r, null, { signal: controller.signal }))
  controller.abort()
  expect(((await error) as Error).cause).toBe(controller.signal.reason)
  expect(((await error) as Error).cause).toMatchObject({ name: 'AbortError' })
})

test('ten times on one descriptor: each wait aborts, and the next one is served', async () => {
  const [r, w] = pipe()
  for (let i = 0; i < 10; i += 1) {
    const controller = new AbortController()
    const error = failed(readable(r, 10, { signal: controller.signal }))
    await new Promise(setImmediate)
    controller.abort(i)
    expect(await error).toMatchObject({ code: 'ABORT_ERR', cause: i })
    expect(listeners(controller.signal)).toBe(0)
  }
  c.write(w)
  expect(await readable(r, 10)).toBe(true)
})

const endings = {
  'becoming ready': { prepare: (_: number, w: number) => void c.write(w), timeout: 10, outcome: true },
  'timing out': { prepare: () => {}, timeout: 0.01, outcome: false },
  'a poll': { prepare: () => {}, timeout: 0, outcome: false },
  closing: { prepare: (r: number) => closing(r), timeout: 10, outcome: 'EBADF' },
}

for (const [name, { prepare, timeout, outcome }] of Object.entries(endings)) {
  test(`the listener is removed after ${name}, and a later abort changes nothing`, async () => {
    const [r, w] = pipe()
    const controller = new AbortController()
    const wait = readable(r, timeout, { signal: controller.signal }).catch((error) => error.code)
    prepare(r, w)
    expect(await wait).toBe(outcome)
    expect(listeners(controller.signal)).toBe(0)
    controller.abort()
    expect(statistics()).toMatchObject({ waits: 0, armed: 0 })
  })
}

test('a wait that fails at once leaves no listener', async () => {
  const { signal } = new AbortController()
  expect(await failed(readable(2 ** 20, 10, { signal }))).toMatchObject({ code: 'EBADF' })
  expect(await failed(readable(-1, 10, { signal }))).toMatchObject({ code: 'ERR_OUT_OF_RANGE' })
  expect(listeners(signal)).toBe(0)
})

test('AbortSignal.timeout ends a wait, and the cause says that it was a timeout', async () => {
  const [r] = pipe()
  const error = await failed(readable(r, 30, { signal: AbortSignal.timeout(20) }))
  expect(error).toMatchObject({ code: 'ABORT_ERR', cause: { name: 'TimeoutError' } })
})

test('a wait that outruns its AbortSignal.timeout resolves', async () => {
  const [r, w] = pipe()
  const signal = AbortSignal.timeout(60_000)
  c.write(w)
  expect(await readable(r, 30, { signal })).toBe(true)
  expect(listeners(signal)).toBe(0)
})

for (const which of [0, 1]) {
  test(`AbortSignal.any: source ${which + 1} of 2 ends the wait`, async () => {
    const [r] = pipe()
    const sources = [new AbortController(), new AbortController()]
    const signal = AbortSignal.any(sources.map((source) => source.signal))
    const error = failed(readable(r, 30, { signal }))
    sources[which]?.abort(`source ${which}`)
    expect(await error).toMatchObject({ code: 'ABORT_ERR', cause: `source ${which}` })
    expect(listeners(signal)).toBe(0)
  })
}

test('one signal ends a hundred waits on several descriptors', async () => {
  const pipes = Array.from({ length: 10 }, pipe)
  const controller = new AbortController()
  const { signal } = controller
  const errors = Array.from({ length: 100 }, (_, i) => failed(readable(pipes[i % 10]?.[0] as number, 30, { signal })))
  expect(listeners(signal)).toBeGreaterThan(0)
  controller.abort()
  expect(statistics()).toMatchObject({ waits: 0, timed: 0, armed: 0 })
  for (const error of await Promise.all(errors)) expect(error).toMatchObject({ code: 'ABORT_ERR' })
  expect(listeners(signal)).toBe(0)
})

test('a hundred waits on one signal cause no warning', async () => {
  const warnings: Error[] = []
  const onWarning = (warning: Error) => warnings.push(warning)
  process.on('warning', onWarning)
  onTestFinished(() => void process.off('warning', onWarning))
  const [r, w] = pipe()
  const { signal } = new AbortController()
  const waits = Array.from({ length: 100 }, () => readable(r, 30, { signal }))
  c.write(w)
  await Promise.all(waits)
  await new Promise(setImmediate)
  expect(warnings).toEqual([])
})

test('an abort in the same tick as the readiness wins, and the byte stays for the next wait', async () => {
  const [r, w] = pipe()
  const controller = new AbortController()
  const error = failed(readable(r, 10, { signal: controller.signal }))
  c.write(w)
  controller.abort()
  expect(await error).toMatchObject({ code: 'ABORT_ERR' })
  expect(await readable(r, 10)).toBe(true)
  expect(c.drain(r)).toBe(1)
})

test('an abort in the same tick as the deadline settles the wait once, one way or the other', async () => {
  const [r] = pipe()
  for (let i = 0; i < 20; i += 1) {
    const controller = new AbortController()
    const wait = readable(r, 0.002, { signal: controller.signal }).catch((error) => error.code)
    for (const end = performance.now() + 3; performance.now() < end;);
    controller.abort()
    expect(await wait).toBe('ABORT_ERR')
    expect(listeners(controller.signal)).toBe(0)
  }
})

test('an abort of a poll in its own tick rejects it', async () => {
  const [r] = pipe()
  const controller = new AbortController()
  const error = failed(readable(r, 0, { signal: controller.signal }))
  controller.abort()
  expect(await error).toMatchObject({ code: 'ABORT_ERR' })
  // The record of the finished poll was on its way already; it must reach nobody, and free its place.
  await new Promise((resolve) => setTimeout(resolve, 10))
  expect(statistics()).toMatchObject({ waits: 0, timed: 0 })
})

test('an aborted poll is no wait any more as soon as abort() returns', async () => {
  const [r] = pipe()
  const controller = new AbortController()
  const error = failed(readable(r, 0, { signal: controller.signal }))
  controller.abort()
  const { waits } = statistics()
  await error
  await new Promise((resolve) => setTimeout(resolve, 10))
  expect(waits).toBe(0)
})

test('two waits ready in one batch, the first aborting the second: each settles, nothing is left', async () => {
  const [a, b] = [pipe(), pipe()]
  const controllers = [new AbortController(), new AbortController()]
  const settled: unknown[] = []
  const waits = [a, b].map(async ([r], i) => {
    const outcome = await readable(r, 10, { signal: controllers[i]?.signal }).catch((error) => error.code)
    settled.push(outcome)
    controllers[1 - i]?.abort()
  })
  c.write(a[1])
  c.write(b[1])
  await Promise.all(waits)
  expect(settled).toHaveLength(2)
  expect(settled[0]).toBe(true)
  expect([true, 'ABORT_ERR']).toContain(settled[1])
  expect(controllers.map(({ signal }) => listeners(signal))).toEqual([0, 0])
})

test('a listener that stops the propagation of the event does not keep the wait from ending', async () => {
  const [r] = pipe()
  const controller = new AbortController()
  controller.signal.addEventListener('abort', (event) => event.stopImmediatePropagation())
  const outcome = readable(r, 0.2, { signal: controller.signal }).catch((error) => error.code)
  controller.abort()
  expect(await outcome).toBe('ABORT_ERR')
})

test('after cancelling, a later event costs nothing: the kernel is told to forget', async () => {
  const [r, w] = pipe()
  closing(r)
  const before = registrations()
  const controller = new AbortController()
  const error = failed(readable(r, 10, { signal: controller.signal }))
  expect(registrations()).toEqual({ registered: before.registered + 1, armed: 1 })
  controller.abort()
  expect(registrations()).toEqual({ registered: before.registered, armed: 0 })
  c.write(w)
  await error
  await new Promise(setImmediate)
  expect(registrations()).toEqual({ registered: before.registered, armed: 0 })
})

test('after cancelling a select nothing of any member is armed', async () => {
  const pipes = Array.from({ length: 20 }, pipe)
  const before = registrations()
  const controller = new AbortController()
  const readers = pipes.map(([r]) => r)
  const error = failed(select(readers, [], readers, 10, { signal: controller.signal }))
  expect(registrations().armed).toBe(20)
  controller.abort()
  expect(registrations()).toEqual(before)
  expect(await error).toMatchObject({ code: 'ABORT_ERR' })
})

test('a listener of the same signal may start the next wait on the same descriptor', async () => {
  const [r, w] = pipe()
  const controller = new AbortController()
  let next: Promise<boolean> | undefined
  controller.signal.addEventListener('abort', () => {
    next = readable(r, 10)
  })
  const error = failed(readable(r, 10, { signal: controller.signal }))
  controller.abort()
  expect(await error).toMatchObject({ code: 'ABORT_ERR' })
  c.write(w)
  expect(await next).toBe(true)
})

test('a listener of the same signal may announce the close of the descriptor', async () => {
  const [r] = pipe()
  const controller = new AbortController()
  controller.signal.addEventListener('abort', () => closing(r))
  const waits = [failed(readable(r, 10, { signal: controller.signal })), failed(readable(r, 10))]
  controller.abort()
  const [first, second] = (await Promise.all(waits)) as { code: string }[]
  expect(['ABORT_ERR', 'EBADF']).toContain(first?.code)
  expect(second?.code).toBe('EBADF')
})

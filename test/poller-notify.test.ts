import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { type Notifier, notify, Poller, READABLE, readable } from 'fdevent'
import { expect, onTestFinished, test } from 'vitest'
import * as c from './helpers/libc.js'
import { own, pipe } from './helpers/owned.js'
import { fixture, report } from './helpers/run.js'
import { poller as create } from './helpers/watching.js'

/** Seconds that `body` takes. */
function seconds(body: () => void): number {
  const start = performance.now()
  body()
  return (performance.now() - start) / 1000
}

/** Sleeps its timeout, which a notification left over would cut short. */
function expectQuiet(poller: Poller) {
  expect(seconds(() => expect(poller.wait(0.03)).toBe(0))).toBeGreaterThanOrEqual(0.03)
}

test('a notification before wait() lets it return at once, empty', () => {
  const poller = create()
  poller.notify()
  expect(seconds(() => expect(poller.wait(30)).toBe(0))).toBeLessThan(10)
  expectQuiet(poller)
})

test('several notifications before wait() count as one', () => {
  const poller = create()
  for (let i = 0; i < 1000; i += 1) poller.notify()
  expect(poller.wait(30)).toBe(0)
  expectQuiet(poller)
})

test('each notification after a wait() ends another one', () => {
  const poller = create()
  for (let i = 0; i < 100; i += 1) {
    poller.notify()
    expect(poller.wait(30)).toBe(0)
  }
  expectQuiet(poller)
})

test('a pure poll takes the notification', () => {
  const poller = create()
  poller.notify()
  expect(poller.wait(0)).toBe(0)
  expectQuiet(poller)
})

test('a notification comes together with events', () => {
  const poller = create()
  const [r, w] = pipe()
  poller.add(r, READABLE)
  c.write(w)
  poller.notify()
  expect(poller.wait(30)).toBe(1)
  c.drain(r)
  expectQuiet(poller)
})

test('with a capacity of 1 a notification comes through between events', () => {
  const poller = create({ capacity: 1 })
  for (let i = 0; i < 3; i += 1) poller.add(own(c.eventfd(1)), READABLE)
  poller.notify()
  const counts = Array.from({ length: 10 }, () => poller.wait(30))
  expect(counts.filter((count) => count === 0)).toEqual([0])
  expect(counts.filter((count) => count === 1)).toHaveLength(9)
})

test('notify() of a notifier does what the method does', () => {
  const poller = create()
  expect(notify(poller.notifier)).toBe(true)
  expect(poller.wait(30)).toBe(0)
  expectQuiet(poller)
})

test('the notifier can be asked for before, during and after anything else, and stays good', () => {
  const poller = create()
  const [r] = pipe()
  const { notifier } = poller
  poller.add(r, READABLE)
  poller.wait(0)
  for (const one of [notifier, poller.notifier, structuredClone(notifier)]) {
    expect(notify(one)).toBe(true)
    expect(poller.wait(30)).toBe(0)
  }
  expectQuiet(poller)
})

test('asking for the notifier notifies nobody', () => {
  const poller = create()
  expect(poller.notifier).toBeDefined()
  expectQuiet(poller)
})

test('a notified poller is readable from outside until its wait()', async () => {
  const poller = create()
  expect(await readable(poller.fd, 0)).toBe(false)
  const wait = readable(poller.fd, 10)
  poller.notify()
  expect(await wait).toBe(true)
  expect(poller.wait(0)).toBe(0)
  expect(await readable(poller.fd, 0)).toBe(false)
})

test('notify() of a closed poller is false, and stays false', () => {
  const poller = create()
  const { notifier } = poller
  poller.close()
  for (let i = 0; i < 3; i += 1) expect(notify(notifier)).toBe(false)
  expect(notify(structuredClone(notifier))).toBe(false)
})

test('notify() of a closed poller does not write to what has its numbers now', () => {
  const poller = create()
  const { notifier } = poller
  poller.close()
  const fds = Array.from({ length: 8 }, () => own(c.eventfd()))
  for (let i = 0; i < 10; i += 1) expect(notify(notifier)).toBe(false)
  expect(fds.map((fd) => c.read(fd, 8))).toEqual(fds.map(() => null))
})

test('the method of a closed poller is EBADF', () => {
  const poller = create()
  poller.close()
  expect(() => poller.notify()).toThrow(expect.objectContaining({ code: 'EBADF' }))
  expect(() => poller.notifier).toThrow(expect.objectContaining({ code: 'EBADF' }))
})

test('what is no notifier is ERR_INVALID_ARG_TYPE', () => {
  const gate = new Int32Array(new SharedArrayBuffer(4))
  for (const wrong of [
    null,
    undefined,
    1,
    'x',
    {},
    [],
    new Poller() as unknown,
    { waker: 1 },
    { waker: '1', gate },
    { waker: 1, gate: new Int32Array(1) },
    { waker: 1, gate: new Uint8Array(new SharedArrayBuffer(4)) },
  ]) {
    expect(() => notify(wrong as Notifier)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }))
    if (wrong instanceof Poller) wrong.close()
  }
})

/** A worker that notifies, and has said that it listens. */
async function notifying() {
  const worker = new Worker(fixture('notifier.mjs'))
  onTestFinished(async () => void (await worker.terminate()))
  await once(worker, 'message')
  return worker
}

test('a notification from another thread ends a wait that has no timeout', async () => {
  const worker = await notifying()
  const poller = create()
  const answer = once(worker, 'message')
  worker.postMessage({ notifier: poller.notifier, after: 0.1 })
  const took = seconds(() => expect(poller.wait(null)).toBe(0))
  expect(took).toBeLessThan(10)
  expect((await answer)[0]).toEqual([true])
})

test('a notification from another thread ends a wait that watches descriptors, with nothing to report', async () => {
  const worker = await notifying()
  const poller = create()
  const [r, w] = pipe()
  poller.add(r, READABLE)
  const answer = once(worker, 'message')
  worker.postMessage({ notifier: poller.notifier, after: 0.05 })
  expect(poller.wait()).toBe(0)
  await answer
  c.write(w)
  expect(poller.wait(10)).toBe(1)
})

test('a thousand notifications from another thread before a wait count as one', async () => {
  const worker = await notifying()
  const poller = create()
  const answer = once(worker, 'message')
  worker.postMessage({ notifier: poller.notifier, times: 1000 })
  expect((await answer)[0]).toEqual([true])
  expect(poller.wait(30)).toBe(0)
  expectQuiet(poller)
})

test('another thread is told that the poller is closed', async () => {
  const worker = await notifying()
  const poller = create()
  const { notifier } = poller
  poller.close()
  const answer = once(worker, 'message')
  worker.postMessage({ notifier, times: 10 })
  expect((await answer)[0]).toEqual([false])
})

test('a notification while a stale registration is left behind is not lost', async () => {
  const poller = create()
  const [r, w] = c.pipe()
  own(c.dup(r))
  own(w)
  poller.add(r, READABLE)
  c.close(r)
  poller.remove(r)
  c.write(w)
  poller.notify()
  expect(seconds(() => expect(poller.wait(30)).toBe(0))).toBeLessThan(10)
  poller.notify()
  expect(seconds(() => expect(poller.wait(30)).toBe(0))).toBeLessThan(10)
})

test('notifications of the past are not repeated when a stale registration is left behind', () => {
  const poller = create()
  const [r, w] = c.pipe()
  own(c.dup(r))
  own(w)
  poller.notify()
  expect(poller.wait(30)).toBe(0)
  poller.add(r, READABLE)
  c.close(r)
  poller.remove(r)
  c.write(w)
  expectQuiet(poller)
})

test(
  'four threads that notify while the poller is opened and closed 200 times: no crash and no wrong write',
  { timeout: 60_000 },
  async () => {
    expect(await report('pollers.mjs', ['hammer'])).toEqual({ written: 0, wrong: 0, woken: true, called: true })
  },
)

test('the poller of a worker that is gone is closed to its notifiers', async () => {
  expect(await report('watch-workers.mjs', ['notifier of a worker that is gone'])).toEqual([true, false])
})

import assert from 'node:assert/strict'
import { open } from 'node:fs/promises'
import { closing, FdError, fileno, readable, select, statistics, writable } from '../../dist/index.js'
import { closeOwned, code, drain, eventually, fill, makePipe, makeSockets, put, take } from './harness.mjs'

export default {
  async 'a pipe is readable when data comes, and the byte is still there'() {
    const [r, w] = makePipe()
    setTimeout(() => put(w), 20)
    assert.equal(await readable(r), true)
    take(r)
    assert.equal(await readable(r, 0), false)
  },
  async 'a socket begins writable and not readable'() {
    const [a] = makeSockets()
    assert.equal(await writable(a, 5), true)
    assert.equal(await readable(a, 0.01), false)
  },
  async 'a full pipe is writable when its reader makes room'() {
    const [r, w] = makePipe()
    fill(w)
    assert.equal(await writable(w, 0.01), false)
    setTimeout(() => drain(r), 20)
    assert.equal(await writable(w, 5), true)
  },
  async 'the end of a pipe is readable'() {
    const [r, w] = makePipe()
    setTimeout(() => closeOwned(w), 20)
    assert.equal(await readable(r, 5), true)
  },
  async 'a pipe without its reader is writable'() {
    const [r, w] = makePipe()
    fill(w)
    setTimeout(() => closeOwned(r), 20)
    assert.equal(await writable(w, 5), true)
  },
  async 'both directions of one descriptor, and ten waits for the same'() {
    const [a, b] = makeSockets()
    const reads = Array.from({ length: 10 }, () => readable(a, 5))
    assert.equal(await writable(a, 5), true)
    put(b)
    assert.deepEqual(await Promise.all(reads), Array(10).fill(true))
  },
  async 'timeouts are never early'() {
    const [r] = makePipe()
    for (const seconds of [0.0001, 0.0031, 0.02]) {
      for (let i = 0; i < 20; i += 1) {
        const start = performance.now()
        assert.equal(await readable(r, seconds), false)
        assert.ok(performance.now() - start >= seconds * 1000 - 0.001)
      }
    }
  },
  async 'a timeout of 0 answers the present state'() {
    const [r, w] = makePipe()
    assert.equal(await readable(r, 0), false)
    put(w)
    for (let i = 0; i < 100; i += 1) assert.equal(await readable(r, 0), true)
  },
  async 'timeouts of years go on waiting'() {
    const [r, w] = makePipe()
    const waits = [1e8, 1e300, Infinity, null, undefined].map((seconds) => readable(r, seconds))
    put(w)
    assert.deepEqual(await Promise.all(waits), Array(5).fill(true))
  },
  async 'bad arguments reject with stable codes'() {
    const [r] = makePipe()
    for (const seconds of [-1, NaN]) await assert.rejects(readable(r, seconds), code('ERR_OUT_OF_RANGE'))
    await assert.rejects(readable(r, '1'), code('ERR_INVALID_ARG_TYPE'))
    await assert.rejects(readable('3'), code('ERR_INVALID_ARG_TYPE'))
    await assert.rejects(readable(-1), code('ERR_OUT_OF_RANGE'))
    await assert.rejects(readable(1_000_000, 1), (error) => error instanceof FdError && error.code === 'EBADF')
  },
  async 'an abort rejects, before and during the wait'() {
    const [r] = makePipe()
    await assert.rejects(readable(r, 1, { signal: AbortSignal.abort('why') }), { code: 'ABORT_ERR', cause: 'why' })
    const controller = new AbortController()
    const wait = readable(r, { signal: controller.signal })
    setTimeout(() => controller.abort(), 10)
    await assert.rejects(wait, code('ABORT_ERR'))
  },
  async 'closing() rejects the waits at once, and the number is free'() {
    const [r, w] = makePipe()
    const waits = [readable(r), readable(r, 5)]
    closing(r)
    for (const wait of waits) await assert.rejects(wait, code('EBADF'))
    put(w)
    assert.equal(await readable(r, 5), true)
  },
  async 'a regular file and a directory are always ready, and starve no timer'() {
    for (const path of [import.meta.filename, import.meta.dirname, '/dev/null']) {
      const file = await open(path)
      try {
        let ticks = 0
        const timer = setInterval(() => (ticks += 1), 1)
        while (ticks < 3) assert.equal(await readable(file, 1), true)
        clearInterval(timer)
      } finally {
        await file.close()
      }
    }
  },
  async 'a loop on a ready descriptor starves neither timers nor others'() {
    const [r, w] = makePipe()
    const [r2, w2] = makePipe()
    put(w)
    let told = false
    void readable(r2).then(() => (told = true))
    setTimeout(() => put(w2), 5)
    const end = performance.now() + 5000
    while (!told) {
      assert.equal(await readable(r), true)
      assert.ok(performance.now() < end)
    }
  },
  async 'select answers with the very objects, and with nothing after its timeout'() {
    const [r, w] = makePipe()
    const object = { fileno: () => r }
    assert.deepEqual(await select([object], [], [object], 0.01), { readable: [], writable: [], exceptional: [] })
    setTimeout(() => put(w), 10)
    const ready = await select([object], [], [object], 5)
    assert.equal(ready.readable[0], object)
    assert.deepEqual(await select([r], [w], [], 5), { readable: [r], writable: [w], exceptional: [] })
  },
  async 'a thousand descriptors, each woken by its own write'() {
    const pipes = Array.from({ length: 200 }, makePipe)
    const order = []
    const waits = pipes.map(([r], index) => readable(r, 10).then(() => order.push(index)))
    for (const [, w] of pipes.toReversed()) put(w)
    await Promise.all(waits)
    assert.deepEqual(
      order.toSorted((a, b) => a - b),
      pipes.map((_, index) => index),
    )
  },
  async 'a descriptor closed without a word harms nothing'() {
    const [r] = makePipe()
    const [other, w] = makePipe()
    const wait = readable(r, 0.05)
    const file = await open('/dev/null')
    closeOwned(r)
    await assert.rejects(wait, code('EBADF'))
    put(w)
    assert.equal(await readable(other, 5), true)
    await file.close()
  },
  async 'fileno names the descriptor'() {
    const [r] = makePipe()
    assert.equal(fileno({ fileno: () => r }), r)
    assert.equal(fileno({ fd: r }), r)
  },
  async 'nothing is left when all is over'() {
    await eventually(
      () => JSON.stringify(statistics(), ['waits', 'watches', 'timed', 'armed']),
      '{"waits":0,"watches":0,"timed":0,"armed":0}',
    )
  },
}

import assert from 'node:assert/strict'
import { open } from 'node:fs/promises'
import { HANGUP, READABLE, watch, WRITABLE } from '../../dist/index.js'
import { closeOwned, code, eventually, makePipe, makeSockets, put, take } from './harness.mjs'

export default {
  async 'a level watcher is told until the data is read'() {
    const [r, w] = makePipe()
    let told = 0
    const watcher = watch(r, READABLE, () => {
      told += 1
      if (told === 3) take(r)
    })
    put(w)
    await eventually(() => told, 3)
    watcher.close()
    assert.equal(watcher.closed, true)
  },
  async 'an edge watcher is told once for each edge'() {
    const [a, b] = makeSockets()
    let told = 0
    const watcher = watch(a, READABLE, () => (told += 1), { mode: 'edge' })
    for (let i = 1; i <= 3; i += 1) {
      put(b)
      await eventually(() => told, i)
    }
    watcher.close()
  },
  async 'an interest that is replaced takes effect at once'() {
    const [a, b] = makeSockets()
    const told = []
    const watcher = watch(a, READABLE, (ready, self) => {
      told.push(ready)
      self.interest = 0
    })
    watcher.interest = WRITABLE
    await eventually(() => told.length, 1)
    put(b)
    watcher.interest = READABLE
    await eventually(() => told.length, 2)
    assert.deepEqual(told, [WRITABLE, READABLE])
    watcher.close()
  },
  async 'a hangup is told unasked'() {
    const [r, w] = makePipe()
    let bits = 0
    const watcher = watch(r, READABLE, (ready, self) => {
      bits |= ready
      self.close()
    })
    closeOwned(w)
    await eventually(() => (bits & HANGUP) !== 0, true)
    assert.equal(watcher.closed, true)
  },
  async 'an iterator answers one event for each next()'() {
    const [r, w] = makePipe()
    let seen = 0
    setTimeout(() => put(w), 10)
    for await (const ready of watch(r, READABLE)) {
      assert.equal(ready, READABLE)
      take(r)
      seen += 1
      if (seen === 3) break
      put(w)
    }
    assert.equal(seen, 3)
  },
  async 'a watcher ends with its signal'() {
    const [r] = makePipe()
    const controller = new AbortController()
    const watcher = watch(r, READABLE, () => {}, { signal: controller.signal })
    controller.abort()
    assert.equal(watcher.closed, true)
  },
  async 'a regular file cannot be watched'() {
    const file = await open(import.meta.filename)
    try {
      assert.throws(() => watch(file, READABLE, () => {}), code('EPERM'))
    } finally {
      await file.close()
    }
  },
  async 'twenty watchers of all modes on one descriptor are all told'() {
    const [a, b] = makeSockets()
    const told = new Set()
    const watchers = Array.from({ length: 10 }, (_, i) =>
      watch(a, READABLE, () => told.add(i), { mode: i % 5 === 0 ? 'edge' : 'level' }),
    )
    put(b)
    await eventually(() => told.size, 10)
    for (const watcher of watchers) watcher.close()
  },
}

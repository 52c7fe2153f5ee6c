import assert from 'node:assert/strict'
import { Worker } from 'node:worker_threads'
import { notify, Poller, readable, READABLE, WRITABLE } from '../../dist/index.js'
import { exited } from '../../dist/process.js'
import { code, makePipe, makeSockets, program, put, take } from './harness.mjs'

function using(body) {
  const poller = new Poller()
  try {
    return body(poller)
  } finally {
    poller.close()
  }
}

export default {
  'a poller sleeps its timeout'() {
    using((poller) => {
      const start = performance.now()
      assert.equal(poller.wait(0.02), 0)
      assert.ok(performance.now() - start >= 19.999)
    })
  },
  'what is ready stands in events'() {
    const [a, b] = makeSockets()
    using((poller) => {
      poller.add(a, READABLE | WRITABLE)
      assert.equal(poller.wait(5), 1)
      assert.deepEqual([...poller.events.subarray(0, 2)], [a, WRITABLE])
      put(b)
      assert.equal(poller.wait(5), 1)
      assert.deepEqual([...poller.events.subarray(0, 2)], [a, READABLE | WRITABLE])
    })
  },
  'added twice is EEXIST, unknown is ENOENT'() {
    const [r] = makePipe()
    using((poller) => {
      poller.add(r, READABLE)
      assert.throws(() => poller.add(r, READABLE), code('EEXIST'))
      poller.remove(r)
      assert.throws(() => poller.modify(r, READABLE), code('ENOENT'))
      assert.throws(() => poller.remove(r), code('ENOENT'))
    })
  },
  'oneshot, edge and level'() {
    const [a, b] = makeSockets()
    using((poller) => {
      put(b)
      poller.add(a, READABLE, 'oneshot')
      assert.deepEqual([poller.wait(1), poller.wait(0)], [1, 0])
      poller.modify(a, READABLE, 'edge')
      assert.deepEqual([poller.wait(1), poller.wait(0)], [1, 0])
      put(b)
      assert.deepEqual([poller.wait(1), poller.wait(0)], [1, 0])
      poller.modify(a, READABLE, 'level')
      assert.deepEqual([poller.wait(1), poller.wait(1)], [1, 1])
    })
  },
  async 'its descriptor is readable in the event loop when it has events'() {
    const [r, w] = makePipe()
    const poller = new Poller()
    poller.add(r, READABLE)
    assert.equal(await readable(poller, 0.01), false)
    put(w)
    assert.equal(await readable(poller, 5), true)
    take(r)
    poller.close()
  },
  async 'a notification from another thread wakes it'() {
    const poller = new Poller()
    const worker = new Worker(new URL('programs/notifier.mjs', import.meta.url))
    await new Promise((resolve) => worker.once('message', resolve))
    worker.postMessage(poller.notifier)
    const start = performance.now()
    assert.equal(poller.wait(10), 0)
    assert.ok(performance.now() - start < 9000)
    await worker.terminate()
    const { notifier } = poller
    poller.close()
    assert.equal(notify(notifier), false)
  },
  async 'the end of a process, that of one that never was, and one that goes on'() {
    assert.equal(await exited(process.pid, 0.01), false)
    assert.equal(await exited(2 ** 22 + 17), true)
  },
  async 'a worker waits on its own, and may be terminated meanwhile'() {
    for (let i = 0; i < 3; i += 1) {
      const worker = new Worker(new URL('programs/waiting-worker.mjs', import.meta.url))
      assert.deepEqual(await new Promise((resolve) => worker.once('message', resolve)), [true, false])
      await worker.terminate()
    }
    const [r, w] = makePipe()
    put(w)
    assert.equal(await readable(r, 5), true)
  },
  async 'a pending wait keeps the process alive'() {
    const { output, status } = await program('alive.mjs', 'referenced')
    assert.deepEqual({ output, status }, { output: 'false', status: 0 })
  },
  async 'one that is not referenced does not'() {
    const { output, status, seconds } = await program('alive.mjs', 'unreferenced')
    assert.deepEqual({ output, status }, { output: '', status: 0 })
    assert.ok(seconds < 10)
  },
  async 'process.exit() with a thousand waits pending'() {
    const { output, status } = await program('exit.mjs')
    assert.deepEqual({ output, status }, { output: 'leaving', status: 3 })
  },
}

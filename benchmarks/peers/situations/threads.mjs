import { readdirSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import * as libc from '../libc.mjs'
import { channel, once, sleep } from '../wait.mjs'

const open = () => readdirSync('/proc/self/fd').length

const waitInWorker = (peer, fd, messages) =>
  new Worker(new URL('../waiter.mjs', import.meta.url), {
    workerData: { peer: peer.file, directory: peer.directory, fd },
  })
    .on('message', (message) => messages.push(message))
    .on('error', (error) => messages.push(`fails (${error.code ?? error.message})`))

async function next(messages, ms = 1000) {
  for (const end = performance.now() + ms; messages.length === 0 && performance.now() < end;) await sleep(5)
  return messages.shift()
}

// Nothing but the write itself may reach the main thread's loop: a message or an exit would count as another event.
const QUIET_WRITER = `
  const { workerData: { shared, fd, rounds } } = require('node:worker_threads')
  const { writeSync } = require('node:fs')
  const times = new BigInt64Array(shared, 8, rounds)
  const sleeper = new Int32Array(shared, 0, 2)
  for (let round = 0; round < rounds; round += 1) {
    Atomics.wait(sleeper, 0, round)
    Atomics.wait(sleeper, 1, 0, 50)
    Atomics.store(times, round, process.hrtime.bigint())
    writeSync(fd, 'x')
  }
  Atomics.wait(sleeper, 1, 0)
`

export default [
  {
    key: 'worker',
    title: 'in a worker thread and in the main thread at once',
    async run(peer) {
      const [mainRead, mainWrite] = channel(peer)
      const main = once(peer, mainRead, 'readable')
      const [read, write] = channel(peer)
      const messages = []
      const worker = waitInWorker(peer, read, messages)
      const started = await next(messages)
      if (started !== 'started') return started ?? 'never starts'
      await sleep(50)
      libc.write(write)
      const inWorker = (await next(messages, 500)) ?? 'never fires'
      libc.write(mainWrite)
      const inMain = await Promise.race([main, sleep(300, 'never fires')])
      await worker.terminate()
      return `worker: ${inWorker}; main: ${inMain}`
    },
  },
  {
    key: 'worker-terminated',
    title: '`worker.terminate()` during a wait, then the event (the main thread has loaded the package too)',
    async run(peer, note) {
      const [read, write] = channel(peer)
      // The first worker of a process opens a descriptor that Node keeps.
      await new Promise((done) => new Worker('', { eval: true }).once('exit', done))
      const before = open()
      const messages = []
      const worker = waitInWorker(peer, read, messages)
      const started = await next(messages)
      if (started !== 'started') return started ?? 'never starts'
      await sleep(50)
      note('terminate()')
      await Promise.race([worker.terminate(), sleep(1000)])
      note('after terminate()')
      // A peer that took the descriptor over has closed it, and a write would fail.
      if (!peer.takesOver) libc.write(write)
      await sleep(100)
      const more = open() - before
      return `survives${more > 0 ? `; ${more} descriptors more than before` : ''}`
    },
  },
  {
    key: 'continuation',
    title: 'the continuation of a promise resolved by the event, when the next other event is 400 ms away',
    async run(peer) {
      const rounds = 5
      const [read, write] = channel(peer)
      const shared = new SharedArrayBuffer(8 + 8 * rounds)
      const times = new BigInt64Array(shared, 8, rounds)
      const gate = new Int32Array(shared, 0, 1)
      const writer = new Worker(QUIET_WRITER, { eval: true, workerData: { shared, fd: write, rounds } })
      await new Promise((resolve) => writer.once('online', resolve))
      await sleep(100)
      const delays = []
      for (let round = 0; round < rounds; round += 1) {
        const timer = setTimeout(() => {}, 450)
        const event = once(peer, read, 'readable')
        Atomics.store(gate, 0, round + 1)
        Atomics.notify(gate, 0)
        await event
        delays.push(Number(process.hrtime.bigint() - Atomics.load(times, round)) / 1e6)
        clearTimeout(timer)
        if (peer.takesOver) break
        if (!peer.reads) libc.read(read)
      }
      const delay = delays.sort((a, b) => a - b)[delays.length >> 1]
      return { text: delay > 100 ? 'late: waits for the other event' : 'prompt', delayMs: Number(delay.toFixed(2)) }
    },
  },
]

import * as libc from '../libc.mjs'
import { channel, sleep, socketpair, start } from '../wait.mjs'

const QUIET_MS = 3

const ended = (peer, fd) =>
  new Promise((resolve) => {
    const wait = start(peer, fd, 'readable', {
      timeout: peer.timeouts ? QUIET_MS / 1000 : undefined,
      onEvent: () => resolve(wait.outcome),
    })
    if (peer.timeouts) return
    setTimeout(() => {
      wait.stop()
      resolve('stopped')
    }, QUIET_MS)
  })

/** Resolves as soon as the loop has nothing left that keeps it alive. */
const aliveFor = (ms) =>
  new Promise((resolve) => {
    process.once('beforeExit', () => resolve(false))
    setTimeout(() => resolve(true), ms).unref()
  })

export default [
  {
    key: 'timeout',
    title: 'a timeout of 3 ms',
    async run(peer) {
      const late = []
      let [read] = channel(peer)
      for (let round = 0; round < 100; round += 1) {
        // Where stopping a wait closes its descriptor, every round gets a descriptor of its own.
        if (peer.takesOver) [read] = channel(peer)
        const began = performance.now()
        await ended(peer, read)
        late.push(performance.now() - began - QUIET_MS)
        if (peer.reads) return 'none; the read goes on'
      }
      late.sort((a, b) => a - b)
      const [earliest, median] = [late[0], late[late.length >> 1]].map((ms) => Number(ms.toFixed(3)))
      return { text: peer.timeouts ? 'its own' : 'none; with setTimeout', earliest, median }
    },
  },
  {
    key: 'many',
    title: '1,100 waits at once; data for the one that was started last',
    async run(peer) {
      const channels = Array.from({ length: 1100 }, () => channel(peer))
      let last = 0
      const waits = channels.map(([read]) =>
        start(peer, read, 'readable', { onEvent: () => (last = performance.now()) }),
      )
      const refused = waits.find((wait) => wait.refused)
      if (refused) return refused.outcome
      await sleep(100)
      libc.write(channels.at(-1)[1])
      await sleep(200)
      const first = waits.at(-1).outcome === undefined ? 'not served while the others wait' : 'served'
      const began = performance.now()
      for (const [, write] of channels.slice(0, -1)) libc.write(write)
      await sleep(1500)
      const served = waits.filter((wait) => wait.outcome !== undefined).length
      const ms = Number((last - began).toFixed(1))
      return { text: `${first}; then ${served === 1100 ? 'all served' : `${served} of 1,100 served`}`, ms }
    },
  },
  {
    key: 'cost',
    title: 'microseconds per one-shot wait, event at hand (100 socket pairs, with the write and read of a byte)',
    async run(peer) {
      if (peer.takesOver) return 'one wait per descriptor'
      const pairs = Array.from({ length: 100 }, () => socketpair(peer))
      const callback = (fd) =>
        new Promise((resolve) => {
          const handle = peer.watch(fd, 'readable', () => {
            handle.stop()
            resolve()
          })
        })
      const wait = peer.wait ?? callback
      const lap = async (rounds) => {
        const began = performance.now()
        for (let round = 0; round < rounds; round += 1) {
          const [here, there] = pairs[round % pairs.length]
          libc.write(there)
          await wait(here)
          if (!peer.reads) libc.read(here)
        }
        return ((performance.now() - began) / rounds) * 1000
      }
      await lap(500)
      const laps = []
      for (let i = 0; i < 9; i += 1) laps.push(await lap(300))
      // The best lap: on a shared machine the others measure the neighbours.
      return { text: '', us: Number(Math.min(...laps).toFixed(1)) }
    },
  },
  {
    key: 'alive',
    title: 'a pending wait keeps the process alive',
    async run(peer) {
      start(peer, channel(peer)[0], 'readable')
      return (await aliveFor(200)) ? 'yes' : 'no'
    },
  },
  {
    key: 'unref',
    title: 'a pending wait that shall not keep the process alive',
    async run(peer) {
      const [read] = channel(peer)
      if (peer.watchUnreferenced) peer.watchUnreferenced(read)
      else {
        const { handle } = start(peer, read, 'readable')
        if (!handle?.unref) return 'not offered'
        handle.unref()
      }
      return (await aliveFor(200)) ? 'offered, but the process stays' : 'yes'
    },
  },
]

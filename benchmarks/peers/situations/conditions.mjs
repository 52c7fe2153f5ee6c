import { openSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import * as libc from '../libc.mjs'
import { channel, cpuWord, outcomeOf, sleep, start, tcpPair } from '../wait.mjs'

const file = (path) => async (peer) => outcomeOf(start(peer, openSync(path, 'r'), 'readable'))

export default [
  {
    key: 'reset',
    title: "a TCP peer's reset, reported to a wait for reading",
    async run(peer) {
      const [here, there] = tcpPair(peer)
      const wait = start(peer, here, 'readable')
      await sleep(30)
      libc.resetOnClose(there)
      libc.close(there)
      return outcomeOf(wait)
    },
  },
  {
    key: 'regular-file',
    title: 'a regular file',
    run: file(fileURLToPath(import.meta.url)),
  },
  { key: 'null-device', title: '`/dev/null`', run: file('/dev/null') },
  {
    key: 'flags',
    title: "`O_NONBLOCK` of the caller's blocking descriptor after a wait",
    async run(peer) {
      const [read, write] =
        peer.needs === 'socket' ? libc.socketpair({ blocking: true }) : libc.pipe({ blocking: true })
      const keep = libc.dup(read)
      const wait = start(peer, read, 'readable')
      libc.write(write)
      await outcomeOf(wait)
      wait.stop()
      await sleep(20)
      const closed = libc.isOpen(read) ? '' : '; the descriptor is closed with the wait'
      return (libc.isNonBlocking(keep) ? 'set, and left set' : 'unchanged') + closed
    },
  },
  {
    key: 'hung-up-writer',
    title: 'waits for writing on the read end of a pipe whose writer has closed (select(2): never writable)',
    async run(peer) {
      const [read, write] = libc.pipe()
      libc.close(write)
      let events = 0
      let first
      let running = true
      const again = () => {
        const wait = start(peer, read, 'writable', {
          onEvent() {
            events += 1
            first ??= wait.outcome
            if (running) setImmediate(again)
          },
        })
        if (wait.refused) first ??= wait.outcome
      }
      const before = process.cpuUsage()
      again()
      await sleep(300)
      running = false
      const { user, system } = process.cpuUsage(before)
      const cpu = Math.round((user + system) / 3000)
      if (first === 'not offered') return first
      return { text: `${first ?? 'waits'}; ${events > 100 ? 'spins' : cpuWord(cpu)}`, cpu, events }
    },
  },
  {
    key: 'out-of-band',
    title: 'an out-of-band byte: a wait for reading; a wait for exceptional conditions',
    async run(peer) {
      const outcome = async (interest) => {
        const [here, there] = tcpPair(peer)
        const wait = start(peer, here, interest)
        await sleep(30)
        libc.sendOutOfBand(there)
        return outcomeOf(wait)
      }
      return `${await outcome('readable')}; ${await outcome('exceptional')}`
    },
  },
  {
    key: 'end-of-file',
    title: 'the writer of a pipe closes, reported to a wait for reading',
    async run(peer) {
      const [read, write] = channel(peer)
      const wait = start(peer, read, 'readable')
      await sleep(30)
      libc.close(write)
      return outcomeOf(wait)
    },
  },
]

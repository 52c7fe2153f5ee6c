import * as libc from '../libc.mjs'
import { channel, cpuOver, cpuWord, sleep, start } from '../wait.mjs'

const told = (wait) => wait.outcome ?? 'the wait is told nothing'

/** A read end that is closed without a word while `keep`, a duplicate, lives on, as it does in a forked child. */
async function closedWithDuplicate(peer) {
  const [read, write] = channel(peer)
  const wait = start(peer, read, 'readable')
  await sleep(30)
  const keep = libc.dup(read)
  libc.close(read)
  return { number: read, write, keep, wait }
}

export default [
  {
    key: 'closed-at-once',
    title: 'a wait is started, then `close(fd)` in the same tick',
    async run(peer) {
      const [read] = channel(peer)
      const wait = start(peer, read, 'readable')
      libc.close(read)
      await sleep(150)
      return `survives; ${told(wait)}`
    },
  },
  {
    key: 'stopped-and-closed',
    title: 'the wait is stopped or the close announced, then `close(fd)` in the same tick',
    async run(peer) {
      const [read] = channel(peer)
      const wait = start(peer, read, 'readable')
      if (peer.announceClose) peer.announceClose(read)
      else wait.stop()
      if (libc.isOpen(read)) libc.close(read)
      await sleep(150)
      return `survives; ${told(wait)}`
    },
  },
  {
    key: 'closed-duplicate',
    title: 'the descriptor is closed without a word, a duplicate lives on and gets data',
    async run(peer) {
      const { write, wait } = await closedWithDuplicate(peer)
      libc.write(write)
      await sleep(50)
      const cpu = await cpuOver(400)
      return { text: `${told(wait)}; ${cpuWord(cpu)}`, cpu }
    },
  },
  {
    key: 'number-reused',
    title: 'the same, and the number now names another pipe, on which a new wait starts',
    async run(peer) {
      const { number, write, wait } = await closedWithDuplicate(peer)
      const other = channel(peer)
      if (other[0] !== number) libc.dup2(other[0], number)
      const next = start(peer, number, 'readable')
      await sleep(50)
      libc.write(write)
      await sleep(50)
      const phantom = next.outcome !== undefined && !next.refused
      libc.write(other[1])
      await sleep(50)
      const cpu = await cpuOver(400)
      const served = next.refused
        ? `new wait ${next.outcome}`
        : phantom
          ? `new wait gets the event of the old pipe (${next.outcome})`
          : next.outcome === undefined
            ? 'new wait never fires'
            : `new wait is served${next.outcome.startsWith('rejects') ? ` (${next.outcome})` : ''}`
      return { text: `${served}; old wait: ${told(wait).replace('the wait is ', '')}; ${cpuWord(cpu)}`, cpu }
    },
  },
]

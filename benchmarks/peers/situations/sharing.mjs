import net from 'node:net'
import * as libc from '../libc.mjs'
import { channel, outcomeOf, sleep, socketpair, start } from '../wait.mjs'

const fired = (outcome) => !/never|refused|rejects|not offered/.test(outcome)

async function both(first, second) {
  if (first.notOffered || second.notOffered) return 'not offered'
  const [a, b] = [await outcomeOf(first), await outcomeOf(second)]
  if (fired(a) && fired(b)) return 'both served'
  return `first: ${fired(a) ? 'served' : a}; second: ${fired(b) ? 'served' : b}`
}

/** A connected client of node:net that has not begun to read, and its peer. */
async function connection() {
  const server = net.createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const client = net.connect(server.address().port, '127.0.0.1').pause()
  const [remote] = await Promise.all([
    new Promise((resolve) => server.once('connection', resolve)),
    new Promise((resolve) => client.once('connect', resolve)),
  ])
  let received = 0
  return {
    remote,
    client,
    fd: client._handle.fd,
    received: () => received,
    // Only now a listener: one makes the stream read.
    flow: () => client.on('data', (data) => (received += data.length)).resume(),
  }
}

async function socketStillWorks({ remote, client, received }, sent) {
  let failure
  client.once('error', (error) => (failure = error.code))
  remote.write('more')
  await sleep(100)
  if (received() === sent + 4) return 'the socket works'
  return failure ? `the socket fails (${failure})` : `the socket got ${received()} of ${sent + 4} bytes`
}

export default [
  {
    key: 'two-readers',
    title: 'two waits for reading on one descriptor',
    async run(peer) {
      const [read, write] = channel(peer)
      const waits = [start(peer, read, 'readable'), start(peer, read, 'readable')]
      await sleep(30)
      libc.write(write)
      return both(...waits)
    },
  },
  {
    key: 'reader-and-writer',
    title: 'a wait for reading and one for writing on one descriptor',
    async run(peer) {
      const [here, there] = socketpair(peer)
      const reader = start(peer, here, 'readable')
      const writer = start(peer, here, 'writable')
      await sleep(30)
      libc.write(there)
      const text = await both(reader, writer)
      return text.replace('first:', 'reader:').replace('second:', 'writer:')
    },
  },
  {
    key: 'node-socket',
    title: 'a wait on the descriptor of a `net.Socket` that is reading',
    async run(peer) {
      const socket = await connection()
      socket.flow()
      await sleep(30)
      let wait = start(peer, socket.fd, 'writable')
      if (wait.notOffered) wait = start(peer, socket.fd, 'readable')
      const outcome = await outcomeOf(wait)
      return `${fired(outcome) ? 'served' : outcome}; ${await socketStillWorks(socket, 0)}`
    },
  },
  {
    key: 'paused-node-socket',
    title: 'a wait on the descriptor of a paused `net.Socket`, which goes on reading after the event',
    async run(peer) {
      const socket = await connection()
      const wait = start(peer, socket.fd, 'readable')
      await sleep(30)
      socket.remote.write('some')
      const outcome = await outcomeOf(wait)
      if (!peer.takesOver) wait.stop()
      socket.flow()
      await sleep(30)
      return `${fired(outcome) ? 'served' : outcome}; ${await socketStillWorks(socket, 4)}`
    },
  },
  {
    key: 'resumed-node-socket',
    title: 'the same, and the socket goes on reading during the wait',
    async run(peer) {
      const socket = await connection()
      const wait = start(peer, socket.fd, 'readable')
      await sleep(30)
      socket.flow()
      await sleep(30)
      socket.remote.write('some')
      await sleep(50)
      // The socket may have read the data before anybody else could be told.
      const outcome = fired(wait.outcome ?? 'served') ? '' : `${wait.outcome}; `
      if (!peer.takesOver) wait.stop()
      return `${outcome}${await socketStillWorks(socket, 4)}`
    },
  },
]

import { RING_FIGURES } from './harness/figures.mjs'
import { built, here, node } from './harness/paths.mjs'
import { addon, exported, go, native, peer, python, tokio } from './harness/requirements.mjs'

const PAIRS = 100

const persistentGroup = (active) => `persistent registration, ${active} of ${PAIRS} active`
const oneshotGroup = (active) => `one-shot waits, ${active} of ${PAIRS} active`

const RUNTIMES = ['Go', 'tokio', 'uvloop']
const PERSISTENT_PEERS = ['koffi.node.poll', 'serialport Poller', 'epoll', 'net.Socket']
const ONESHOT_PEERS = ['koffi.node.poll', 'serialport Poller', 'epoll', 'net.Socket', 'fs.read']

function contestants({ peers, scale }) {
  const size = (active, events) => [PAIRS, active, Math.max(200, Math.round(events * scale))]
  const raw = (active, mode, name = 'raw C', threads = 0) => ({
    name,
    kind: 'floor',
    command: built('chain', ...size(active, 150_000), mode, 0, threads),
    needs: [native('chain')],
  })
  // What the floor is in a process of Node, whose threads make every call dearer, and through Node-API.
  const threaded = (active, mode) => raw(active, mode, 'raw C, a thread beside', 1)
  const bare = (active) => ({
    name: 'bare addon',
    kind: 'floor',
    command: node('chain', 'bare', 'waiting', ...size(active, 80_000)),
    needs: [native('chain'), addon('bare')],
  })
  const ours = (active, name, way, ...needs) => ({
    name,
    kind: 'fdevent',
    command: node('chain', 'fdevent', way, ...size(active, 80_000)),
    needs,
  })
  const byThread = (active, name, way) => ({
    ...ours(active, `${name}, thread driver`, way),
    env: { FDEVENT_DRIVER: 'thread' },
  })
  const package_ = (active, name, file, way, events = 40_000, env = undefined) => ({
    name,
    kind: 'peer',
    command: node('chain', file, way, ...size(active, events), '--peers', peers),
    needs: [peer(file)],
    env,
  })
  const other = (active, name, need, command) => ({
    name,
    kind: 'peer',
    command: [...command, ...size(active, 40_000).map(String)],
    needs: [need],
  })
  const snake = (active, name) => other(active, name, python(name), ['python3', here('peers/python/chain.py'), name])

  return [1, 100].flatMap((active) => [
    ...[
      raw(active, 'level'),
      threaded(active, 'level'),
      bare(active),
      ours(active, 'watch', 'watchListener'),
      byThread(active, 'watch', 'watchListener'),
      ours(active, 'Poller.wait', 'poller'),
      ours(active, 'AsyncFd.read', 'asyncFd', exported('fdevent/io', 'AsyncFd')),
      package_(active, 'koffi.node.poll', 'koffi', 'persistent'),
      package_(active, 'serialport Poller', 'serialport', 'callback'),
      package_(active, 'net.Socket', 'net-socket', 'data'),
      package_(active, 'epoll', 'epoll', 'persistent', 2000),
      other(active, 'Go', go, built('go-chain')),
      other(active, 'tokio', tokio, built('tokio/target/release/chain')),
      snake(active, 'uvloop'),
      snake(active, 'asyncio'),
    ].map((contestant) => ({ ...contestant, group: persistentGroup(active), floor: 'raw C' })),
    ...[
      raw(active, 'oneshot'),
      threaded(active, 'oneshot'),
      ours(active, 'await readable', 'awaitReadable'),
      byThread(active, 'await readable', 'awaitReadable'),
      package_(active, 'koffi.node.poll', 'koffi', 'promise'),
      package_(active, 'serialport Poller', 'serialport', 'promise'),
      package_(active, 'net.Socket', 'net-socket', 'promise'),
      package_(active, 'epoll', 'epoll', 'promise', 2000),
      package_(active, 'fs.read', 'fs-read', 'promise', 2000, { UV_THREADPOOL_SIZE: String(PAIRS) }),
      snake(active, 'trio'),
      snake(active, 'gevent'),
    ].map((contestant) => ({ ...contestant, group: oneshotGroup(active), floor: 'raw C' })),
  ])
}

function targets(active, { watch, wait, read, poll }) {
  const persistent = { group: persistentGroup(active) }
  const oneshot = { group: oneshotGroup(active) }
  const at = `${active} active`
  return [
    { ...persistent, what: `watch, ${at}: to raw C`, of: 'watch', to: 'raw C', atMost: watch },
    {
      ...persistent,
      what: `watch, ${at}: to the fastest of ${RUNTIMES.join(', ')}`,
      of: 'watch',
      to: RUNTIMES,
      atMost: 1,
    },
    { ...persistent, what: `watch, ${at}: to the fastest Node peer`, of: 'watch', to: PERSISTENT_PEERS, atMost: 1 },
    { ...oneshot, what: `await readable, ${at}: to raw C`, of: 'await readable', to: 'raw C', atMost: wait },
    {
      ...oneshot,
      what: `await readable, ${at}: the fastest Node peer to it`,
      of: ONESHOT_PEERS,
      to: 'await readable',
      atLeast: 1.5,
    },
    { ...persistent, what: `AsyncFd.read, ${at}: to raw C`, of: 'AsyncFd.read', to: 'raw C', atMost: read },
    { ...persistent, what: `Poller.wait, ${at}: to raw C`, of: 'Poller.wait', to: 'raw C', atMost: poll },
  ]
}

export default {
  name: 'chain',
  what: 'ns per event along a ring of socket pairs, its read and write included',
  repeat: 7,
  figures: RING_FIGURES,
  contestants,
  targets: [
    ...targets(1, { watch: 1.45, wait: 1.6, read: 1.45, poll: 1.3 }),
    ...targets(100, { watch: 1.12, wait: 1.35, read: 1.2, poll: 1.12 }),
  ],
}

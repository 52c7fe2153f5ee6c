import { node } from './harness/paths.mjs'
import { exported, strace } from './harness/requirements.mjs'

const LOOP = 'a byte round a ring of 100 pairs, one at a time: each event is a batch'

const contestants = () =>
  [
    { name: 'await readable', way: 'awaitReadable' },
    { name: 'AsyncFd.read', way: 'asyncFd', needs: [exported('fdevent/io', 'AsyncFd')] },
    { name: 'watch', way: 'watchListener' },
    { name: 'Poller.wait', way: 'poller' },
  ].map(({ name, way, needs = [] }) => ({
    name,
    kind: 'fdevent',
    group: LOOP,
    command: node('count-calls', way),
    needs: [strace, ...needs],
  }))

const at = (of, figure, atMost, what) => ({ what: `${of}: ${what}`, group: LOOP, of, figure, atMost })

export default {
  name: 'syscalls',
  what: 'system calls per event of a steady loop, beside the read and the write',
  figures: [
    { key: 'control', label: 'epoll_ctl', unit: 'per event', digits: 3 },
    { key: 'wait', label: "epoll_wait on the library's poller", unit: 'per event', digits: 3 },
    { key: 'loop', label: "libuv's own wait", unit: 'per event', digits: 3, chart: false },
    { key: 'transfer', label: 'read and write', unit: 'per event', digits: 3, chart: false },
    { key: 'timer', label: 'timerfd_settime', unit: 'per event', digits: 3, chart: false },
    { key: 'other', label: 'anything else', unit: 'per event', digits: 3 },
  ],
  contestants,
  targets: [
    at('await readable', 'control', 1.01, 'one epoll_ctl per wait'),
    // Asking once more after a batch is how the library finds the next one; in vain only now and then.
    at('await readable', 'wait', 1.1, 'at most one epoll_wait of ours per batch'),
    at('await readable', 'other', 0.02, 'nothing else'),
    at('AsyncFd.read', 'control', 0.01, 'no epoll_ctl'),
    at('AsyncFd.read', 'wait', 1.1, 'at most one epoll_wait of ours per batch'),
    at('AsyncFd.read', 'other', 0.02, 'nothing else'),
    at('watch', 'control', 0.02, 'no epoll_ctl but the check of every 64th event'),
    at('watch', 'wait', 1.1, 'at most one epoll_wait of ours per batch'),
    at('watch', 'other', 0.02, 'nothing else'),
  ],
}

import { built, node } from './harness/paths.mjs'
import { native } from './harness/requirements.mjs'

const GROUP = 'from one thread to another and back'

function contestants({ scale }) {
  const trips = Math.max(100, Math.round(6000 * scale))
  return [
    { name: 'raw C: eventfd, epoll', kind: 'floor', command: built('wakeup', trips), needs: [native('wakeup')] },
    { name: 'Poller, notify()', kind: 'fdevent', command: node('wakeup', 'poller', trips) },
    { name: 'worker postMessage', kind: 'peer', command: node('wakeup', 'message', trips) },
    { name: 'Atomics.wait, notify', kind: 'peer', command: node('wakeup', 'atomics', trips) },
  ].map((contestant) => ({ ...contestant, group: GROUP, floor: 'raw C: eventfd, epoll' }))
}

export default {
  name: 'wakeup',
  what: 'ns per round trip between two threads',
  repeat: 9,
  contestants,
  targets: [
    {
      what: 'worker postMessage to Poller and notify()',
      group: GROUP,
      of: 'worker postMessage',
      to: 'Poller, notify()',
      atLeast: 3,
    },
  ],
}

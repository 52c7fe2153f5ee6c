import { RING_FIGURES } from './harness/figures.mjs'
import { node } from './harness/paths.mjs'
import { exported, strace } from './harness/requirements.mjs'

const PAIRS = 100
const SECONDS = '5'
const CALLS = 'system calls of one wait'

const WAYS = [
  { name: 'await readable', way: 'awaitReadable' },
  { name: 'AsyncFd.read', way: 'asyncFd', needs: [exported('fdevent/io', 'AsyncFd')] },
]
const groupOf = (active) => `time, ${active} of ${PAIRS} active`
const withTimeout = (name) => `${name}, with a timeout`

function contestants({ scale }) {
  const timed = [1, 100].flatMap((active) =>
    WAYS.flatMap(({ name, way, needs }) => {
      const command = node('chain', 'fdevent', way, PAIRS, active, Math.max(200, Math.round(60_000 * scale)))
      return [
        { name, command },
        { name: withTimeout(name), command: [...command, '--timeout', SECONDS], floor: name },
      ].map((contestant) => ({ ...contestant, kind: 'fdevent', group: groupOf(active), needs }))
    }),
  )
  const counted = WAYS.flatMap(({ name, way, needs = [] }) =>
    [
      { name, command: node('count-calls', way) },
      { name: withTimeout(name), command: node('count-calls', way, '--timeout', SECONDS) },
    ].map((contestant) => ({ ...contestant, kind: 'fdevent', group: CALLS, needs: [strace, ...needs] })),
  )
  return [...timed, ...counted]
}

export default {
  name: 'timeout',
  what: 'a wait with a timeout against one without',
  repeat: 7,
  figures: [
    ...RING_FIGURES,
    { key: 'all', label: 'system calls', unit: 'per wait', digits: 2 },
    { key: 'timer', label: 'timerfd_settime', unit: 'per wait', digits: 3, chart: false },
  ],
  contestants,
  targets: WAYS.flatMap(({ name }) => [
    ...[1, 100].map((active) => ({
      what: `${name}, ${active} active: with a timeout to without`,
      group: groupOf(active),
      of: withTimeout(name),
      to: name,
      atMost: 1.08,
    })),
    {
      what: `${name}: timerfd_settime per wait with a timeout`,
      group: CALLS,
      figure: 'timer',
      of: withTimeout(name),
      atMost: 0.01,
    },
    {
      what: `${name}: all system calls with a timeout to without`,
      group: CALLS,
      figure: 'all',
      of: withTimeout(name),
      to: name,
      // What the garbage collector and libuv do now and then is not counted exactly alike in two runs.
      atMost: 1.02,
    },
  ]),
}

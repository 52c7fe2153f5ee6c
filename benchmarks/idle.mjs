import { RING_FIGURES } from './harness/figures.mjs'
import { built, node } from './harness/paths.mjs'
import { exported, native } from './harness/requirements.mjs'

const PAIRS = 100
const IDLE = 10_000
const DESCRIPTORS = 16_384

// The ring, and what lies idle beside it, are more descriptors than a shell usually allows.
const withDescriptors = (command) => ['sh', '-c', `ulimit -n ${DESCRIPTORS} && exec "$@"`, 'sh', ...command]

const WAYS = [
  { name: 'watch', way: 'watchListener' },
  { name: 'await readable', way: 'awaitReadable' },
  { name: 'Poller.wait', way: 'poller' },
  { name: 'AsyncFd.read', way: 'asyncFd', needs: [exported('fdevent/io', 'AsyncFd')] },
]
const groupOf = (active) => `${active} of ${PAIRS} active`
const beside = (name) => `${name}, ${IDLE} idle beside`

function contestants({ scale }) {
  return [1, 100].flatMap((active) => {
    const size = (events) => [PAIRS, active, Math.max(200, Math.round(events * scale))]
    const both = (name, kind, command, option, needs) => [
      { name, kind, command: withDescriptors(command), needs },
      { name: beside(name), kind, command: withDescriptors([...command, ...option]), floor: name, needs },
    ]
    return [
      ...both('raw C', 'floor', built('chain', ...size(100_000), 'level'), [String(IDLE)], [native('chain')]),
      ...WAYS.flatMap(({ name, way, needs }) =>
        both(name, 'fdevent', node('chain', 'fdevent', way, ...size(60_000)), ['--idle', String(IDLE)], needs),
      ),
    ].map((contestant) => ({ ...contestant, group: groupOf(active) }))
  })
}

export default {
  name: 'idle',
  what: `ns per event with ${IDLE.toLocaleString('en')} idle registered descriptors beside the active ones, and without`,
  repeat: 7,
  figures: RING_FIGURES,
  contestants,
  targets: [1, 100].flatMap((active) =>
    WAYS.map(({ name }) => ({
      what: `${name}, ${active} active: with idle descriptors to without`,
      group: groupOf(active),
      of: beside(name),
      to: name,
      atMost: 1.1,
    })),
  ),
}

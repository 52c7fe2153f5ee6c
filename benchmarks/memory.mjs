import { node } from './harness/paths.mjs'

const WAITS = 15_000
const GROUP = `${WAITS.toLocaleString('en')} waits with timeouts, each on a descriptor of its own`

const contestants = ({ scale }) => {
  const waits = Math.max(200, Math.round((WAITS * scale) / 2) * 2)
  const contestant = (name, kind, way) => ({ name, kind, group: GROUP, command: node('memory', way, waits) })
  return [contestant('await readable', 'fdevent', 'readable'), contestant('setTimeout', 'peer', 'setTimeout')].map(
    (one) => ({
      ...one,
      // Its own options: an explicit collector, and no room that the collector leaves young objects to grow into.
      command: [
        'sh',
        '-c',
        'ulimit -n 16384 && exec "$@"',
        'sh',
        one.command[0],
        '--expose-gc',
        '--max-semi-space-size=1',
        ...one.command.slice(1),
      ],
    }),
  )
}

export default {
  name: 'memory',
  what: 'bytes per pending wait',
  figures: [
    { key: 'resident', label: 'of the process (rss)', unit: 'bytes', digits: 0 },
    { key: 'heap', label: 'of them JavaScript (heap and external)', unit: 'bytes', digits: 0 },
    {
      key: 'growth',
      label: 'growth of the process over four more such bursts',
      unit: 'bytes',
      digits: 1,
      chart: false,
    },
    { key: 'left', label: 'of it JavaScript', unit: 'bytes', digits: 1, chart: false },
  ],
  contestants,
  targets: [
    { what: 'bytes of the process for each wait', group: GROUP, figure: 'resident', of: 'await readable', atMost: 600 },
    // Of all five bursts: a wait that was kept would show as hundreds, and what the collector does with its pages as a few.
    {
      what: 'growth for each after four more bursts',
      group: GROUP,
      figure: 'growth',
      of: 'await readable',
      atMost: 60,
    },
    { what: 'JavaScript left for each after them', group: GROUP, figure: 'left', of: 'await readable', atMost: 10 },
  ],
}

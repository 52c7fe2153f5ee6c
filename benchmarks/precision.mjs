import { node } from './harness/paths.mjs'

const TIMEOUTS = 10_000
// It has but one wait at a time, so as many would take half a minute.
const BLOCKING = TIMEOUTS / 4
const GROUP = '50 us to 20 ms, spread evenly over the orders of magnitude'

function contestants({ scale }) {
  const contestant = (name, kind, way, count = TIMEOUTS) => ({
    name,
    kind,
    group: GROUP,
    command: node('precision', way, Math.max(40, Math.round(count * scale))),
  })
  return [
    contestant('await readable', 'fdevent', 'readable'),
    contestant('Poller.wait', 'fdevent', 'poller', BLOCKING),
    contestant('setTimeout', 'peer', 'setTimeout'),
  ]
}

export default {
  name: 'precision',
  what: `lateness of ${TIMEOUTS.toLocaleString('en')} timeouts`,
  figures: [
    { key: 'median', label: 'median lateness', unit: 'us', digits: 0 },
    { key: 'p99', label: '99 of 100 are at most this late', unit: 'us', digits: 0, chart: false },
    { key: 'earliest', label: 'earliest', unit: 'us', digits: 1, chart: false },
    { key: 'early', label: 'early ones', unit: '', digits: 0, chart: false },
  ],
  contestants,
  targets: ['await readable', 'Poller.wait'].flatMap((of) => [
    { what: `${of}: timeouts that came early`, group: GROUP, of, figure: 'early', over: 'max', atMost: 0 },
    { what: `${of}: median lateness, us`, group: GROUP, of, figure: 'median', atMost: 100 },
  ]),
}

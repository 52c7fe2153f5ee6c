import { readFileSync } from 'node:fs'
import { GENERATOR } from './contestants/gateway/load.mjs'
import { node } from './harness/paths.mjs'
import { tool } from './harness/requirements.mjs'

const CONNECTIONS = 64
const SECONDS = 3

// Each suspended request has a connection, which is a descriptor on either side.
const limit = Number(
  /^Max open files\s+\d+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1] ?? Infinity,
)
const FEW = 2000
const MANY = limit >= 11_000 ? 10_000 : FEW

const KEPT = `requests on ${CONNECTIONS} connections that stay, from ${GENERATOR}`
const NEW = `a connection for each request, from ${GENERATOR}`
const waitingGroup = (count) => `${count.toLocaleString('en')} suspended requests, woken by one event`

// Tied to its parent by setpriv, of util-linux.
const uwsgi = tool('setpriv', 'uwsgi', '--plugins', 'python3', '--version')

function contestants({ scale }) {
  const asked = (group, how) => {
    const seconds = Math.max(1, Math.round(SECONDS * scale))
    const one = (name, kind, server, ...needs) => ({
      group,
      name,
      kind,
      floor: 'node:http',
      needs,
      command: node('gateway', server, CONNECTIONS, seconds, how),
    })
    return [
      one('node:http', 'floor', 'plain'),
      one('gateway, a generator', 'fdevent', 'generator'),
      one('gateway, an array', 'fdevent', 'array'),
      // Where connections stay, its asynchronous mode serves a few requests in a second.
      ...(how === 'close' ? [one('uWSGI, asynchronous', 'peer', 'uwsgi', uwsgi)] : []),
    ]
  }
  const waiting = (count, name, kind, server, ...needs) => {
    const [program, ...args] = node('gateway-suspended', server, Math.max(20, Math.round(count * scale)))
    return {
      group: waitingGroup(count),
      name,
      kind,
      floor: 'async handler',
      needs,
      // No room that the collector leaves young objects to grow into.
      command: [program, '--expose-gc', '--max-semi-space-size=1', ...args],
    }
  }
  return [
    ...asked(KEPT, 'keep'),
    ...asked(NEW, 'close'),
    ...[...new Set([MANY, FEW])].flatMap((count) => [
      waiting(count, 'async handler', 'floor', 'plainWaiting'),
      waiting(count, 'gateway, a generator', 'fdevent', 'generatorWaiting'),
      waiting(count, 'gateway, an async generator', 'fdevent', 'asyncGeneratorWaiting'),
    ]),
    // One of its requests at a time can wait for a descriptor, so that each needs a descriptor of its own.
    waiting(FEW, 'uWSGI, asynchronous', 'peer', 'uwsgi', uwsgi),
  ]
}

const generator = { of: 'gateway, a generator' }

export default {
  name: 'gateway',
  what: 'applications behind the gateway, beside plain listeners of node:http',
  repeat: 7,
  figures: [
    { key: 'value', label: 'time for a request', unit: 'us', digits: 1 },
    { key: 'cpu', label: 'CPU time of the server for a request', unit: 'us', digits: 1 },
    { key: 'rate', label: 'requests per second', unit: '/s', digits: 0, chart: false },
    { key: 'resident', label: 'memory of the process for each', unit: 'bytes', digits: 0 },
    { key: 'heap', label: 'of it JavaScript (heap and external)', unit: 'bytes', digits: 0 },
    { key: 'wake', label: 'until all are answered', unit: 'ms', digits: 0 },
  ],
  contestants,
  targets: [
    { what: 'requests/s: to node:http', group: KEPT, figure: 'rate', ...generator, to: 'node:http', atLeast: 0.9 },
    {
      what: 'memory of a suspended request: to an async handler',
      group: waitingGroup(MANY),
      figure: 'resident',
      ...generator,
      to: 'async handler',
      atMost: 1.15,
    },
  ],
}

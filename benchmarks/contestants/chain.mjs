/**
 * One way through the ring: `chain.mjs LIBRARY WAY PAIRS ACTIVE EVENTS`; prints nanoseconds per event, and of CPU
 * time. LIBRARY is a file of
 * chain/, WAY one of its exports.
 */
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { openRing } from './ring.mjs'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    peers: { type: 'string', default: '.' },
    idle: { type: 'string', default: '0' },
    timeout: { type: 'string' },
  },
})
const [file, way, ...numbers] = positionals
const [pairs, active, events] = numbers.map(Number)

const library = await import(`./chain/${file}.mjs`)
const module = library.module && createRequire(join(resolve(values.peers), 'from-here.js'))(library.module)
const ring = openRing({ pairs, active, events, idle: Number(values.idle), blocking: library.blocking })
library[way](ring, module, values.timeout === undefined ? undefined : Number(values.timeout))
ring.start()

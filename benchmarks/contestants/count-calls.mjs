/**
 * System calls per event of a way through the ring: `count-calls.mjs WAY [--timeout S]`. The same run is traced with few and
 * with many events, and what the difference in events cost in calls is divided by it: start and end cancel out.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { node } from '../harness/paths.mjs'

// chain.mjs runs half as many to warm up.
const FEW = 2000
const MANY = 6000
const PASSES = 1.5

const [way, ...options] = process.argv.slice(2)

/** What the main thread called: how often, by kind. */
function trace(events) {
  const folder = mkdtempSync(join(tmpdir(), 'fdevent-bench-'))
  try {
    const log = join(folder, 'log')
    const program = node('chain', 'fdevent', way, 100, 1, events, ...options)
    const { status, stderr } = spawnSync('strace', ['-o', log, '-e', 'signal=none', ...program], { encoding: 'utf8' })
    if (status !== 0) throw new Error(stderr)
    return count(readFileSync(log, 'utf8').split('\n'))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const KINDS = {
  read: 'transfer',
  write: 'transfer',
  recvfrom: 'transfer',
  sendto: 'transfer',
  timerfd_settime: 'timer',
}

function count(lines) {
  const counts = { control: 0, wait: 0, loop: 0, transfer: 0, timer: 0, other: 0 }
  // libuv's loop opens its poller when the process starts; the last one opened is the library's.
  let own = ''
  for (const line of lines) own = /^epoll_create1?\(.*= (\d+)/.exec(line)?.[1] ?? own
  for (const line of lines) {
    const [, name, fd] = /^(\w+)\((\d*)/.exec(line) ?? []
    if (name === undefined) continue
    if (name === 'epoll_ctl') counts[fd === own ? 'control' : 'other'] += 1
    else if (name.startsWith('epoll_')) counts[fd === own ? 'wait' : 'loop'] += 1
    else counts[KINDS[name] ?? 'other'] += 1
  }
  return counts
}

const few = trace(FEW)
const many = trace(MANY)
const perEvent = (kind) => Math.max(0, many[kind] - few[kind]) / ((MANY - FEW) * PASSES)
const result = Object.fromEntries(Object.keys(few).map((kind) => [kind, perEvent(kind)]))
result.all = Object.values(result).reduce((sum, value) => sum + value, 0)
console.log(JSON.stringify(result))

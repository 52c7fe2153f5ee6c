/**
 * For servers that lack the extension: waits by blocking the thread.
 *
 * @module
 */
import { performance } from 'node:perf_hooks'
import { type FdLike, fileno } from '../fileno.js'
import { Poller } from '../poller.js'
import { ERROR, HANGUP, PRIORITY, READABLE, WRITABLE } from '../readiness.js'
import { type Seconds, toSeconds } from '../seconds.js'
import type { Selection } from '../select.js'

/** A descriptor that only hung up is not writable, and would be reported without end: it is looked at this often. */
const TICK = 0.02

const READS = READABLE | HANGUP | ERROR
const WRITES = WRITABLE | ERROR

interface Wanted<T> {
  target: T
  fd: number
}

/** select(2), which it is: the thread stands still. @throws FdError as {@link select} rejects. */
export function selectBlocking<Read extends FdLike, Write extends FdLike, Except extends FdLike>(
  read: Iterable<Read>,
  write: Iterable<Write>,
  except: Iterable<Except>,
  timeout: Seconds | null | undefined,
): Selection<Read, Write, Except> {
  const seconds = toSeconds(timeout)
  const lists = { readable: named(read), writable: named(write), exceptional: named(except) }
  const interests = new Map<number, number>()
  const want = (list: Wanted<unknown>[], interest: number): void => {
    for (const { fd } of list) interests.set(fd, (interests.get(fd) ?? 0) | interest)
  }
  want(lists.readable, READABLE)
  want(lists.writable, WRITABLE)
  want(lists.exceptional, PRIORITY)
  const ready = wait(interests, seconds)
  const pick = <T>(list: Wanted<T>[], bits: number): T[] =>
    list.filter(({ fd }) => (ready.get(fd) ?? 0) & bits).map(({ target }) => target)
  return {
    readable: pick(lists.readable, READS),
    writable: pick(lists.writable, WRITES),
    exceptional: pick(lists.exceptional, PRIORITY),
  }
}

/** Stands still. */
export function sleepBlocking(seconds: Seconds): void {
  wait(new Map(), seconds)
}

function named<T extends FdLike>(list: Iterable<T>): Wanted<T>[] {
  return Array.from(list, (target) => ({ target, fd: fileno(target) }))
}

/** Readiness bits of those that are ready as asked; none on timeout. */
function wait(interests: Map<number, number>, seconds: Seconds): Map<number, number> {
  const poller = new Poller({ capacity: Math.min(Math.max(interests.size, 1), 65_536) })
  try {
    return waitIn(poller, interests, seconds)
  } finally {
    poller.close()
  }
}

function waitIn(poller: Poller, interests: Map<number, number>, seconds: Seconds): Map<number, number> {
  const ready = new Map<number, number>()
  for (const [fd, interest] of interests) {
    try {
      poller.add(fd, interest)
    } catch (error) {
      // Regular files and the like have no readiness to poll: they are always ready.
      if ((error as { code?: unknown }).code !== 'EPERM') throw error
      ready.set(fd, interest & (READABLE | WRITABLE))
    }
  }
  const deadline = performance.now() + seconds * 1000
  let left = ready.size > 0 ? 0 : seconds
  for (;;) {
    const count = poller.wait(left)
    let hungUp = false
    for (let i = 0; i < count; i += 1) {
      const fd = poller.events[2 * i] as number
      const bits = poller.events[2 * i + 1] as number
      const interest = interests.get(fd) as number
      const answer =
        (interest & READABLE && bits & READS) |
        (interest & WRITABLE && bits & WRITES) |
        (interest & PRIORITY && bits & PRIORITY)
      if (answer) ready.set(fd, bits)
      else hungUp = true
    }
    const rest = (deadline - performance.now()) / 1000
    if (ready.size > 0 || rest <= 0) return ready
    left = rest
    if (hungUp) sleepBlocking(Math.min(TICK, rest))
  }
}

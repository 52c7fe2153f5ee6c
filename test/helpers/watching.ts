/** Watchers and pollers of one test, closed when it is over, and what was told to the watchers' listeners. */
import { ERROR, HANGUP, Poller, PRIORITY, READABLE, watch, type Watcher, type WatchOptions, WRITABLE } from 'fdevent'
import { afterEach } from 'vitest'
import * as c from './libc.js'

const open = new Set<Disposable>()
afterEach(() => {
  for (const one of open) one[Symbol.dispose]()
  open.clear()
})

function kept<T extends Disposable>(one: T): T {
  open.add(one)
  return one
}

export const watching = (...args: Parameters<typeof watch>): Watcher => kept(watch(...args))
export const poller = (options?: { capacity?: number }): Poller => kept(new Poller(options))

export interface Listening {
  watcher: Watcher
  /** The readiness bits of every call. */
  told: number[]
}

/** A watcher whose listener writes down what it is told, and then does `act`. */
export function listening(
  fd: number,
  interest: number,
  options?: WatchOptions,
  act?: (ready: number, watcher: Watcher) => void,
): Listening {
  const told: number[] = []
  const watcher = watching(
    fd,
    interest,
    (ready, self) => {
      told.push(ready)
      act?.(ready, self)
    },
    options,
  )
  return { watcher, told }
}

const BITS = [
  [READABLE, c.POLL.IN],
  [WRITABLE, c.POLL.OUT],
  [PRIORITY, c.POLL.PRI],
  [HANGUP, c.POLL.HUP],
  [ERROR, c.POLL.ERR],
] as const

/** The oracle: what poll(2) says of the descriptor at present, in this library's bits. */
export function polled(fd: number, interest: number): number {
  const events = BITS.reduce((bits, [ours, theirs]) => (interest & ours ? bits | theirs : bits), 0)
  const revents = c.poll(fd, events)
  return BITS.reduce((bits, [ours, theirs]) => (revents & theirs ? bits | ours : bits), 0)
}

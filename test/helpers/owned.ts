/** Descriptors and waits of one test: whatever it leaves open is closed at its end, whatever its outcome. */
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { closing, platform, readable } from 'fdevent'
import { expect, onTestFinished } from 'vitest'
import * as c from './libc.js'

const open = new Set<number>()

/** Closes the descriptor, or all of the list, at the end of the test. */
export function own<T extends number | readonly number[]>(fds: T): T {
  const list: readonly number[] = typeof fds === 'number' ? [fds] : fds
  for (const fd of list) {
    open.add(fd)
    onTestFinished(() => {
      if (open.delete(fd)) closeAnnounced(fd)
    })
  }
  return fds
}

/** Closes an owned descriptor before the end of the test, without a word to the library. */
export function close(fd: number): void {
  open.delete(fd)
  c.close(fd)
}

function closeAnnounced(fd: number): void {
  closing(fd)
  c.close(fd)
}

export const pipe = (): c.Pair => own(c.pipe())
export const socketpair = (type?: 'stream' | 'dgram'): c.Pair => own(c.socketpair(type))
export const tcpPair = (): c.Pair => own(c.tcpPair())

/** A number that was open a moment ago. */
export function closedNumber(): number {
  const [r, w] = c.pipe()
  c.close(r)
  c.close(w)
  return w
}

/** An empty directory that is gone after the test. */
export function temporaryDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), 'fdevent-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** fs.openSync for the length of the test. */
export const openPath = (path: string, flags: string | number): number => own(openSync(path, flags))

/** A fifo's path. */
export function fifo(): string {
  const path = join(temporaryDirectory(), 'fifo')
  c.mkfifo(path)
  return path
}

/** How a promise stands at present. */
export interface Watched<T> {
  state: 'pending' | 'resolved' | 'rejected'
  value?: T
  reason?: unknown
}

/** Follows a promise without waiting for it; its rejection counts as handled. */
export function watched<T>(promise: Promise<T>): Watched<T> {
  const result: Watched<T> = { state: 'pending' }
  promise.then(
    (value) => Object.assign(result, { state: 'resolved', value }),
    (reason: unknown) => Object.assign(result, { state: 'rejected', reason }),
  )
  return result
}

/** Lets the event loop go round, with time for descriptors to be looked at. */
export async function turns(count = 3): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    await setImmediate()
    await setTimeout(2)
    if (platform().driver === 'thread') await turnByThread()
  }
}

// The thread may have to wait for a processor. Whoever waits on a file, which is always ready, is answered by a turn that begins
// later, and asks the kernel.
async function turnByThread(): Promise<void> {
  const file = openSync(import.meta.filename, 'r')
  try {
    await readable(file)
  } finally {
    closeSync(file)
  }
}

/** Processor time this process takes while `body` runs, in seconds. */
export async function cpuSeconds(body: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage()
  await body()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1e6
}

/** `expect` on what `state` returns, until it matches; for a noisy machine, far longer than anything here takes. */
export const eventually = <T>(state: () => T) => expect.poll(state, { interval: 3, timeout: 10_000 })
